#include "agent/journal/journal_cursor.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

const std::string kCursor =
    "s=72f4a1b2c3d4e5f60718293a4b5c6d7e;i=4ece7;b=6c7c6013a26343b29e964691ff25d04c;"
    "m=4fc72436e;t=4c508a72423d9;x=d3e5610681098c10";

}  // namespace

TEST_CASE("a cursor of libsystemd is read and written back byte by byte") {
  const auto cursor = parse_cursor(kCursor);
  REQUIRE(cursor);
  CHECK(cursor->chain == "72f4a1b2c3d4e5f60718293a4b5c6d7e");
  CHECK(cursor->number == 0x4ece7);
  CHECK(cursor->boot == "6c7c6013a26343b29e964691ff25d04c");
  CHECK(cursor->monotonic_us == 0x4fc72436e);
  CHECK(cursor->realtime_us == 0x4c508a72423d9);
  CHECK(cursor->content_hash == 0xd3e5610681098c10);
  CHECK(format_cursor(*cursor) == kCursor);
}

TEST_CASE("what is no cursor is refused") {
  CHECK_FALSE(parse_cursor(""));
  CHECK_FALSE(parse_cursor(kCursor + ";"));
  CHECK_FALSE(parse_cursor(kCursor.substr(0, kCursor.find(";x="))));
  for (const char* bad : {"i=", "i=4ECE7", "i=-1", "i=00000000000000001", "s=1", "i4ece7"}) {
    auto text = kCursor;
    text.replace(text.find("i=4ece7"), 7, bad);
    CHECK_FALSE_MESSAGE(parse_cursor(text), bad);
  }
  auto short_id = kCursor;
  short_id.erase(2, 1);
  CHECK_FALSE(parse_cursor(short_id));
  CHECK(parse_cursor("x").error().code() == Errc::kCorrupt);
}

TEST_CASE("an entry that journald moved from /run to /var is known again") {
  const auto in_run = parse_cursor(kCursor).value();
  auto in_var = in_run;
  in_var.chain = "00000000000000000000000000000001";
  in_var.number = 7;
  CHECK(in_run != in_var);
  CHECK(is_same_entry(in_run, in_var));
  for (const auto change : {0, 1, 2}) {
    auto other = in_run;
    if (change == 0) ++other.monotonic_us;
    if (change == 1) ++other.realtime_us;
    if (change == 2) ++other.content_hash;
    CHECK_FALSE(is_same_entry(in_run, other));
  }
}
