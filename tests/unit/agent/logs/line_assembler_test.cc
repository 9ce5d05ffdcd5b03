#include "agent/logs/line_assembler.h"

#include <doctest/doctest.h>

#include <string>

#include "protocol/wire/signals.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

LinePiece piece(std::string_view text, bool complete, std::uint64_t offset = 0,
                std::int64_t ts = 1) {
  return {text, complete, ts, {1, offset}, text.size() + 10};
}

}  // namespace

TEST_CASE("a whole line passes through") {
  LineAssembler assembler;
  std::string backing;
  const auto line = assembler.add(piece("abc", true, 7, 5), backing);
  REQUIRE(line);
  CHECK(line->text == "abc");
  CHECK(line->ts_ns == 5);
  CHECK(line->flags == 0);
  CHECK(line->raw_bytes == 13);
  CHECK_FALSE(assembler.open());
}

TEST_CASE("pieces are joined; time and place are those of the first") {
  LineAssembler assembler;
  std::string backing;
  CHECK_FALSE(assembler.add(piece("one ", false, 100, 1), backing));
  CHECK(assembler.open());
  CHECK(assembler.first_piece() == LogPosition{1, 100});
  CHECK_FALSE(assembler.add(piece("two ", false, 200, 2), backing));
  CHECK(assembler.first_piece() == LogPosition{1, 100});
  const auto line = assembler.add(piece("three", true, 300, 3), backing);
  REQUIRE(line);
  CHECK(line->text == "one two three");
  CHECK(line->ts_ns == 1);
  CHECK(line->line_bytes == 13);
  CHECK(line->raw_bytes == 13 + 30);
  CHECK_FALSE(assembler.open());
  CHECK_FALSE(assembler.flush(backing));
}

TEST_CASE("a flush ends the line; what follows begins another") {
  LineAssembler assembler;
  std::string backing;
  CHECK_FALSE(assembler.add(piece("half", false), backing));
  const auto half = assembler.flush(backing);
  REQUIRE(half);
  CHECK(half->text == "half");
  CHECK(half->flags == wire::log_flags::kUnterminated);
  const auto rest = assembler.add(piece("rest", true), backing);
  REQUIRE(rest);
  CHECK(rest->text == "rest");
  CHECK(rest->flags == 0);
}

TEST_CASE("exactly the line limit is whole, one byte more is truncated and counted") {
  for (const std::size_t extra : {0, 1}) {
    LineAssembler assembler;
    std::string backing;
    CHECK_FALSE(assembler.add(piece(std::string(kMaxLineBytes - 1, 'a'), false), backing));
    const std::string last(1 + extra, 'b');
    const auto line = assembler.add(piece(last, true), backing);
    REQUIRE(line);
    CHECK(line->line_bytes == kMaxLineBytes + extra);
    CHECK(line->flags == (extra == 0 ? 0 : wire::log_flags::kTruncated));
  }
}

TEST_CASE("16 MiB in pieces of 16 KiB: the first 1 MiB is kept, the length is known") {
  LineAssembler assembler;
  std::string backing;
  const std::string block(16384, 'x');
  for (int i = 0; i < 1023; ++i) REQUIRE_FALSE(assembler.add(piece(block, false), backing));
  const auto line = assembler.add(piece(block, true), backing);
  REQUIRE(line);
  CHECK(line->line_bytes == 16U << 20);
  CHECK(line->text.size() == kMaxLineBytes + kRedactionMargin);
  CHECK(line->flags == wire::log_flags::kTruncated);
}

TEST_CASE("a line without end is given up at its limit") {
  LineAssembler assembler;
  std::string backing;
  const std::string block(1U << 20, 'x');
  for (int i = 0; i < 64; ++i) REQUIRE_FALSE(assembler.add(piece(block, false), backing));
  const auto line = assembler.add(piece("y", false), backing);
  REQUIRE(line);
  CHECK(line->line_bytes == kMaxOpenLineBytes + 1);
  CHECK(line->flags == (wire::log_flags::kTruncated | wire::log_flags::kUnterminated));
  CHECK_FALSE(assembler.open());
}

TEST_CASE("reset forgets the open line") {
  LineAssembler assembler;
  std::string backing;
  CHECK_FALSE(assembler.add(piece("gone", false), backing));
  assembler.reset();
  const auto line = assembler.add(piece("kept", true), backing);
  REQUIRE(line);
  CHECK(line->text == "kept");
}
