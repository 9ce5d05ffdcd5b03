// Event streams over real sockets: complete under load, slow readers cut off, quiet ones kept.
#include <set>
#include <thread>

#include "tests/integration/api/api_server_fixture.h"

namespace observeai::controlplane::api {
namespace {

using namespace std::chrono_literals;

wire::LogBatch lines(std::int64_t ts_ms, const std::string& mark, int count,
                     std::size_t padding = 0) {
  wire::LogBatch batch;
  for (int i = 0; i < count; ++i) {
    batch.records.push_back({"host", wire::LogStream::kStdout, ts_ms * 1'000'000 + i,
                             mark + std::to_string(i) + " " + std::string(padding, 'x'), 0, 0});
  }
  return batch;
}

TEST_CASE("past and live rows arrive once each while commits go on") {
  ServerFixture f;
  const auto now_ms = f.world.now_ms;
  std::atomic<int> committed = 0;
  constexpr int kCommits = 300;
  std::thread writer([&] {
    for (int c = 0; c < kCommits; ++c) {
      f.world.telemetry.commit_logs(f.world.web1,
                                    lines(now_ms + c % 7, "c" + std::to_string(c) + "-", 3));
      committed = c + 1;
      if (c % 10 == 0) std::this_thread::sleep_for(2ms);  // The rate of a real source
    }
  });
  CHECK(eventually([&] { return committed > kCommits / 3; }));
  std::multiset<std::string> seen;
  const auto done = f.client()->stream(
      f.request("/v1/logs/follow?target=host&host=web1&tail=10000"),
      [&](const http::ServerSentEvent& event) {
        if (event.event == "log") seen.insert(event.data);
        return seen.size() < kCommits * 3;
      },
      10s);
  writer.join();
  CHECK(done);
  CHECK(seen.size() == kCommits * 3);
  CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == kCommits * 3);
}

TEST_CASE("a quiet stream is kept alive by comments") {
  ApiServer::Options options;
  options.deadlines.keepalive = 50ms;
  ServerFixture f(options);
  RawClient client(f.server->port());
  REQUIRE(client.send("GET /v1/events/follow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                      f.world.keys["viewer"] + "\r\n\r\n"));
  const std::string text = client.receive("keep-alive\n\n\r\ne\r\n: keep-alive");
  CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(text.find("Content-Type: text/event-stream\r\n") != std::string::npos);
  CHECK(text.find("Transfer-Encoding: chunked\r\n") != std::string::npos);
}

TEST_CASE("a reader that stops reading is cut off; the committer and others go on") {
  ApiServer::Options options;
  options.deadlines.write = 60s;
  ServerFixture f(options);
  RawClient slow(f.server->port());
  REQUIRE(slow.send("GET /v1/logs/follow?tail=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                    f.world.keys["viewer"] + "\r\n\r\n"));
  slow.receive("event: live");
  // A quick reader beside it, which gets everything.
  std::atomic<int> got = 0;
  std::atomic<bool> following = false;
  constexpr int kCommits = 60;
  std::thread quick([&] {
    const auto result = f.client()->stream(
        f.request("/v1/logs/follow?tail=0"),
        [&](const http::ServerSentEvent& event) {
          following = true;
          got += event.event == "log" ? 1 : 0;
          return got < kCommits;
        },
        20s);
    CHECK(result);
  });
  CHECK(eventually([&] { return following.load(); }));
  auto longest = std::chrono::steady_clock::duration::zero();
  for (int c = 0; c < kCommits; ++c) {
    const auto start = std::chrono::steady_clock::now();
    f.world.telemetry.commit_logs(f.world.web1, lines(f.world.now_ms, "c", 1, 512U << 10));
    longest = std::max(longest, std::chrono::steady_clock::now() - start);
    CHECK(eventually([&] { return got > c - 8; }));  // The quick reader's pace
  }
  quick.join();
  CHECK(got == kCommits);
  CHECK(longest < 1s);
  // Only now the slow one reads: what was queued, then that it lagged, then the end.
  const std::string rest = slow.receive("0\r\n\r\n");
  CHECK(rest.find("event: lagged\n") != std::string::npos);
  CHECK(rest.size() < kCommits * (512U << 10));
  CHECK(eventually([&] { return f.server->counters().lagged_followers == 1; }));
}

TEST_CASE("a reader that never reads again is closed by the write deadline") {
  ApiServer::Options options;
  options.deadlines.write = 500ms;
  ServerFixture f(options);
  RawClient stuck(f.server->port());
  REQUIRE(stuck.send("GET /v1/logs/follow?tail=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                     f.world.keys["viewer"] + "\r\n\r\n"));
  stuck.receive("event: live");
  CHECK(eventually([&] {
    f.world.telemetry.commit_logs(f.world.web1, lines(f.world.now_ms, "c", 1, 512U << 10));
    return f.server->counters().timeouts == 1;
  }));
  CHECK(eventually([&] {
    return f.server->counters().connections == 0 && f.world.live.counters().followers == 0;
  }));
}

TEST_CASE("a stream ends soon after its key was revoked or has expired") {
  ApiServer::Options options;
  options.deadlines.recheck = 50ms;
  ServerFixture f(options);
  const auto now_ms = system_clock().unix_ms();
  const auto revoked =
      f.world.access.create_key("system", "a", f.world.home, model::Role::kViewer, 0).value();
  const auto expiring =
      f.world.access.create_key("system", "b", f.world.home, model::Role::kViewer, now_ms + 1500)
          .value();
  for (const auto& key : {revoked, expiring}) {
    for (const bool busy : {false, true}) {
      CAPTURE(key.record.user);
      CAPTURE(busy);
      RawClient client(f.server->port());
      REQUIRE(
          client.send("GET /v1/logs/follow?tail=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " +
                      key.text + "\r\n\r\n"));
      if (key.record.user == "a" || !busy) client.receive("event: live");
      std::atomic<bool> stop = false;
      std::thread writer([&] {
        while (busy && !stop) {
          f.world.telemetry.commit_logs(f.world.web1, lines(f.world.now_ms, "c", 1));
          std::this_thread::sleep_for(2ms);
        }
      });
      if (key.record.user == "a" && busy)
        REQUIRE(f.world.access.revoke_key("system", f.world.home, key.record.id));
      const bool first_of_a = key.record.user == "a" && !busy;
      if (first_of_a) {
        // A valid key keeps its stream over many checks.
        std::this_thread::sleep_for(300ms);
        CHECK(f.server->counters().connections >= 1);
        client.close();
      } else if (key.record.user == "b" && busy) {
        CHECK(client.status() == 401);  // Expired while the quiet one was followed
      } else {
        const std::string rest = client.receive("0\r\n\r\n");
        CHECK(rest.find("event: closed\n") != std::string::npos);
      }
      stop = true;
      writer.join();
    }
  }
  CHECK(eventually([&] { return f.world.live.counters().followers == 0; }));
}

TEST_CASE("following needs a key; a full house is said") {
  ServerFixture f;
  const auto refused = f.client()->stream(
      f.request("/v1/logs/follow", ""), [](const auto&) { return true; }, 1s);
  REQUIRE(refused);
  CHECK(refused->status == 401);
  std::vector<std::shared_ptr<Follower>> others;
  for (std::size_t i = 0; i < LiveHub::kMaxFollowers; ++i)
    others.push_back(f.world.live.follow(f.world.home, LogFilter{}).value());
  const auto full = f.client()->stream(
      f.request("/v1/logs/follow"), [](const auto&) { return true; }, 1s);
  REQUIRE(full);
  CHECK(full->status == 503);
}

}  // namespace
}  // namespace observeai::controlplane::api
