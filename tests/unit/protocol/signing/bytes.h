// Short ways to write bytes in tests.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "protocol/base/text.h"

namespace observeai::test {

inline std::string unhex(std::string_view hex) {
  const auto bytes = text::from_hex(hex).value();
  return std::string(bytes.begin(), bytes.end());
}

template <std::size_t N>
std::array<std::uint8_t, N> unhex_array(std::string_view hex) {
  const auto bytes = text::from_hex(hex).value();
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), N, out.begin());
  return out;
}

}  // namespace observeai::test
