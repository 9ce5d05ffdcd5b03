#include "protocol/http/sse_parser.h"

#include <doctest/doctest.h>

namespace observeai::http {
namespace {

std::vector<ServerSentEvent> parse(std::string_view bytes, std::size_t step) {
  SseParser parser;
  std::vector<ServerSentEvent> events;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    REQUIRE(parser.feed(bytes.substr(at, step), events));
  }
  return events;
}

TEST_CASE("events are the same however the bytes are cut") {
  const std::string_view stream =
      "\xEF\xBB\xBF: hello\n\nevent: log\r\ndata: {\"a\":1}\r\ndata:second\r\nid: 7\r\n\r\n"
      "data\r\rretry: 5\rid: 8\r\r:keep\n\ndata: last\n\ndata: never finished";
  for (const std::size_t step : {1, 2, 3, 5, 7, 1000}) {
    CAPTURE(step);
    const auto events = parse(stream, step);
    REQUIRE(events.size() == 3);
    CHECK(events[0].event == "log");
    CHECK(events[0].data == "{\"a\":1}\nsecond");
    CHECK(events[0].id == "7");
    CHECK(events[1].event == "message");
    CHECK(events[1].data == "");
    CHECK(events[1].id == "7");
    CHECK(events[2].data == "last");
    CHECK(events[2].id == "8");
  }
}

TEST_CASE("an event may be as long as the limit and no longer") {
  SseParser parser;
  std::vector<ServerSentEvent> events;
  const std::string field = "data: ";
  REQUIRE(parser.feed(field + std::string(kMaxEventBytes - field.size(), 'x'), events));
  REQUIRE(parser.feed("\n\n", events));
  REQUIRE(events.size() == 1);
  CHECK(events[0].data.size() == kMaxEventBytes - field.size());

  SseParser one_line;
  const auto too_long = one_line.feed(std::string(kMaxEventBytes + 1, 'x'), events);
  REQUIRE_FALSE(too_long);
  CHECK(too_long.error().code() == Errc::kLimit);

  SseParser many_lines;
  Result<void> fed;
  std::size_t sent = 0;
  while (fed && sent <= kMaxEventBytes) {
    fed = many_lines.feed("data: " + std::string(1000, 'y') + "\n", events);
    sent += 1000;
  }
  REQUIRE_FALSE(fed);
  CHECK(fed.error().code() == Errc::kLimit);
}

}  // namespace
}  // namespace observeai::http
