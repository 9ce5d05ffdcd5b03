#include "protocol/wire/detail/decimal.h"

#include <doctest/doctest.h>

#include <array>
#include <string>

using namespace observeai::wire::detail;

TEST_CASE("digits are found, and nothing else") {
  for (unsigned c = 0; c < 256; ++c) {
    const auto bits = digits_in(kEachByte * c);
    CHECK((bits != 0) == (c >= '0' && c <= '9'));
    CHECK((bits == 0 || bits == kEachByte * 0x80));
  }
  CHECK(first_byte(digits_in(word_of("ab\xB0\xFF/:7x"))) == 6);
  CHECK(first_byte(0) == 8);
}

TEST_CASE("numbers of one to eight digits are read and written") {
  for (std::uint64_t number = 0; number < 100'000'000; number = number * 3 / 2 + 1) {
    const auto text = std::to_string(number);
    CAPTURE(text);
    // Behind the digits stands what is no digit.
    for (const char behind : {'x', '/', ':', '\0', '\xB0', '\xFF'}) {
      CHECK(number_of(word_of((text + std::string(8, behind)).data()),
                      static_cast<unsigned>(text.size())) == number);
    }
    std::array<char, 8> digits{};
    put_word(eight_digits(number), digits.data());
    CHECK(std::string(digits.data(), 8) == std::string(8 - text.size(), '0') + text);
  }
  CHECK(number_of(word_of("99999999"), 8) == 99'999'999);
  CHECK(number_of(word_of("00000000"), 8) == 0);
}
