#include <doctest/doctest.h>

#include <limits>

#include "protocol/wire/detail/varint.h"

using namespace observeai::wire::detail;

namespace {
std::optional<std::uint64_t> read(std::string_view bytes) {
  return ColumnReader(bytes).varint();
}
}  // namespace

TEST_CASE("numbers at every width come back") {
  for (int shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t delta : {0U, 1U, 2U}) {
      const std::uint64_t value = (std::uint64_t{1} << shift) - 1 + delta;
      std::string bytes;
      put_varint(bytes, value);
      CHECK(read(bytes) == value);
      CHECK_FALSE(read(bytes.substr(0, bytes.size() - 1)));
      const auto as_signed = static_cast<std::int64_t>(value);
      CHECK(unzigzag(zigzag(as_signed)) == as_signed);
      const auto negated = static_cast<std::int64_t>(0 - value);
      CHECK(unzigzag(zigzag(negated)) == negated);
    }
  }
  CHECK(zigzag(-1) == 1);
  CHECK(zigzag(1) == 2);
}

TEST_CASE("a number has one form, of 64 bits at most") {
  CHECK_FALSE(read(""));
  CHECK_FALSE(read(std::string_view("\x80\x00", 2)));
  CHECK_FALSE(read(std::string_view("\xFF\xFF\x00", 3)));
  CHECK(read("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01") == UINT64_MAX);
  CHECK_FALSE(read("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"));
  CHECK_FALSE(read("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"));
  std::string above32;
  put_varint(above32, std::uint64_t{1} << 32);
  CHECK_FALSE(ColumnReader(above32).varint32());
}

TEST_CASE("differences are exact over the whole range") {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  for (const auto a : {kLeast, std::int64_t{-1}, std::int64_t{0}, kMost}) {
    for (const auto b : {kLeast, std::int64_t{-1}, std::int64_t{0}, kMost}) {
      CHECK(next_value(a, difference(a, b)) == b);
    }
  }
}

TEST_CASE("doubles are eight bytes, little endian") {
  std::string bytes;
  put_double(bytes, 1.5);
  CHECK(bytes == std::string("\0\0\0\0\0\0\xF8\x3F", 8));
  CHECK(ColumnReader(bytes).real() == 1.5);
  CHECK_FALSE(ColumnReader(bytes.substr(1)).real());
}
