#include "protocol/wire/detail/log_skeletons.h"

#include <doctest/doctest.h>

#include "tests/unit/protocol/wire/log_lines.h"

using namespace observeai;
using namespace observeai::wire::detail;

namespace {

struct Lines {
  explicit Lines(std::vector<std::string> lines)
      : kept(std::move(lines)), skeletons(kept.size(), 100) {
    for (const auto& line : kept) skeletons.add(line);
  }
  // "order _ done" of one line; a number as d, hex as h, text as t.
  std::string shape(std::size_t line) const {
    const auto skeleton = skeletons.lines().at(line);
    if (skeleton == LogSkeletons::kPlain) return "plain";
    std::vector<LogSkeletons::Part> parts;
    skeletons.parts_of(skeleton, parts);
    std::size_t value = first_value(line);
    std::string out;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      out += skeletons.texts()[parts[i].text];
      if (i + 1 == parts.size()) break;
      const auto kind = skeletons.values()[value++].kind;
      out += kind == ValueKind::kDecimal ? "<d>" : kind == ValueKind::kHex ? "<h>" : "<t>";
    }
    return out;
  }
  std::size_t first_value(std::size_t line) const {
    std::size_t value = 0;
    std::vector<LogSkeletons::Part> parts;
    for (std::size_t i = 0; i < line; ++i) {
      if (skeletons.lines()[i] == LogSkeletons::kPlain) continue;
      skeletons.parts_of(skeletons.lines()[i], parts);
      value += parts.size() - 1;
    }
    return value;
  }

  std::vector<std::string> kept;
  LogSkeletons skeletons;
};

std::string shape_of(const std::string& line) {
  // A second time the line goes the way of the first: it must be split alike.
  const std::vector<std::string> lines = {line, line, line + std::string(20, ' ')};
  const Lines split(lines);
  CHECK(split.shape(1) == split.shape(0));
  CHECK(split.skeletons.lines()[0] == split.skeletons.lines()[1]);
  CHECK(split.shape(2) == split.shape(0) + std::string(20, ' '));
  return split.shape(0);
}

}  // namespace

TEST_CASE("numbers and words with digits are values") {
  CHECK(shape_of("") == "");
  CHECK(shape_of("no digit here") == "no digit here");
  CHECK(shape_of("order 4711 done in 12 ms") == "order <d> done in <d> ms");
  CHECK(shape_of("12") == "<d>");
  CHECK(shape_of("10.0.117.165 - rt=0.365") == "<d>.<d>.<d>.<d> - rt=<d>.<d>");
  CHECK(shape_of("v1/node12/5MB S_33 x86_64") == "v<d>/node<d>/<d>MB S_<d> x<d>_<d>");
  CHECK(shape_of("id=a9cb2a77-18a8") == "id=<h>-<h>");
  CHECK(shape_of("id=12345678") == "id=<d>");
  CHECK(shape_of("key AKIA4X7Q9 end") == "key <t> end");
  CHECK(shape_of("abc1") == "<h>");
  CHECK(shape_of("ab1") == "ab<d>");
  CHECK(shape_of("caf\xC3\xA9"
                 "7\xFF") == "caf\xC3\xA9<d>\xFF");
  CHECK(shape_of("n 999999999999999999 m") == "n <d> m");
  CHECK(shape_of("n 1000000000000000000 m") == "n <t> m");
  CHECK(shape_of("averylongwordofmanyletters7") == "<t>");
}

TEST_CASE("a line goes to the same skeleton whatever stood before it") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    test::Sentences sentences(seed);
    std::vector<std::string> lines;
    for (int i = 0; i < 40; ++i) lines.push_back(sentences.line());
    const Lines together(lines);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      REQUIRE(together.shape(i) == Lines({lines[i]}).shape(0));
    }
  }
}

TEST_CASE("values behind the same two texts share a column, also of different skeletons") {
  const std::vector<std::string> lines = {"curl took=5 rt=17", "chrome took=6 rt=18 late", "rt=19"};
  const Lines split(lines);
  const auto& values = split.skeletons.values();
  REQUIRE(values.size() == 5);
  CHECK(split.skeletons.skeleton_count() == 3);
  CHECK(values[0].column != values[2].column);  // Behind "curl took=" and "chrome took="
  CHECK(values[4].column != values[1].column);  // Nothing before "rt="
  CHECK(values[1].number == 17);
  const std::vector<std::string> more = {"a=1 b=2 x", "a=3 b=4 y"};
  const Lines alike(more);
  CHECK(alike.skeletons.column_count() == 2);
  CHECK(alike.skeletons.skeleton_count() == 2);
}

TEST_CASE("a line of kMaxPlaces values is split, with one more it is plain") {
  std::string line;
  for (std::size_t i = 0; i < kMaxPlaces; ++i) line += "x 1,";
  const auto more = line + "2";
  const Lines split({line, more, line});
  CHECK(split.shape(0) != "plain");
  CHECK(split.shape(1) == "plain");
  CHECK(split.shape(2) == split.shape(0));
  CHECK(split.skeletons.values().size() == 2 * kMaxPlaces);  // None of the plain line
  CHECK(split.skeletons.plain().size() == 1);
}

TEST_CASE("lines with nothing in common become plain at the bounds") {
  std::vector<std::string> lines;
  for (std::uint64_t i = 0; i < 2 * kMaxColumns; ++i) {
    std::string word(6, 'a');
    for (auto n = i, at = std::uint64_t{0}; at < 6; n /= 20, ++at)
      word[at] = static_cast<char>('g' + n % 20);
    lines.push_back(word + "=1 " + word + "=2");
  }
  lines.push_back(lines.front());
  const Lines split(lines);
  CHECK(split.skeletons.column_count() == kMaxColumns);
  CHECK(split.shape(0) != "plain");
  CHECK(split.shape(lines.size() - 2) == "plain");
  CHECK(split.shape(lines.size() - 1) == split.shape(0));
}
