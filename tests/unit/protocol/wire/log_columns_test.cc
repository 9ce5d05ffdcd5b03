#include "protocol/wire/detail/log_columns.h"

#include <doctest/doctest.h>

#include "protocol/wire/batch_codec.h"
#include "tests/unit/protocol/wire/log_lines.h"

using namespace observeai;
using namespace observeai::wire::detail;

namespace {

using Lines = std::vector<std::string>;

Sections written(const Lines& lines) {
  std::size_t bytes = 0;
  for (const auto& line : lines) bytes += line.size();
  LogSkeletons skeletons(lines.size(), bytes);
  for (const auto& line : lines) skeletons.add(line);
  Sections out;
  put_lines(skeletons, out);
  return out;
}

SectionReader reader_of(const Sections& sections) {
  return {ColumnReader(sections.head), ColumnReader(sections.text), ColumnReader(sections.numbers),
          ColumnReader(sections.packed)};
}

Result<Lines> read(const Sections& sections, std::size_t count) {
  auto from = reader_of(sections);
  TRY(auto reader, LogLineReader::create(count, from));
  if (!from.at_end()) return Error(Errc::kCorrupt, "bytes are left over");
  Lines out;
  for (std::size_t i = 0; i < count; ++i) {
    TRY(auto line, reader.next());
    out.push_back(std::move(line));
  }
  return out;
}

bool refused(const Sections& sections, std::size_t count) {
  const auto lines = read(sections, count);
  return !lines && lines.error().code() == Errc::kCorrupt;
}

void round_trip(const Lines& lines) {
  const auto sections = written(lines);
  const auto again = read(sections, lines.size());
  REQUIRE(again);
  REQUIRE(*again == lines);
  const auto twice = written(*again);  // Other memory, the same bytes
  REQUIRE(twice.head == sections.head);
  REQUIRE(twice.text == sections.text);
  REQUIRE(twice.numbers == sections.numbers);
  REQUIRE(twice.packed == sections.packed);
}

}  // namespace

TEST_CASE("lines come back byte by byte, and equal lines give equal bytes") {
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    CAPTURE(seed);
    test::Sentences sentences(seed);
    Lines lines(test::Generator(seed).below(120));
    for (auto& line : lines) line = sentences.line();
    round_trip(lines);
  }
}

TEST_CASE("every form of a column keeps what it stands for") {
  round_trip({});
  round_trip({""});
  round_trip({"", "", "x", ""});
  round_trip({"t 1", "t 22", "t 333"});
  round_trip({"t 001", "t 022", "t 333"});  // Zeros before, one length
  round_trip({"t 1", "t 022"});             // Zeros before, two lengths: text
  round_trip({"t 0", "t 00", "t 000"});
  round_trip({"id abcd12", "id 123456", "id 12ab34"});  // Numbers among hex words
  round_trip({"id abc12", "id 12345", "id 1abcd"});     // An odd length
  round_trip({"id abc12", "id 123", "id 1a2b"});        // Different lengths: text
  round_trip({"id abc12", "id 00123", "id Zq12x9"});    // All kinds
  round_trip({"n 999999999999999999", "n 000000000000000001", "n 100000000000000000"});
  round_trip({"n 1234567", "n 12345678", "n 123456789", "n 99999999", "n 100000000"});
  round_trip({std::string("a\0b 1\0", 6), std::string("a\0b 2\0", 6)});
  round_trip({std::string(500'000, '7'), std::string(500'000, 'x')});
}

TEST_CASE("plain lines stand among the others") {
  std::string wide;
  for (std::size_t i = 0; i <= kMaxPlaces; ++i) wide += "1 ";
  round_trip({"x 1", wide, "x 2", wide + wide, "x 3"});
}

TEST_CASE("cut sections are refused, flipped bits give other lines or an error") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    test::Sentences sentences(seed);
    Lines lines(12);
    for (auto& line : lines) line = sentences.line();
    const auto good = written(lines);
    for (const auto section :
         {&Sections::head, &Sections::text, &Sections::numbers, &Sections::packed}) {
      if ((good.*section).empty()) continue;
      auto bad = good;
      (bad.*section).pop_back();
      REQUIRE(refused(bad, lines.size()));
      bad = good;
      (bad.*section).push_back('\0');
      REQUIRE(refused(bad, lines.size()));
      test::for_each_damage(good.*section, [&](const std::string& damaged) {
        bad.*section = damaged;
        ignore(read(bad, lines.size()), "must not crash");
      });
    }
    REQUIRE(refused(good, lines.size() + 1));
    REQUIRE(refused(good, lines.size() - 1));
  }
}

TEST_CASE("what is claimed is bounded") {
  Sections sections;
  // A million skeletons.
  put_varint(sections.head, 1'000'000);
  sections.head.append(2'000'000, '\1');
  CHECK(refused(sections, 1));
  // One of too many texts.
  sections = {};
  put_varint(sections.head, 1);
  put_varint(sections.head, kMaxPlaces + 2);
  sections.head.append(kMaxPlaces + 2, '\0');
  CHECK(refused(sections, 1));
}

TEST_CASE("a long text that many short lines name is counted before it is copied") {
  // One skeleton, one text of 1 MB, and 100,000 lines of it: 100 GB.
  Sections sections;
  put_varint(sections.head, 1);
  put_varint(sections.head, 1);
  put_varint(sections.head, 0);
  const std::uint64_t length = 1'000'000;
  put_numbers(std::span(&length, 1), sections);
  sections.text.assign(length, 'x');
  sections.numbers.push_back('\0');
  sections.numbers.append(99'999, '\2');
  CHECK(refused(sections, 100'000));
}

TEST_CASE("more values than a body may have bytes are refused") {
  // 100,000 lines with 128 constants each, in a few hundred bytes.
  Sections sections;
  put_varint(sections.head, 1);
  put_varint(sections.head, kMaxPlaces + 1);
  sections.head.push_back('\0');
  sections.head.append(kMaxPlaces, '\1');
  const std::uint64_t length = 0;
  put_numbers(std::span(&length, 1), sections);
  sections.numbers.push_back('\0');
  sections.numbers.append(99'999, '\2');
  for (int column = 0; column < 2; ++column) {
    sections.head.append(std::string("\0\1\0\5", 4));  // Decimals, a digit at least, constant 5
  }
  CHECK(refused(sections, 100'000));
  sections.numbers.resize(1000);
  CHECK(read(sections, 1000).value()[999] == std::string(kMaxPlaces, '5'));
}

TEST_CASE("more columns than kMaxColumns are refused, those are not") {
  for (const std::size_t count : {kMaxColumns, kMaxColumns + 1}) {
    Sections sections;
    put_varint(sections.head, count);
    for (std::size_t i = 0; i < count; ++i) {
      put_varint(sections.head, 2);
      put_varint(sections.head, 0);
      put_varint(sections.head, 1);
    }
    put_numbers(std::vector<std::uint64_t>(count, 0), sections);
    sections.numbers.append(count, '\0');
    for (std::size_t i = 0; i < count; ++i) sections.head.append(std::string("\0\1\0\5", 4));
    CHECK(refused(sections, count) == (count > kMaxColumns));
  }
}

TEST_CASE("the bytes of a column say how often it has a value") {
  // What a reader does with unknown forms, and with widths that no value has.
  const auto with_column = [](const std::string& column, const std::string& packed) {
    Sections sections;
    sections.head = std::string("\1\2\0\0", 4);
    const std::vector<std::uint64_t> lengths = {1, 1};
    put_numbers(lengths, sections);
    sections.text = "ab";
    sections.numbers.push_back('\0');
    sections.head.append(column);
    sections.packed = packed;
    return sections;
  };
  CHECK(read(with_column(std::string("\0\1\0\5", 4), ""), 1).value()[0] == "a5b");
  CHECK(read(with_column(std::string("\0\4\0\5", 4), ""), 1).value()[0] == "a0005b");
  CHECK(read(with_column(std::string("\1\3", 2), "\xAB\xC0"), 1).value()[0] == "aabcb");
  CHECK(refused(with_column(std::string("\0\0\0\5", 4), ""), 1));    // No digit
  CHECK(refused(with_column(std::string("\0\x15\0\5", 4), ""), 1));  // 21 digits
  CHECK(refused(with_column(std::string("\1\0", 2), ""), 1));
  CHECK(refused(with_column(std::string("\1\xFF\xFF\xFF\xFF\x0F", 6), "\xAB"), 1));
  CHECK(refused(with_column(std::string("\3\1\0\5", 4), ""), 1));
  CHECK(refused(with_column("", ""), 1));
}
