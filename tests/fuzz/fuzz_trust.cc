// Envelopes and root metadata, from a broker or a file. What decodes has exactly these bytes.
#include <cstdlib>
#include <string_view>

#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

using namespace observeai;
using namespace observeai::wire;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto envelope = decode_envelope(bytes);
  if (envelope && encode_envelope(*envelope) != bytes) std::abort();
  const auto root = decode_root(bytes);
  if (root && encode_root(*root) != bytes) std::abort();

  // An attacker may sign with keys of their own, but not with the pinned root's.
  static const signing::RootMetadata current = [] {
    signing::RootMetadata out;
    out.version = 1;
    out.root_threshold = 1;
    out.root_keys = {signing::SigningKeyPair::from_seed(signing::SecretKey32({7, 7})).public_key()};
    return out;
  }();
  if (verify_next_root(current, bytes, 0)) std::abort();
  const auto pinned = verify_pinned_root(bytes, signing::sha256_hex(bytes), 0);
  if (pinned && !signing::check_root(pinned->root)) std::abort();
  return 0;
}
