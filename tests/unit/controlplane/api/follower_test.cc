#include "controlplane/api/follower.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::api {
namespace {

const AgentId kAgent = AgentId::parse("a").value();
const TenantId kTenant = TenantId::parse("t").value();
const RenderLog kLog = [](const model::LogRow& row, bool) { return row.record.text + ";"; };
const RenderEvent kEvent = [](const model::EventRow& row) { return std::to_string(row.id) + ";"; };

model::LogPosition at(std::uint64_t batch, std::uint32_t index = 0) {
  return {1000, batch, index};
}
model::LogRow row(std::uint64_t batch, const std::string& text, std::uint32_t index = 0) {
  return {kAgent, {"host", wire::LogStream::kStdout, 1, text, 0, 0}, at(batch, index)};
}
model::EventRow event(std::uint64_t id) {
  return {id, kAgent, {}};
}

struct Logs {
  explicit Logs(std::optional<model::LogPosition> head = at(0))
      : follower(kTenant, LogFilter{}, head) {}
  Follower follower;
  std::string all() { return follower.take(1U << 20); }
  void live(std::vector<model::LogRow> rows) { follower.offer(std::move(rows), kLog); }
  void begin(std::vector<model::LogRow> rows, std::optional<model::LogPosition> after = {}) {
    LogPast past;
    for (const auto& one : rows) past.newest = std::max(past.newest, std::optional(one.position));
    past.rows = std::move(rows);
    past.after = after;
    REQUIRE(follower.begin(
        past, "[",
        [](std::size_t count, const model::LogPosition& reached) {
          return "]" + std::to_string(count) + "@" + std::to_string(reached.batch) + ";";
        },
        kLog));
  }
};

TEST_CASE("the head parts the past from what comes live, whatever the query saw") {
  Logs f(at(4));
  f.live({row(3, "c"), row(4, "d")});  // Published before, fanned out after the follower joined
  f.live({row(5, "e")});
  CHECK(f.all() == "");  // Nothing before the past is known
  f.begin({row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d"), row(5, "e")});
  CHECK(f.all() == "[a;b;c;d;]4@4;e;");
  f.live({row(6, "f")});
  CHECK(f.all() == "f;");
}

TEST_CASE("before the first commit the past reaches as far as it was read") {
  Logs f(std::nullopt);
  f.begin({row(1, "a"), row(2, "b")});
  f.live({row(2, "b")});  // The query saw it before it was published
  f.live({row(3, "c")});
  CHECK(f.all() == "[a;b;]2@2;c;");
  Logs empty(std::nullopt);
  empty.begin({});
  empty.live({row(1, "a")});
  CHECK(empty.all() == "[]0@0;a;");
}

TEST_CASE("times decide nothing: equal ones and late ones are delivered, in order of arrival") {
  Logs f(at(2));
  auto late = row(3, "late");
  late.record.ts_ns = -5;
  f.begin({row(1, "x"), row(2, "x")});
  f.live({late});
  f.live({row(4, "x"), row(4, "x", 1)});
  CHECK(f.all() == "[x;x;]2@2;late;x;x;");
}

TEST_CASE("what was cut off the past stays past") {
  Logs f(at(4));
  f.live({row(1, "a"), row(2, "b"), row(3, "c"), row(4, "d")});
  f.begin({row(3, "c"), row(4, "d")});
  CHECK(f.all() == "[c;d;]2@4;");
}

TEST_CASE("a resumed reader gets nothing up to its last row again") {
  Logs f(at(1));  // The hub is younger than the reader
  f.live({row(2, "b"), row(3, "c")});
  f.begin({}, at(2));
  CHECK(f.all() == "[]0@2;c;");
}

TEST_CASE("events are told apart by their ids") {
  Follower follower(kTenant, EventFilter{}, std::nullopt);
  follower.offer({event(4), event(5)}, kEvent);
  follower.offer({event(6)}, kEvent);
  EventPast past;
  past.rows = {event(3), event(4), event(5)};
  past.after_id = 2;
  REQUIRE(follower.begin(past, "[", "]", kEvent));
  follower.offer({event(2), event(7)}, kEvent);
  CHECK(follower.take(1000) == "[3;4;5;]6;7;");
}

TEST_CASE("take() respects its size but always gives a frame") {
  Logs f;
  f.begin({row(0, "aaaa"), row(0, "bbbb")});
  CHECK(f.follower.take(1) == "[");
  CHECK(f.follower.take(1) == "aaaa;");
  CHECK(f.follower.take(11) == "bbbb;]2@0;");
  CHECK(f.follower.take(6) == "");
}

TEST_CASE("a full queue ends the follower after what is queued") {
  Logs f;
  f.begin({});
  CHECK(f.all() == "[]0@0;");
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
  for (std::size_t i = 0; i < Follower::kMaxQueuedFrames; ++i) f.live({row(i + 1, "")});
  CHECK_FALSE(f.follower.lagged());
  f.live({row(Follower::kMaxQueuedFrames + 1, "")});
  CHECK(f.follower.lagged());

  Logs held;
  held.live({row(1, std::string(Follower::kMaxQueuedBytes, 'x'))});
  CHECK(held.follower.lagged());
  held.begin({row(0, "past")});
  CHECK(held.all() == "[past;]1@0;");
}

TEST_CASE("all followers together hold so much and no more") {
  const auto all = std::make_shared<Follower::Memory>(0);
  const std::string line(Follower::kMaxQueuedBytes - 1, 'x');  // With its ';' a whole queue
  constexpr std::size_t kFull = Follower::kMaxBytesOfAll / Follower::kMaxQueuedBytes;
  std::vector<std::unique_ptr<Follower>> followers;
  const auto join = [&] {
    followers.push_back(std::make_unique<Follower>(kTenant, LogFilter{}, at(0), all));
    return followers.back()->begin(
        {}, "", [](std::size_t, const model::LogPosition&) { return ""; }, kLog);
  };
  for (std::size_t i = 0; i < kFull; ++i) {
    REQUIRE(join());
    followers.back()->offer({row(1, line)}, kLog);
    CHECK_FALSE(followers.back()->lagged());
  }
  CHECK(all->load() == Follower::kMaxBytesOfAll);
  REQUIRE(join());
  followers.back()->offer({row(1, "one more")}, kLog);
  CHECK(followers.back()->lagged());
  CHECK(followers[0]->take(Follower::kMaxQueuedBytes).size() == Follower::kMaxQueuedBytes);
  followers.erase(followers.begin() + 1);  // Gone with what it held
  CHECK(all->load() == Follower::kMaxBytesOfAll - 2 * Follower::kMaxQueuedBytes);
  LogPast past;
  past.rows = {row(0, std::string(2 * Follower::kMaxQueuedBytes, 'x'))};
  Follower late(kTenant, LogFilter{}, at(0), all);
  const auto refused = late.begin(
      past, "", [](std::size_t, const model::LogPosition&) { return ""; }, kLog);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kLimit);
  followers.clear();
  CHECK(all->load() == 0);
}

TEST_CASE("what was held before the past counts until it is delivered") {
  const auto all = std::make_shared<Follower::Memory>(0);
  Follower follower(kTenant, LogFilter{}, at(0), all);
  follower.offer({row(1, "a")}, kLog);
  CHECK(all->load() > 0);
  REQUIRE(follower.begin(
      {}, "", [](std::size_t, const model::LogPosition&) { return ""; }, kLog));
  CHECK(all->load() == 2);  // "a;"
  CHECK(follower.take(10) == "a;");
  CHECK(all->load() == 0);
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
  const auto record = row(1, "GET /index").record;
  CHECK(LogFilter{}.matches(record));
  LogFilter filter;
  filter.target = "host";
  filter.grep = "index";
  filter.stream = wire::LogStream::kStdout;
  CHECK(filter.matches(record));
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
