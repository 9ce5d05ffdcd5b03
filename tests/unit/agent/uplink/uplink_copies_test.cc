// What is believed of an ack when the spool may be a copy, the control plane new, or the ack old.
#include "tests/unit/agent/uplink/uplink_fixture.h"

using namespace observeai;
using namespace observeai::test;
using agent::UplinkState;
using wire::Lane;

TEST_CASE("nothing is forgotten for an ack of another session, which is answered by a hello") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 3);
  world.uplink->on_spool_grew();
  world.settle();
  auto ack = world.ingest.ack();
  ack.session_nonce = {9, 9, 9};
  const auto hellos = world.ingest.hellos.size();
  world.run(seconds(2));
  world.ingest.send(ack);
  world.settle();
  CHECK(world.spool.acknowledges == 0);
  CHECK(world.uplink->state() == UplinkState::kGreeting);
  CHECK(world.ingest.hellos.size() == hellos + 1);
  CHECK(world.uplink->counters().other_session_acks == 1);
  // However many of them come: not a hello for each.
  for (int i = 0; i < 100; ++i) world.broker.inject(world.ingest.sealed(ack));
  world.settle();
  CHECK(world.ingest.hellos.size() == hellos + 1);
  world.ingest.answers = true;
  world.run(seconds(5));
  CHECK(world.uplink->state() == UplinkState::kLive);
  CHECK(world.spool_is_empty());
}

TEST_CASE(
    "a control plane that starts anew gets what was lost with it at once, not after a retry") {
  World world;
  world.go_live();
  world.run(seconds(10));
  world.broker.faults.drop_if = [](const mqtt::Message& m) { return m.topic.ends_with("/up/l2"); };
  world.write_many(Lane::kLogs, 10);
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 0);
  world.broker.faults.drop_if = nullptr;
  world.ingest.start_anew();
  world.settle();  // No time passes
  CHECK(world.committed(Lane::kLogs) == 10);
  CHECK(world.spool_is_empty());
  CHECK(world.uplink->state() == UplinkState::kLive);
}

TEST_CASE(
    "old acks that know no session cost a hello and a resend now and then, and nothing else") {
  World world;
  world.go_live();
  auto old = world.ingest.ack();
  old.session_nonce = {};
  world.run(seconds(10));
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 5);
  world.uplink->on_spool_grew();
  world.settle();
  world.ingest.answers = true;
  for (int i = 0; i < 100; ++i) {
    world.broker.inject(world.ingest.sealed(old));
    world.run(milliseconds(200));
  }
  CHECK(world.uplink->counters().hellos <= 25);
  CHECK(world.uplink->counters().batches_resent <= 25);
  CHECK(world.spool_is_empty());
  CHECK(world.committed(Lane::kLogs) == 5);
}

TEST_CASE("a challenge is echoed at once, and by every hello after it") {
  World world;
  world.ingest.challenge = {1};
  world.write_many(Lane::kLogs, 3);
  world.go_live();  // No time passes
  REQUIRE(world.ingest.hellos.size() == 2);
  CHECK(world.ingest.hellos[0].challenge == wire::Nonce16{});
  CHECK(world.ingest.hellos[1].challenge == wire::Nonce16{1});
  CHECK(world.ingest.hellos[1].number > world.ingest.hellos[0].number);
  CHECK(world.spool_is_empty());
  auto ack = world.ingest.ack();
  ack.challenge = world.ingest.challenge = {2};  // Another process was there meanwhile
  world.ingest.send(ack);
  world.run(seconds(301));
  REQUIRE(world.ingest.hellos.size() == 3);
  CHECK(world.ingest.hellos[2].challenge == wire::Nonce16{2});
  CHECK(world.uplink->state() == UplinkState::kLive);
}

TEST_CASE("challenges without end cost a hello a second") {
  World world;
  world.ingest.answers = false;
  world.uplink->start();
  world.settle();
  auto ack = world.ingest.ack();
  ack.session_nonce = {};
  for (int i = 0; i < 200; ++i) {
    ack.challenge = {static_cast<std::uint8_t>(i % 2 + 1)};
    world.broker.inject(world.ingest.sealed(ack));
    world.run(milliseconds(100), milliseconds(100));
  }
  CHECK(world.uplink->counters().hellos <= 23);
  CHECK(world.uplink->counters().hellos >= 15);
}

TEST_CASE("forked: a new epoch with all that was pending, each batch with its origin") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  const auto old = world.spool.state().epoch;
  world.write_many(Lane::kLogs, 4);
  world.write_many(Lane::kControl, 2);
  auto ack = world.ingest.ack();
  ack.forked = true;
  ack.contiguous[2] = 2;  // Of the other copy: nothing of it is believed
  world.ingest.answers = true;
  world.ingest.send(ack);
  world.settle();
  CHECK(world.events.new_epochs == 1);
  CHECK(world.spool.counters().epochs_begun == 1);
  CHECK(world.spool.state().epoch != old);
  CHECK(world.ingest.epoch == world.spool.state().epoch);
  CHECK(world.committed(Lane::kLogs) == 4);
  CHECK(world.committed(Lane::kControl) == 2);
  CHECK(world.spool_is_empty());
  CHECK(world.uplink->counters().forks == 1);

  // The same ack again, from the broker: it speaks of an epoch that is over.
  world.broker.inject(world.ingest.sealed(ack));
  world.settle();
  CHECK(world.spool.counters().epochs_begun == 1);
}

TEST_CASE("forked under another nonce, or none, is not believed") {
  World world;
  world.go_live();
  auto ack = world.ingest.ack();
  ack.forked = true;
  for (const auto nonce : {wire::Nonce16{}, wire::Nonce16{7}}) {
    ack.session_nonce = nonce;
    world.broker.inject(world.ingest.sealed(ack));
    world.run(seconds(10));
  }
  CHECK(world.spool.counters().epochs_begun == 0);
  CHECK(world.uplink->state() == UplinkState::kLive);
}

TEST_CASE("an ack for batches that were never written makes a new epoch, not a deletion") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 3);
  world.uplink->on_spool_grew();
  world.settle();
  auto ack = world.ingest.ack();
  SUBCASE("contiguous") {
    ack.contiguous[2] = 4;
    ack.runs[2].clear();
  }
  SUBCASE("in a run") {
    ack.contiguous[2] = 0;
    ack.runs[2] = {{2, 2}, {4, 9}};
  }
  SUBCASE("as the newest") {
    ack.newest[2] = {4, {1}};
  }
  world.ingest.send(ack);
  world.settle();
  CHECK(world.spool.acknowledges == 0);
  CHECK(world.spool.counters().epochs_begun == 1);
  REQUIRE(world.events.faults.size() == 1);
  CHECK(world.events.faults[0].find("older copy or used twice") != std::string::npos);
}

TEST_CASE("other content under a number of the spool: a new epoch before anything is forgotten") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 3);
  world.uplink->on_spool_grew();
  world.settle();
  const auto mine = wire::content_tag(std::string(100, 'b'));
  auto ack = world.ingest.ack();
  ack.contiguous[2] = 0;
  ack.runs[2].clear();
  ack.newest[2] = {2, mine};
  world.ingest.send(ack);
  world.settle();
  CHECK(world.spool.counters().epochs_begun == 0);
  ack.contiguous[2] = 3;
  ack.newest[2].tag[0] ^= 1;
  world.ingest.send(ack);
  world.settle();
  CHECK(world.spool.counters().epochs_begun == 1);
  CHECK(world.spool.acknowledges == 0);
}

TEST_CASE("an epoch that cannot be begun is tried again; nothing is sent or forgotten until then") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 3);
  world.uplink->on_spool_grew();
  world.settle();
  world.spool.fail_epochs = Error(Errc::kLimit, "disk is full");
  const auto good = world.ingest.ack();
  auto ack = good;
  ack.forked = true;
  world.ingest.send(ack);
  world.ingest.send(good);
  world.settle();
  const auto sent = world.uplink->counters().batches_sent;
  world.write_many(Lane::kLogs, 3);
  world.run(seconds(30));
  CHECK(world.spool.acknowledges == 0);
  CHECK(world.uplink->counters().batches_sent == sent);
  CHECK(world.events.faults.back() == "disk is full");
  world.spool.fail_epochs.reset();
  world.ingest.answers = true;
  world.run(seconds(1));
  CHECK(world.spool.counters().epochs_begun == 1);
  CHECK(world.committed(Lane::kLogs) == 6);
  CHECK(world.spool_is_empty());
}

TEST_CASE("runs of an old ack delay batches at most until the next one, and delete nothing") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.broker.faults.drop_if = [](const mqtt::Message& m) { return m.topic.ends_with("/up/l2"); };
  world.write_many(Lane::kLogs, 9);
  world.uplink->on_spool_grew();
  world.settle();
  world.broker.faults.drop_if = nullptr;
  auto lie = world.ingest.ack();  // As if committed before the control plane's disk was put back
  lie.runs[2] = {{3, 8}};
  world.broker.inject(world.ingest.sealed(lie));
  world.settle();
  CHECK(world.spool.acknowledges == 0);
  world.ingest.answers = true;
  world.run(seconds(60));
  CHECK(world.committed(Lane::kLogs) == 9);
  CHECK(world.spool_is_empty());
}

TEST_CASE("the first hello of a connection tells the tags of what is pending, later ones do not") {
  World world;
  world.write(Lane::kLogs, "one");
  world.write(Lane::kLogs, "two");
  world.spool.lose(Lane::kLogs, 2, {"damaged", {}});
  world.broker.faults.drop_if = [](const mqtt::Message& m) { return m.topic.ends_with("/up/l2"); };
  world.go_live();
  REQUIRE(world.ingest.hellos.size() == 1);
  CHECK(world.ingest.hellos[0].pending[2].oldest ==
        std::vector<wire::ContentTag>{wire::content_tag("one"), wire::ContentTag{}});
  world.run(seconds(301));
  REQUIRE(world.ingest.hellos.size() == 2);
  CHECK(world.ingest.hellos[1].pending[2].oldest.empty());
}

TEST_CASE("a large backlog is not read for a hello, but both its ends are told") {
  World world;
  world.write_many(Lane::kLogs, 300, 20'000);
  world.ingest.answers = false;
  world.uplink->start();
  world.settle();
  const auto& tags = world.ingest.hellos.at(0).pending[2];
  CHECK(tags.oldest.size() == 13);  // 256 KiB of bodies
  CHECK(tags.newest.size() == 8);
  CHECK(tags.newest.back() == wire::content_tag(std::string(20'000, 'a' + 299 % 26)));
}

TEST_CASE("with a backlog fresh data is there at once, and the backlog drains behind it") {
  World world;
  world.write_many(Lane::kLogs, 2000, 20'000);
  world.uplink->start();
  world.broker.run(60);
  REQUIRE(world.uplink->state() == UplinkState::kLive);
  REQUIRE(world.committed(Lane::kLogs) < 100);
  std::uint64_t fresh = 0;
  for (int i = 0; i < 5; ++i) {
    fresh = world.write(Lane::kLogs, "fresh").front();
    world.uplink->on_spool_grew();
    world.broker.run(200);
    CHECK(world.ingest.committed[2].contains(fresh));
  }
  CHECK(world.committed(Lane::kLogs) < 1000);
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 2005);
  CHECK(world.ingest.duplicates == 0);
  CHECK(world.spool_is_empty());
}

TEST_CASE("fresh data of a lane does not wait for the backlog of a lane before it") {
  World world;
  world.write_many(Lane::kMetrics, 2000, 20'000);
  world.uplink->start();
  world.broker.run(60);
  world.write(Lane::kLogs, "fresh");
  world.uplink->on_spool_grew();
  world.broker.run(200);
  CHECK(world.committed(Lane::kLogs) == 1);
  CHECK(world.committed(Lane::kMetrics) < 1000);
}
