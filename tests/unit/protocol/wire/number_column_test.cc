#include <doctest/doctest.h>

#include "protocol/wire/detail/number_column.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire::detail;

namespace {

using Numbers = std::vector<std::uint64_t>;

Sections sections_of(const Numbers& numbers) {
  Sections out;
  put_numbers(numbers, out);
  return out;
}

SectionReader reader_of(const Sections& sections) {
  return {ColumnReader(sections.head), ColumnReader(sections.text), ColumnReader(sections.numbers),
          ColumnReader(sections.packed)};
}

// Empty when the bytes are refused or some are left over.
std::optional<Numbers> read(const Sections& sections, std::size_t count) {
  auto from = reader_of(sections);
  auto column = NumberColumn::take(count, from);
  if (!column || !from.at_end()) return std::nullopt;
  Numbers out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(column->next());
  return out;
}

NumberForm form_of(const Sections& sections) {
  return static_cast<NumberForm>(static_cast<std::uint8_t>(sections.head.at(0)) & ~kDifferences);
}
bool has_differences(const Sections& sections) {
  return (static_cast<std::uint8_t>(sections.head.at(0)) & kDifferences) != 0;
}
std::size_t bytes_of(const Sections& sections) {
  return sections.head.size() + sections.text.size() + sections.numbers.size() +
         sections.packed.size();
}

// Numbers of many shapes: ranges of any width at any height, rising, few different, with outliers.
Numbers random_numbers(test::Generator& random) {
  Numbers out(random.below(200));
  const auto base = random.bits() >> random.below(64);
  const auto width = random.below(65);
  const auto shape = random.below(5);
  std::uint64_t last = base;
  for (auto& number : out) {
    const auto above = width == 0 ? 0 : random.bits() >> (64 - width);
    if (shape == 0) number = base + above;
    if (shape == 1) number = last += above;
    if (shape == 2) number = last -= above;
    if (shape == 3) number = base + (above % 7) * 1'000'003;
    if (shape == 4) number = random.below(20) == 0 ? random.bits() : random.below(100);
  }
  return out;
}

}  // namespace

TEST_CASE("numbers of every shape come back, and their bytes are the same again") {
  for (std::uint64_t seed = 0; seed < 5000; ++seed) {
    CAPTURE(seed);
    test::Generator random(seed);
    const auto numbers = random_numbers(random);
    const auto sections = sections_of(numbers);
    const auto again = read(sections, numbers.size());
    REQUIRE(again);
    REQUIRE(*again == numbers);
  }
}

TEST_CASE("packed numbers of every width come back, at every number of them") {
  test::Generator random(1);
  for (unsigned width = 1; width <= 64; ++width) {
    for (std::size_t count = 2; count < 20; ++count) {
      CAPTURE(width);
      CAPTURE(count);
      Numbers numbers(count);
      for (auto& number : numbers) number = random.bits() >> (64 - width);
      REQUIRE(read(sections_of(numbers), count) == numbers);
    }
  }
}

TEST_CASE("the form fits the numbers") {
  test::Generator random(2);
  const auto fill = [&](const auto& make) {
    Numbers out(100);
    for (auto& number : out) number = make();
    return out;
  };
  CHECK(sections_of({}).head.empty());
  CHECK(form_of(sections_of(fill([] { return 7; }))) == NumberForm::kConstant);

  std::uint64_t counter = 1'000'000'000'000;
  const auto rising = sections_of(fill([&] { return counter += 3; }));
  CHECK(form_of(rising) == NumberForm::kConstant);
  CHECK(has_differences(rising));
  CHECK(bytes_of(rising) < 12);

  CHECK(form_of(sections_of(fill([&] { return 5000 + random.below(256); }))) == NumberForm::kBytes);
  const auto even = sections_of(fill([&] { return random.below(1000); }));
  CHECK(form_of(even) == NumberForm::kPacked);
  CHECK(even.packed.size() == 125);  // Ten bits each
  CHECK(form_of(sections_of(fill([&] { return random.below(3) * 150 + 200; }))) ==
        NumberForm::kIndexed);
  auto outliers = fill([&] { return random.below(120); });
  outliers[50] = UINT64_MAX;
  outliers[51] = UINT64_MAX / 3;
  CHECK(form_of(sections_of(outliers)) == NumberForm::kVarints);
}

TEST_CASE("an index of kMaxIndexed different numbers, not one more") {
  for (const std::size_t different : {kMaxIndexed, kMaxIndexed + 1}) {
    test::Generator random(different);
    Numbers numbers;
    for (std::size_t i = 0; i < different; ++i) numbers.push_back(i * 5000);
    while (numbers.size() < 500) numbers.push_back(random.below(different) * 5000);
    const auto sections = sections_of(numbers);
    CHECK((form_of(sections) == NumberForm::kIndexed) == (different == kMaxIndexed));
    CHECK(read(sections, numbers.size()) == numbers);
  }
}

TEST_CASE("a column that is cut, or claims what is not there, is refused") {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    CAPTURE(seed);
    test::Generator random(seed);
    const auto numbers = random_numbers(random);
    const auto good = sections_of(numbers);
    for (const auto section : {&Sections::head, &Sections::numbers, &Sections::packed}) {
      auto bad = good;
      if ((bad.*section).empty()) continue;
      (bad.*section).pop_back();
      REQUIRE_FALSE(read(bad, numbers.size()));
    }
  }
  const auto refused = [](const Sections& sections, std::uint64_t count) {
    auto from = reader_of(sections);
    return !NumberColumn::take(count, from);
  };
  CHECK(refused({"\x05", "", "", ""}, 1));                                   // No such form
  CHECK(refused({std::string("\x02\x00\x00", 3), "", "", "1234"}, 1));       // Width 0
  CHECK(refused({std::string("\x02\x41\x00", 3), "", "", "123456789"}, 1));  // Width 65
  CHECK(refused({std::string("\x04\x00", 2), "", "1", ""}, 1));              // Empty index
  CHECK(refused({"\x04\x21" + std::string(33, '\1'), "", "1", ""}, 1));      // Index of 33
  CHECK(refused({"\x04\x01\x05", "", "\x01", ""}, 1));                       // Beyond the index
  CHECK(refused({std::string("\x01\x00", 2), "", "123", ""}, UINT64_MAX));
  CHECK(refused({std::string("\x02\x40\x00", 3), "", "", "123"}, UINT64_MAX / 64 + 2));
}
