// Frames, lists and outcomes on the signer's socket. What is taken has exactly these bytes.
#include <cstdlib>
#include <string_view>

#include "controlplane/signer/frames.h"
#include "controlplane/signer/signer_status.h"

using namespace observeai;
using namespace observeai::controlplane::signer;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto taken = take_frame(bytes);
  if (taken && *taken) {
    const auto& frame = (*taken)->frame;
    if (encode_frame(frame.kind, frame.body) != bytes.substr(0, (*taken)->bytes)) std::abort();
  }
  const auto list = decode_list(bytes);
  if (list && encode_list(*list) != bytes) std::abort();
  const auto outcome = decode_outcome(bytes);
  if (outcome && encode_outcome(*outcome) != bytes) std::abort();
  const auto status = decode_status(bytes);
  if (status && decode_status(encode_status(*status)).value() != *status) std::abort();
  return 0;
}
