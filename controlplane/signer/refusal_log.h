// Lines about what was refused: whoever may ask, or may only connect, can cause refusals without end; the log
// takes so many of them a minute, and the next line says how many were left out. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "controlplane/signer/rates.h"

namespace observeai::controlplane::signer {

inline constexpr std::uint64_t kMaxRefusalLines = 30;  // In a minute

class RefusalLog {
 public:
  // Warns. False: left out.
  bool write(SteadyTime now, std::string line);

 private:
  SlidingCount lines_{std::chrono::minutes(1)};
  std::uint64_t left_out_ = 0;
};

}  // namespace observeai::controlplane::signer
