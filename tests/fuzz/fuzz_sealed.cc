// What a broker can put in front of ingest and agents: framing and headers before any key is known,
// opening with a key, and the messages behind the seal (who holds a key may still be hostile).
#include <cstdlib>
#include <string_view>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/framing.h"
#include "protocol/wire/sealed.h"

using namespace observeai;
using namespace observeai::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const signing::SealingKey key({1, 2, 3});
  static const AgentId agent = AgentId::parse("web-01").value();

  const auto parts = detail::split(bytes);
  if (parts && detail::join(*parts) != bytes) std::abort();
  if (peek_batch_header(bytes) && !parts) std::abort();
  // Nobody finds a seal of a key they do not have.
  if (open_batch(bytes, key) || open_hello(bytes, agent, key) || open_ack(bytes, agent, key))
    std::abort();

  const auto header = decode_header(bytes);
  if (header && decode_header(encode_header(*header)).value() != *header) std::abort();
  const auto hello = decode_hello(bytes);
  if (hello && !decode_hello(encode_hello(*hello))) std::abort();
  const auto ack = decode_ack(bytes);
  if (ack && !decode_ack(encode_ack(*ack))) std::abort();
  const auto loss = decode_loss(bytes);
  if (loss && decode_loss(encode_loss(*loss).value()).value() != *loss) std::abort();
  return 0;
}
