// State of a detector as bytes: fixed layout, little-endian, no padding.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace observeai::series {

// Could a detector have computed this figure? Values are cut at 1e30, so that squares, sums and what is made
// of them stay far below; what lies above would overflow.
inline bool plausible(double figure) {
  return std::abs(figure) <= 1e75;
}

class StateWriter {
 public:
  explicit StateWriter(std::string& out) : out_(out) {}

  void whole(std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void real32(float value) { whole(std::bit_cast<std::uint32_t>(value), 4); }
  void real64(double value) { whole(std::bit_cast<std::uint64_t>(value), 8); }

 private:
  std::string& out_;
};

// Reads what StateWriter wrote. Behind the end everything is 0 and complete() is false.
class StateReader {
 public:
  explicit StateReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t whole(int bytes) {
    if (bytes_.size() < static_cast<std::size_t>(bytes)) {
      bytes_ = {};
      short_ = true;
      return 0;
    }
    std::uint64_t value = 0;
    for (int i = 0; i < bytes; ++i) {
      value |= std::uint64_t{static_cast<unsigned char>(bytes_[i])} << (8 * i);
    }
    bytes_.remove_prefix(bytes);
    return value;
  }
  float real32() { return std::bit_cast<float>(static_cast<std::uint32_t>(whole(4))); }
  double real64() { return std::bit_cast<double>(whole(8)); }

  // All bytes were read, and none were missing.
  bool complete() const { return bytes_.empty() && !short_; }

 private:
  std::string_view bytes_;
  bool short_ = false;
};

}  // namespace observeai::series
