// Which log lines are kept while the agent must save: all that tell of trouble, and one in so many of
// those that their own words call debug or info. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace observeai::agent {

// True when the line calls itself trace, debug, info or notice: as a word of its own among the first
// bytes ("2026-01-01 INFO started", "[debug] x"), as a field ("level=info", "\"level\":\"debug\"",
// "severity": "INFO"), or klog's "I0102 ". A line that does not say, that also names an error
// ("INFO request failed: error 500") or that continues another one (it begins with a blank) is kept.
bool is_verbose(std::string_view line);

class LogSampler {
 public:
  // Whether to keep a line when one verbose line in `keep_one_in` is kept; 1 keeps all.
  bool keeps(std::string_view line, std::uint32_t keep_one_in);

 private:
  std::uint64_t verbose_ = 0;
};

}  // namespace observeai::agent
