// What comes over executor.sock, and the session's file.
#include <cstdlib>
#include <string_view>

#include "agent/executor/frames.h"
#include "agent/executor/session.h"

using namespace observeai;
using namespace observeai::agent::executor;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (std::string_view rest = bytes;;) {
    const auto taken = take_frame(rest);
    if (!taken || !*taken) break;
    if (encode_frame((*taken)->frame) != rest.substr(0, (*taken)->bytes)) std::abort();
    rest.remove_prefix((*taken)->bytes);
  }
  const auto list = decode_list(bytes);
  if (list && encode_list(*list) != bytes) std::abort();
  const auto status = decode_status(bytes);
  if (status && encode_status(*status) != bytes) std::abort();
  const auto session = decode_session(bytes);
  if (session) {
    const auto again = decode_session(encode_session(*session));
    if (!again || !(*again == *session)) std::abort();
  }
  return 0;
}
