// Numbers that look random and are the same in every run.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace observeai::series {

class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed) {}

  // In (0, 1).
  double uniform() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;  // SplitMix64 (Steele et al. 2014)
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    z ^= z >> 31;
    return (static_cast<double>(z >> 11) + 0.5) / 9007199254740992.0;
  }

  // Standard normal (Box & Muller 1958).
  double normal() {
    return std::sqrt(-2 * std::log(uniform())) * std::cos(2 * std::numbers::pi * uniform());
  }

 private:
  std::uint64_t state_;
};

}  // namespace observeai::series
