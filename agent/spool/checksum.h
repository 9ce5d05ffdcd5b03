// A fast checksum against damage on disk (not against tampering). Internal to agent/spool.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace observeai::agent {

// FNV's multiply and xor on words of eight bytes (in this machine's order: a spool does not travel)
// with a rotation. Each step is a bijection of the state: any change of one word changes the result.
inline std::uint64_t checksum64(std::string_view bytes) {
  constexpr std::uint64_t kPrime = 0x100000001B3ULL;
  std::uint64_t hash = 0xCBF29CE484222325ULL ^ bytes.size();
  while (bytes.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    hash = std::rotl((hash ^ word) * kPrime, 29);
    bytes.remove_prefix(8);
  }
  for (const char c : bytes) hash = (hash ^ static_cast<std::uint8_t>(c)) * kPrime;
  return hash ^ (hash >> 32);
}

}  // namespace observeai::agent
