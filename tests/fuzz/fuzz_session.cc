// The session's file in the run directory: what is read can be written and read again.
#include <cstdlib>
#include <string_view>

#include "agent/executor/session.h"

using namespace observeai::agent::executor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto session = decode_session(bytes);
  if (!session) return 0;
  const auto again = decode_session(encode_session(*session));
  if (!again || !(*again == *session)) std::abort();
  return 0;
}
