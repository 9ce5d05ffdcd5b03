#include "controlplane/api/follower.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::api {
namespace {

const AgentId kAgent = AgentId::parse("a").value();
const TenantId kTenant = TenantId::parse("t").value();
const RenderLog kLog = [](const model::LogRow& row) { return row.record.text + ";"; };
const RenderEvent kEvent = [](const model::EventRow& row) { return std::to_string(row.id) + ";"; };

model::LogRow row(std::int64_t ts_ns, const std::string& text) {
  return {kAgent, {"host", wire::LogStream::kStdout, ts_ns, text, 0, 0}};
}
model::EventRow event(std::uint64_t id) {
  return {id, kAgent, {}};
}

struct Logs {
  ManualClock clock;
  Follower follower{kTenant, LogFilter{}, clock};
  std::string all() { return follower.take(1U << 20); }
  void live(std::vector<model::LogRow> rows) { follower.offer(std::move(rows), kLog); }
  void begin(std::vector<model::LogRow> rows, std::int64_t complete_after_ns = -1) {
    LogPast past;
    past.rows = std::move(rows);
    past.complete_after_ns = complete_after_ns;
    past.show_after_ns = -1;
    follower.begin(past, "[", "]", kLog);
  }
};

TEST_CASE("commits on either side of the reading of the past come once") {
  Logs f;
  f.live({row(3, "c"), row(4, "d")});  // Visible to the query
  f.live({row(5, "e")});               // Committed after it
  CHECK(f.all() == "");                // Nothing before the past is known
  f.begin({row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")});
  CHECK(f.all() == "[a;b;c;d;]e;");
  f.live({row(6, "f")});
  CHECK(f.all() == "f;");
}

TEST_CASE("a commit that the query saw may be published after it") {
  Logs f;
  f.begin({row(1, "a"), row(2, "b")});
  f.live({row(1, "a"), row(2, "b")});
  f.live({row(3, "c")});
  CHECK(f.all() == "[a;b;]c;");
}

TEST_CASE("equal rows are counted, not merged") {
  Logs f;
  f.begin({row(1, "x"), row(1, "x")});
  f.live({row(1, "x"), row(1, "x")});  // The two of the past
  CHECK(f.all() == "[x;x;]");
  f.live({row(1, "x")});  // A third one
  CHECK(f.all() == "x;");
}

TEST_CASE("a later commit that repeats a row of the past is delivered whole") {
  Logs f;
  f.begin({row(1, "x")});
  f.live({row(1, "x"), row(2, "y")});  // Not in the past: y would have been read with it
  CHECK(f.all() == "[x;]x;y;");
}

TEST_CASE("when only the newest rows were kept, the rest of their commit stays past") {
  Logs f;
  f.live({row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")});
  f.begin({row(3, "c"), row(4, "d")}, 3);
  CHECK(f.all() == "[c;d;]");
  f.live({row(2, "late")});  // Older than what the past can tell about: rather twice than never
  CHECK(f.all() == "late;");
}

TEST_CASE("after the overlap the past is forgotten") {
  Logs f;
  f.begin({row(1, "x")});
  f.clock.advance(Follower::kOverlap);
  f.live({row(1, "x")});
  CHECK(f.all() == "[x;]x;");
}

TEST_CASE("rows that the reader had before are not shown again, nor live") {
  ManualClock clock;
  Follower follower(kTenant, LogFilter{}, clock);
  follower.offer({row(1, "a"), row(2, "b")}, kLog);
  LogPast past;
  past.rows = {row(1, "a"), row(2, "b")};
  past.complete_after_ns = -1;
  past.show_after_ns = 1;
  follower.begin(past, "[", "]", kLog);
  CHECK(follower.take(1000) == "[b;]");
}

TEST_CASE("events are told apart by their ids") {
  ManualClock clock;
  Follower follower(kTenant, EventFilter{}, clock);
  follower.offer({event(4), event(5)}, kEvent);
  follower.offer({event(6)}, kEvent);
  EventPast past;
  past.rows = {event(3), event(4), event(5)};
  past.after_id = 2;
  follower.begin(past, "[", "]", kEvent);
  follower.offer({event(2), event(7)}, kEvent);
  CHECK(follower.take(1000) == "[3;4;5;]6;7;");
}

TEST_CASE("take() respects its size but always gives a frame") {
  Logs f;
  f.begin({row(1, "aaaa"), row(2, "bbbb")});
  CHECK(f.follower.take(1) == "[");
  CHECK(f.follower.take(1) == "aaaa;");
  CHECK(f.follower.take(6) == "bbbb;]");
  CHECK(f.follower.take(6) == "");
}

TEST_CASE("a full queue ends the follower after what is queued") {
  Logs f;
  f.begin({});
  CHECK(f.all() == "[]");
  const std::string half(Follower::kMaxQueuedBytes / 2 - 1, 'x');  // With its ';' exactly half
  f.live({row(1, half)});
  f.live({row(2, half)});
  CHECK_FALSE(f.follower.lagged());
  f.live({row(3, "one more")});
  CHECK(f.follower.lagged());
  f.live({row(4, "unheard")});
  CHECK(f.follower.take(Follower::kMaxQueuedBytes) == half + ";" + half + ";");
  CHECK(f.all() == "");
}

TEST_CASE("the queue is bounded in frames, and before the past is known") {
  Logs f;
  f.begin({});
  f.all();
  for (std::size_t i = 0; i < Follower::kMaxQueuedFrames; ++i)
    f.live({row(static_cast<std::int64_t>(i), "")});
  CHECK_FALSE(f.follower.lagged());
  f.live({row(0, "")});
  CHECK(f.follower.lagged());

  Logs held;
  held.live({row(1, std::string(Follower::kMaxQueuedBytes, 'x'))});
  CHECK(held.follower.lagged());
  held.begin({row(0, "past")});
  CHECK(held.all() == "[past;]");
}

TEST_CASE("one frame may be larger than the whole queue") {
  Logs f;
  f.begin({});
  f.all();
  f.live({row(1, std::string(Follower::kMaxQueuedBytes + 1, 'x'))});
  CHECK_FALSE(f.follower.lagged());
}

TEST_CASE("the reader is woken for rows, for the past and for the end") {
  Logs f;
  int woken = 0;
  f.follower.on_ready([&] { ++woken; });
  f.begin({});
  CHECK(woken == 1);
  f.live({row(1, "a")});
  CHECK(woken == 2);
  f.follower.mark_lagged();
  CHECK(woken == 3);
  f.follower.on_ready(nullptr);
  f.live({row(2, "b")});
  CHECK(woken == 3);
}

TEST_CASE("filters") {
  const auto record = row(5'000'000, "GET /index").record;
  CHECK(LogFilter{}.matches(record));
  LogFilter filter;
  filter.target = "host";
  filter.grep = "index";
  filter.stream = wire::LogStream::kStdout;
  filter.since_ms = 5;
  CHECK(filter.matches(record));
  filter.since_ms = 6;
  CHECK_FALSE(filter.matches(record));
  filter.since_ms = 0;
  filter.grep = "INDEX";
  CHECK_FALSE(filter.matches(record));
  filter.grep = "";
  filter.stream = wire::LogStream::kStderr;
  CHECK_FALSE(filter.matches(record));
  filter.stream.reset();
  filter.target = "unit/x";
  CHECK_FALSE(filter.matches(record));
  wire::Event happened;
  happened.kind = "container.exit";
  happened.target = "host";
  CHECK(EventFilter{}.matches(happened));
  CHECK(EventFilter{AgentId(), "host", "container."}.matches(happened));
  CHECK_FALSE(EventFilter{AgentId(), "", "host."}.matches(happened));
  CHECK_FALSE(EventFilter{AgentId(), "unit/x", ""}.matches(happened));
}

}  // namespace
}  // namespace observeai::controlplane::api
