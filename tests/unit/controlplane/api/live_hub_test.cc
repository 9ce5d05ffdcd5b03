// The hub and the follow endpoints over the real path: commit -> listener -> hub thread ->
// follower.
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>

#include "controlplane/api/to_json.h"
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

// Reads frames until a condition holds, woken by the follower; gives up after a generous time.
class Reader {
 public:
  explicit Reader(std::shared_ptr<Follower> follower) : follower_(std::move(follower)) {
    follower_->on_ready([this] {
      std::lock_guard lock(mutex_);
      ready_ = true;
      condition_.notify_one();
    });
  }
  ~Reader() { follower_->on_ready(nullptr); }

  template <class Done>
  bool read_until(Done done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (true) {
      const std::string frames = follower_->take(1U << 20);
      text += frames;
      if (done(text)) return true;
      if (!frames.empty()) continue;
      std::unique_lock lock(mutex_);
      if (!condition_.wait_until(lock, end, [this] { return ready_; })) return false;
      ready_ = false;
    }
  }
  std::vector<json::object> events(const std::string& kind) const {
    std::vector<json::object> out;
    const std::string mark = "event: " + kind + "\n";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
      const auto data = text.find("data: ", at) + 6;
      out.push_back(json::parse(text.substr(data, text.find('\n', data) - data)).as_object());
    }
    return out;
  }
  std::string text;

 private:
  std::shared_ptr<Follower> follower_;
  std::mutex mutex_;
  std::condition_variable condition_;
  bool ready_ = true;
};

std::shared_ptr<Follower> follow(Fixture& f, const std::string& target,
                                 const std::string& who = "viewer",
                                 const std::string& last_event_id = "") {
  auto request = f.request("GET", target, who);
  request.last_event_id = last_event_id;
  Reply reply = f.api.handle(request);
  INFO(target << " -> " << reply.body);
  REQUIRE(reply.status == 200);
  REQUIRE(reply.follower);
  CHECK(reply.content_type == "text/event-stream");
  return reply.follower;
}

wire::LogBatch one_line(std::int64_t ts_ns, const std::string& text,
                        const std::string& target = "host") {
  wire::LogBatch batch;
  batch.records.push_back({target, wire::LogStream::kStdout, ts_ns, text, 0, 0});
  return batch;
}

auto has(const std::string& word) {
  return [word](const std::string& text) { return text.find(word) != std::string::npos; };
}

TEST_CASE("a follower gets the past, the word live, and what is committed") {
  Fixture f;
  Reader reader(follow(f, "/v1/logs/follow?target=shop-frontend-1&tail=2"));
  REQUIRE(reader.read_until(has("event: live")));
  CHECK(reader.events("log").size() == 2);
  CHECK(reader.events("live")[0].at("rows").as_int64() == 2);
  f.telemetry.commit_logs(f.web1, one_line(f.now_ms * 1'000'000, "unwanted"));
  f.telemetry.commit_logs(
      f.web1, one_line(f.now_ms * 1'000'000, "wanted", "container/" + container_id('a')));
  REQUIRE(reader.read_until(has("wanted")));
  const auto last = reader.events("log").back();
  CHECK(last.at("text").as_string() == "wanted");
  CHECK(last.at("hostname").as_string() == "web1");
  CHECK(last.at("name").as_string() == "shop-frontend-1");
  CHECK(reader.text.find("unwanted") == std::string::npos);
}

TEST_CASE("nothing of another tenant, nor of an unknown agent, is followed") {
  Fixture f;
  Reader reader(follow(f, "/v1/logs/follow?tail=0"));
  f.telemetry.commit_logs(f.stranger, one_line(f.now_ms * 1'000'000, "stranger"));
  f.telemetry.commit_logs(agent_id("unknown"), one_line(f.now_ms * 1'000'000, "unknown"));
  f.telemetry.commit_logs(f.db1, one_line(f.now_ms * 1'000'000, "mine"));
  REQUIRE(reader.read_until(has("mine")));
  CHECK(reader.events("log").size() == 1);
}

TEST_CASE("a new container gets its name as soon as the store knows it") {
  Fixture f;
  Reader reader(follow(f, "/v1/logs/follow?tail=0"));
  f.telemetry.commit_logs(f.web1,
                          one_line(f.now_ms * 1'000'000, "first"));  // Names of web1 are read now
  REQUIRE(reader.read_until(has("first")));
  auto inventory = f.telemetry.inventory(f.web1).value().value();
  inventory.containers[0].id = container_id('7');
  inventory.containers[0].name = "newborn";
  f.telemetry.put_inventory(inventory, f.home);
  CHECK(f.live.names().name(f.web1, "container/" + container_id('7')) ==
        "container/" + container_id('7'));
  f.manual.advance(NameBook::kRetry);
  CHECK(f.live.names().name(f.web1, "container/" + container_id('7')) == "newborn");
}

// The id that a client holds after these frames.
std::string last_id(const std::string& frames) {
  const auto found = frames.rfind("\nid: ");
  if (found == std::string::npos) return "";
  const auto begin = found + 5;
  return frames.substr(begin, frames.find('\n', begin) - begin);
}

TEST_CASE("a broken log stream goes on with what arrived since, however old that is") {
  Fixture f;
  const auto second = std::int64_t{1'000'000'000};
  const auto now_ns = f.now_ms * 1'000'000;
  std::string id;
  {
    Reader reader(follow(f, "/v1/logs/follow?target=host&tail=10"));
    REQUIRE(reader.read_until(has("event: live")));
    f.telemetry.commit_logs(f.web1, one_line(now_ns - second, "first"));
    REQUIRE(reader.read_until(has("first")));
    id = last_id(reader.text);
  }
  CHECK(parse_position(id));
  // While nobody listens: another host's row of before, one of the same moment, one of last week.
  f.telemetry.commit_logs(f.db1, one_line(now_ns - 3 * second, "late"));
  f.telemetry.commit_logs(f.db1, one_line(now_ns - second, "equal"));
  f.telemetry.commit_logs(f.db1, one_line(now_ns - 7 * 24 * 3600 * second, "very late"));
  Reader again(follow(f, "/v1/logs/follow?target=host&since=10m&tail=0", "viewer", id));
  REQUIRE(again.read_until(has("event: live")));
  CHECK(again.events("log").size() == 3);
  for (const std::string word : {"\"late\"", "\"equal\"", "\"very late\""})
    CHECK(again.text.find(word) != std::string::npos);
  CHECK(again.text.find("first") == std::string::npos);
  f.telemetry.commit_logs(f.web1, one_line(now_ns - 5 * second, "next"));
  REQUIRE(again.read_until(has("next")));
  CHECK(again.events("log").size() == 4);
}

TEST_CASE("a stream that breaks in its past resumes without a gap; the past has no ids") {
  Fixture f;
  Reader reader(follow(f, "/v1/logs/follow?tail=2"));
  REQUIRE(reader.read_until(has("event: live")));
  CHECK(reader.text.find("\nid: ") > reader.text.find("event: live"));
  f.telemetry.commit_logs(f.web1, one_line(f.now_ms * 1'000'000, "new"));
  Reader again(follow(f, "/v1/logs/follow", "viewer", last_id(reader.text)));
  REQUIRE(again.read_until(has("event: live")));
  CHECK(again.events("log").size() == 1);
  CHECK(again.text.find("new") != std::string::npos);
}

TEST_CASE("whoever breaks and resumes under concurrent commits gets each row once") {
  Fixture f;
  constexpr int kCommits = 400;
  std::thread writer([&] {
    for (int c = 0; c < kCommits; ++c) {
      // Two hosts whose clocks disagree, several rows of one time.
      wire::LogBatch batch;
      for (int r = 0; r < 3; ++r) {
        batch.records.push_back({"host", wire::LogStream::kStdout,
                                 f.now_ms * 1'000'000 - (c % 5) * 1'000'000'000LL,
                                 "row-" + std::to_string(c) + "-" + std::to_string(r), 0, 0});
      }
      f.telemetry.commit_logs(c % 2 == 0 ? f.web1 : f.db1, batch);
      std::this_thread::yield();
    }
  });
  std::multiset<std::string> seen;
  std::string id;
  while (seen.size() < kCommits * 3) {
    Reader reader(follow(f, "/v1/logs/follow?grep=row-&tail=10000", "viewer", id));
    const auto before = seen.size();
    // A few frames, then the connection breaks.
    REQUIRE(reader.read_until([&](const std::string& text) {
      return text.find("event: live") != std::string::npos &&
             (reader.events("log").size() >= 10 ||
              before + reader.events("log").size() >= kCommits * 3);
    }));
    for (const auto& row : reader.events("log")) seen.emplace(row.at("text").as_string());
    id = last_id(reader.text);
  }
  writer.join();
  CHECK(seen.size() == kCommits * 3);
  CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == kCommits * 3);
}

TEST_CASE("positions as ids") {
  const model::LogPosition position{1'763'700'000'000, 18'446'744'073'709'551'615U, 4'294'967'295U};
  CHECK(parse_position(format_position(position)) == position);
  for (const std::string bad :
       {"", "1", "1.2", "1.2.3.4", "a.2.3", "1.-2.3", "1.2.4294967296", "1..3"})
    CHECK_FALSE(parse_position(bad));
  Fixture f;
  auto request = f.request("GET", "/v1/logs/follow");
  request.last_event_id = "1763700000000000000";
  const Reply reply = f.api.handle(request);
  CHECK(reply.status == 400);
  CHECK(reply.body.find("Last-Event-ID") != std::string::npos);
  CHECK(f.live.counters().followers == 0);
}

TEST_CASE("an id that no store gives out is refused before the store sees it") {
  Fixture f;
  const auto status = [&](const char* path, const std::string& id) {
    auto request = f.request("GET", path);
    request.last_event_id = id;
    return f.api.handle(request).status;
  };
  const std::string most = "9223372036854775807";
  const std::string more = "9223372036854775808";
  CHECK(status("/v1/events/follow", most) == 200);
  CHECK(status("/v1/events/follow", more) == 400);
  CHECK(status("/v1/events/follow", "nonsense") == 400);
  CHECK(status("/v1/logs/follow", "0." + most + ".0") == 200);
  CHECK(status("/v1/logs/follow", "0." + more + ".0") == 400);
  CHECK(status("/v1/logs/follow", "-1.0.0") == 400);
  CHECK(f.live.counters().followers == 0);
}

TEST_CASE("events resume after an id, from the header or the parameter") {
  Fixture f;
  std::vector<wire::Event> events(5);
  for (auto& event : events) {
    event.kind = "test";
    event.ts_ms = f.now_ms;
  }
  f.telemetry.commit_events(f.web1, events);  // Ids 3 to 7
  Reader reader(follow(f, "/v1/events/follow?kind=test&tail=1", "viewer", "4"));
  REQUIRE(reader.read_until(has("event: live")));
  REQUIRE(reader.events("event").size() == 3);
  CHECK(reader.events("event")[0].at("id").as_string() == "5");
  CHECK(reader.text.find("id: 7\n") != std::string::npos);
  f.telemetry.commit_events(f.web1, {events[0]});
  REQUIRE(reader.read_until(has("id: 8\n")));
  Reader by_parameter(follow(f, "/v1/events/follow?kind=test&after_id=6"));
  REQUIRE(by_parameter.read_until(has("event: live")));
  CHECK(by_parameter.events("event").size() == 2);
}

TEST_CASE("under concurrent commits every row comes exactly once, whenever the follower joins") {
  Fixture f;
  constexpr int kWriters = 3;
  constexpr int kCommits = 150;
  constexpr int kRows = 4;
  std::atomic<bool> joined = false;
  std::vector<std::thread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int c = 0; c < kCommits; ++c) {
        wire::LogBatch batch;
        for (int r = 0; r < kRows; ++r) {
          // Rows of one commit share a time: the order of time tells nothing about commits.
          batch.records.push_back(
              {"host", wire::LogStream::kStdout, f.now_ms * 1'000'000 + c,
               "row-" + std::to_string(w) + "-" + std::to_string(c) + "-" + std::to_string(r), 0,
               0});
        }
        f.telemetry.commit_logs(w == 0 ? f.db1 : f.web1, batch);
        if (c == kCommits / 3) joined.wait(false);  // The follower joins in the middle
      }
    });
  }
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < 8; ++i) {
    readers.push_back(
        std::make_unique<Reader>(follow(f, "/v1/logs/follow?target=host&tail=10000&grep=row-")));
    joined = true;
    joined.notify_all();
  }
  for (auto& writer : writers) writer.join();
  constexpr std::size_t kAll = kWriters * kCommits * kRows;
  for (auto& reader : readers) {
    std::set<std::string> once;
    std::size_t rows = 0;
    const bool complete = reader->read_until([&](const std::string&) {
      const auto events = reader->events("log");
      rows = events.size();
      once.clear();
      for (const auto& event : events) once.insert(std::string(event.at("text").as_string()));
      return once.size() >= kAll;
    });
    CHECK(complete);
    CHECK(once.size() == kAll);  // No gap
    CHECK(rows == kAll);         // No repeat
  }
}

TEST_CASE("followers are bounded, counted, and give their place back") {
  Fixture f;
  std::vector<std::shared_ptr<Follower>> followers;
  for (std::size_t i = 0; i < LiveHub::kMaxFollowers; ++i) {
    followers.push_back(f.live.follow(f.home, LogFilter{}).value());
  }
  const auto error = f.refused(503, "GET", "/v1/logs/follow");
  CHECK(error.at("code").as_string() == "limit");
  CHECK(f.live.counters().followers == LiveHub::kMaxFollowers);
  CHECK(f.live.counters().refused == 1);
  followers.pop_back();
  CHECK(f.send("GET", "/v1/logs/follow").status == 200);
}

TEST_CASE("a commit that does not fit the hub's queue tells every follower") {
  Fixture f;
  const auto follower = f.live.follow(f.home, LogFilter{}).value();
  f.telemetry.commit_logs(f.web1, one_line(1, std::string(LiveHub::kMaxQueuedBytes, 'x')));
  CHECK(follower->lagged());
  CHECK(f.live.counters().overflows == 1);
}

TEST_CASE("without followers a commit is not copied") {
  Fixture f;
  f.telemetry.commit_logs(f.web1, one_line(1, std::string(LiveHub::kMaxQueuedBytes, 'x')));
  CHECK(f.live.counters().overflows == 0);
}

TEST_CASE("a follower may outlive the hub") {
  std::shared_ptr<Follower> follower;
  {
    Fixture f;
    follower = f.live.follow(f.home, LogFilter{}).value();
  }
  CHECK(follower->take(1) == "");
}

}  // namespace
}  // namespace observeai::controlplane::api
