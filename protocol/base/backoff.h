// Exponential back-off with jitter, so that a fleet does not return in one wave.
#pragma once

#include <chrono>
#include <cstdint>

namespace observeai {

// Pure: the caller brings the randomness and does the waiting. Not thread-safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds most)
      : first_(first), most_(most), ceiling_(first) {}

  // The next wait, uniform in [ceiling/2, ceiling]; the ceiling doubles up to `most`.
  std::chrono::milliseconds next(std::uint64_t random);
  // The next wait, uniform in [0, ceiling]: who lost the same thing at one moment comes back evenly
  // spread over the first ceiling.
  std::chrono::milliseconds next_anywhere(std::uint64_t random);
  void reset() { ceiling_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds most_;
  std::chrono::milliseconds ceiling_;
};

}  // namespace observeai
