// A log line: decoded as Docker's json-file, redacted as it stands and as a line among others.
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/logs/docker_json_line.h"
#include "agent/logs/redactor.h"
#include "agent/logs/secret_detectors.h"

using namespace observeai::agent;

namespace {

const SecretPrefilter& filter() {
  static const SecretPrefilter made = [] {
    SecretPrefilter filter;
    add_secret_anchors(filter);
    filter.seal();
    return filter;
  }();
  return made;
}

// Every anchor is found that looking at each place finds.
void check_prefilter(std::string_view text) {
  std::size_t next = filter().next(text, 0);
  for (std::size_t at = 0; at + SecretPrefilter::kAnchorBytes <= text.size(); ++at) {
    bool stands = false;
    filter().tags(text, at, [&](std::uint16_t) { stands = true; });
    if (next == at) {
      next = filter().next(text, at + 1);
    } else if (stands || next < at) {
      std::abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Redactor redactor;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::string scratch;
  const auto entry = decode_docker_json_line(bytes, scratch);
  if (entry.malformed && entry.text != bytes) std::abort();

  check_prefilter(bytes);
  std::string out;
  const bool changed = redactor.redact(bytes, out);
  if (changed != !out.empty()) std::abort();
  // What was hidden once stays hidden, and a key block keeps its bound.
  std::uint32_t key_lines_left = static_cast<std::uint32_t>(size % 3);
  std::string line;
  redactor.redact_line(entry.text, key_lines_left, line);
  if (key_lines_left > kMaxKeyBlockLines) std::abort();
  return 0;
}
