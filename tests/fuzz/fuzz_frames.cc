// Frames between agent and executor, and what is in them: either side may be an attacker who got hold of
// the other. What is read has exactly these bytes, and a stream in pieces gives the same frames.
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/executor/frames.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

// All frames from the front of `stream`, given `step` bytes at a time; how it ended.
struct Frames {
  std::string bytes;  // Of the frames, encoded again
  bool failed = false;
};

Frames read_all(std::string_view stream, std::size_t step) {
  Frames out;
  std::string buffer;
  for (;;) {
    auto taken = take_frame(buffer);
    if (!taken) {
      out.failed = true;
      return out;
    }
    if (*taken) {
      const auto& frame = (*taken)->frame;
      if ((*taken)->bytes > buffer.size() || frame.body.size() >= kMaxFrameBytes) std::abort();
      out.bytes += encode_frame(frame);
      buffer.erase(0, (*taken)->bytes);
      continue;
    }
    if (stream.empty()) return out;
    const auto count = std::min(step, stream.size());
    buffer.append(stream.substr(0, count));
    stream.remove_prefix(count);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto whole = read_all(bytes, bytes.size());
  const auto pieces = read_all(bytes, 3);
  if (whole.bytes != pieces.bytes || whole.failed != pieces.failed) std::abort();
  if (bytes.substr(0, whole.bytes.size()) != whole.bytes) std::abort();

  const auto list = decode_list(bytes);
  if (list && encode_list(*list) != bytes) std::abort();
  const auto status = decode_status(bytes);
  if (status && encode_status(*status) != bytes) std::abort();
  return 0;
}
