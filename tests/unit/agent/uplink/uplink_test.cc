// The uplink's way through its states, its limits and its orders.
#include "tests/unit/agent/uplink/uplink_fixture.h"

#include "protocol/wire/batch_codec.h"

using namespace observeai;
using namespace observeai::test;
using agent::Uplink;
using agent::UplinkState;
using wire::Lane;

TEST_CASE("connects, greets, goes live, sends what is there and forgets it on the ack") {
  World world;
  world.write(Lane::kLogs, "one");
  world.write(Lane::kLogs, "two");
  world.go_live();
  CHECK(world.events.states ==
        std::vector<std::string>{"connecting", "subscribing", "greeting", "live"});
  CHECK(world.ingest.committed[2] == std::map<std::uint64_t, std::string>{{1, "one"}, {2, "two"}});
  CHECK(world.spool_is_empty());
  CHECK(world.uplink->counters().batches_acked == 2);
  CHECK(world.uplink->counters().in_flight_bytes == 0);
  CHECK(world.uplink->counters().batches_resent == 0);
}

TEST_CASE("the hello tells what the agent and the spool are, and comes every five minutes") {
  World world;
  world.write(Lane::kMetrics, "m");
  world.ingest.answers = true;
  world.go_live();
  REQUIRE(world.ingest.hellos.size() == 1);
  const auto hello = world.ingest.hellos.front();
  CHECK(hello.agent == world.address.agent);
  CHECK(hello.epoch == world.spool.state().epoch);
  CHECK(hello.session_nonce == world.uplink->session_nonce());
  CHECK(hello.session_nonce != wire::Nonce16{});
  CHECK(hello.next_seq == std::array<std::uint64_t, 4>{1, 2, 1, 1});
  CHECK(hello.oldest_seq == std::array<std::uint64_t, 4>{1, 1, 1, 1});
  CHECK(hello.spool_bytes == 1);
  CHECK(hello.wall_time_ms == world.clock.unix_ms());
  CHECK(hello.agent_version == "1.2.3");
  CHECK(hello.counters.at("own") == 4);
  CHECK(hello.counters.contains("uplink_reconnects"));
  world.run(seconds(299));
  CHECK(world.ingest.hellos.size() == 1);
  world.run(seconds(2));
  CHECK(world.ingest.hellos.size() == 2);
}

TEST_CASE("new data goes out at once, not with the next tick") {
  World world;
  world.go_live();
  world.write(Lane::kLogs, "fresh");
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 1);
}

TEST_CASE("data written without a word goes out with the next tick") {
  World world;
  world.go_live();
  world.write(Lane::kLogs, "quiet");
  world.run(milliseconds(200));
  CHECK(world.committed(Lane::kLogs) == 1);
}

TEST_CASE("lanes drain by priority") {
  World world;
  world.write_many(Lane::kTraces, 20);
  world.write_many(Lane::kLogs, 20);
  world.write_many(Lane::kMetrics, 20);
  world.write_many(Lane::kControl, 20);
  world.go_live();
  world.run(seconds(1));
  REQUIRE(world.ingest.order.size() == 80);
  CHECK(std::is_sorted(world.ingest.order.begin(), world.ingest.order.end()));
}

TEST_CASE("an urgent batch overtakes a backlog that is being sent") {
  World world;
  world.go_live();
  world.write_many(Lane::kLogs, 200);
  world.uplink->on_spool_grew();
  world.broker.run(/*limit=*/12);
  CHECK(world.committed(Lane::kLogs) < 100);
  world.write(Lane::kControl, "oom");
  world.settle();
  const auto at = std::find(world.ingest.order.begin(), world.ingest.order.end(),
                            std::pair<int, std::uint64_t>{0, 1});
  REQUIRE(at != world.ingest.order.end());
  CHECK(at - world.ingest.order.begin() < 60);
}

TEST_CASE("never more than the window is open") {
  World world;
  world.broker.faults.confirm = false;
  world.write_many(Lane::kLogs, 100);
  world.uplink->start();
  world.settle();
  CHECK(world.client->in_flight() == mqtt::kMaxInFlight);
  CHECK(world.committed(Lane::kLogs) == mqtt::kMaxInFlight - 1);  // One is the hello.
}

TEST_CASE("before the first ack only the hello is sent, however much the broker confirms") {
  World world;
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 100, 10'000);
  world.uplink->start();
  world.settle();
  world.run(seconds(5));
  CHECK(world.uplink->state() == UplinkState::kGreeting);
  CHECK(world.uplink->counters().in_flight_bytes == 0);
  CHECK(world.uplink->counters().hellos > 1);
  CHECK(!world.spool_is_empty());
  CHECK(world.spool.acknowledges == 0);
}

TEST_CASE("credit of the ack is kept exactly") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  wire::Ack ack = world.ingest.ack();
  ack.credit_bytes = 50'000;
  world.ingest.send(ack);
  world.settle();
  world.write_many(Lane::kLogs, 20, 10'000);
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 4);
  CHECK(world.uplink->counters().in_flight_bytes <= 50'000);
  world.ingest.send([&] {
    auto more = world.ingest.ack();
    more.credit_bytes = 50'000;
    return more;
  }());
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 8);
}

TEST_CASE("a batch larger than the whole credit still passes, alone") {
  World world;
  world.ingest.credit = 1000;
  world.go_live();
  world.write_many(Lane::kLogs, 3, 300'000);
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 3);
  CHECK(world.spool_is_empty());
}

TEST_CASE("credit 0 stops everything; the hello asks until there is credit again") {
  World world;
  world.ingest.credit = 0;
  world.go_live();
  world.write(Lane::kControl, "x");
  world.uplink->on_spool_grew();
  world.run(seconds(5));
  CHECK(world.committed(Lane::kControl) == 0);
  world.ingest.credit = kModelCredit;
  world.run(seconds(21));
  CHECK(world.committed(Lane::kControl) == 1);
  CHECK(world.spool_is_empty());
}

TEST_CASE("no answer to the hello: it is said again, with growing waits") {
  World world;
  world.ingest.answers = false;
  world.uplink->start();
  world.settle();
  world.run(agent::Uplink::kGreetingPatience - seconds(1));
  CHECK(world.ingest.hellos.size() >= 6);
  CHECK(world.ingest.hellos.size() <= 15);
  CHECK(world.uplink->state() == UplinkState::kGreeting);
  // Another broker may be the one that leads there.
  world.run(seconds(3));
  CHECK(world.uplink->counters().connects == 2);
  world.ingest.answers = true;
  world.run(seconds(61));
  CHECK(world.uplink->state() == UplinkState::kLive);
}

TEST_CASE("waits between attempts grow up to a minute, anywhere below it") {
  World world;
  world.broker.set_reachable(false);
  world.uplink->start();
  world.settle();
  CHECK(world.uplink->state() == UplinkState::kBackingOff);
  CHECK(world.events.last_reason == "broker cannot be reached");
  world.run(agent::Uplink::kFirstWait);
  CHECK(world.client->connects >= 2);
  const int early = world.client->connects;
  world.run(seconds(3600));
  const int in_an_hour = world.client->connects - early;
  CHECK(in_an_hour >= 60);
  CHECK(in_an_hour <= 180);
  world.broker.set_reachable(true);
  world.run(seconds(61));
  CHECK(world.uplink->state() == UplinkState::kLive);
}

TEST_CASE("the wait grows while connections are made but never become live") {
  World world;
  world.ingest.answers = false;
  world.uplink->start();
  world.settle();
  for (int i = 0; i < 8; ++i) {
    world.broker.kill();
    world.ingest.connect(world.broker);
    world.run(seconds(61));
  }
  int early = 0;  // Of waits anywhere below a minute
  for (int i = 0; i < 20; ++i) {
    const int before = world.client->connects;
    world.broker.kill();
    world.run(agent::Uplink::kFirstWait);
    early += world.client->connects - before;
    world.ingest.connect(world.broker);
    world.run(seconds(61));
  }
  CHECK(early <= 6);
}

TEST_CASE("the certificate is read again for each connection") {
  World world;
  world.go_live();
  CHECK(world.client->identity().certificate_file == "first.pem");
  world.certificate = "renewed.pem";
  world.broker.kill();
  world.ingest.connect(world.broker);
  world.run(agent::Uplink::kFirstWait + seconds(1));
  CHECK(world.uplink->state() == UplinkState::kLive);
  CHECK(world.client->identity().certificate_file == "renewed.pem");
  CHECK(world.uplink->counters().reconnects == 1);
}

TEST_CASE("an unreadable identity is a fault told once, and tried again") {
  World world;
  world.identity_error = Error(Errc::kNotFound, "no certificate");
  world.uplink->start();
  world.run(seconds(30));
  CHECK(world.events.faults == std::vector<std::string>{"no certificate"});
  world.identity_error.reset();
  world.run(seconds(61));
  CHECK(world.uplink->state() == UplinkState::kLive);
}

TEST_CASE("needs of the control plane are passed on once for each hello") {
  World world;
  world.ingest.need_series = true;
  world.ingest.need_inventory = true;
  world.write_many(Lane::kLogs, 10);
  world.go_live();
  CHECK(world.events.need_series == 1);
  CHECK(world.events.need_inventory == 1);
  world.run(seconds(301));
  CHECK(world.events.need_series == 2);
}

TEST_CASE("server time is told only when it answers this process's hello, and only forward") {
  World world;
  world.go_live();
  CHECK(world.events.server_times == std::vector<std::int64_t>{5'000'000});
  auto ack = world.ingest.ack();
  ack.server_time_ms = 6'000'000;
  ack.session_nonce = {};  // Could be a year old
  world.ingest.send(ack);
  ack.session_nonce = {9, 9};
  world.ingest.send(ack);
  world.settle();
  ack.session_nonce = world.uplink->session_nonce();
  ack.server_time_ms = 4'000'000;
  world.ingest.send(ack);
  world.settle();
  CHECK(world.events.server_times.size() == 1);
  ack.server_time_ms = 6'000'001;
  world.ingest.send(ack);
  world.settle();
  CHECK(world.events.server_times == std::vector<std::int64_t>{5'000'000, 6'000'001});
}

TEST_CASE("stop is quiet, start goes on") {
  World world;
  world.go_live();
  world.uplink->stop();
  CHECK(world.uplink->state() == UplinkState::kIdle);
  world.write(Lane::kLogs, "later");
  world.uplink->on_spool_grew();
  world.run(seconds(120));
  CHECK(world.committed(Lane::kLogs) == 0);
  world.uplink->start();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 1);
}

TEST_CASE("a spool that cannot be read or told is a fault told once, and tried again") {
  World world;
  world.go_live();
  world.spool.fail_reads = Error(Errc::kUnavailable, "disk is away");
  world.write(Lane::kLogs, "x");
  world.run(seconds(3));
  CHECK(world.events.faults == std::vector<std::string>{"disk is away"});
  world.spool.fail_reads.reset();
  world.spool.fail_acknowledges = Error(Errc::kUnavailable, "database is busy");
  world.run(seconds(1));
  CHECK(world.committed(Lane::kLogs) == 1);
  CHECK(!world.spool_is_empty());
  CHECK(world.events.faults.back() == "database is busy");
  world.spool.fail_acknowledges.reset();
  world.run(seconds(1));
  CHECK(world.spool_is_empty());
  CHECK(world.events.faults.size() == 2);
}

TEST_CASE("a batch beyond the broker's limit is declared lost, what is behind it goes on") {
  World world;
  world.go_live();
  agent::PendingBatch counted;
  counted.lane = Lane::kLogs;
  counted.n = 3;
  counted.body = std::string(wire::kMaxSealedBytes, 'x');
  counted.counts = {{"log/a", 2, 20}, {"log/b", 1, 10}};
  agent::CommitUnit unit;
  unit.batches = {counted};
  REQUIRE(world.spool.commit(unit));
  world.write(Lane::kLogs, "behind");
  world.write(Lane::kTraces, "beside");
  world.run(seconds(5));
  CHECK(world.committed(Lane::kLogs) == 2);
  CHECK(world.committed(Lane::kTraces) == 1);
  REQUIRE(world.ingest.losses.size() == 1);
  CHECK(world.ingest.losses[0] ==
        wire::LossNotice{"oversized", {{"log/a", 2, 20}, {"log/b", 1, 10}}});
  REQUIRE(world.events.faults.size() == 1);
  CHECK(world.events.faults[0].find("declared lost") != std::string::npos);
  CHECK(world.uplink->counters().batches_oversized == 1);
  CHECK(world.spool_is_empty());
}

TEST_CASE("a loss notice of the spool travels under its number") {
  World world;
  const wire::LossNotice notice{"evicted", {{"log/a", 7, 70}}};
  world.write(Lane::kLogs, "gone");
  world.write(Lane::kLogs, "kept");
  world.spool.lose(Lane::kLogs, 1, notice);
  world.go_live();
  CHECK(world.ingest.losses == std::vector<wire::LossNotice>{notice});
  CHECK(world.spool_is_empty());
}
