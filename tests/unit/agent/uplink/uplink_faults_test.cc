// A broker and a network that lose, repeat, reorder, forge and lie. The oracle is the model ingest.
#include "tests/unit/agent/uplink/uplink_fixture.h"

using namespace observeai;
using namespace observeai::test;
using agent::UplinkState;
using wire::Lane;

TEST_CASE("a broker that confirms everything and delivers nothing makes nobody forget anything") {
  World world;
  world.go_live();
  world.broker.faults.drop = 1;
  world.write_many(Lane::kLogs, 50);
  world.uplink->on_spool_grew();
  world.run(seconds(600));
  CHECK(world.spool.acknowledges == 0);
  CHECK(world.spool.state().oldest_seq[2] == 1);
  CHECK(world.uplink->counters().batches_resent > 0);
  world.broker.faults.drop = 0;
  world.run(seconds(61));
  CHECK(world.committed(Lane::kLogs) == 50);
  CHECK(world.spool_is_empty());
}

TEST_CASE("one lost batch is sent again within 20 s, the rest is not thrown away") {
  World world;
  world.go_live();
  int seen = 0;
  world.broker.faults.drop_if = [&](const mqtt::Message& m) {
    return m.topic.ends_with("/up/l2") && ++seen == 3;
  };
  world.write_many(Lane::kLogs, 10);
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 9);
  CHECK(world.spool.state().oldest_seq[2] == 3);
  world.run(2 * agent::LaneSender::kFirstRetry);
  CHECK(world.committed(Lane::kLogs) == 10);
  CHECK(world.spool_is_empty());
  CHECK(world.ingest.duplicates == 0);  // The ack told which of them were there.
}

TEST_CASE("30 % lost both ways, doubled and reordered: everything arrives exactly once") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    World world(seed);
    world.broker.faults.drop = 0.3;
    world.broker.faults.duplicate = 0.2;
    world.broker.faults.reorder = 0.3;
    world.uplink->start();
    std::array<std::vector<std::string>, wire::kLaneCount> written;
    for (int step = 0; step < 300; ++step) {
      const auto lane = world.random() % wire::kLaneCount;
      written[lane].push_back("lane " + std::to_string(lane) + " step " + std::to_string(step) +
                              std::string(world.random() % 3000, '.'));
      world.write(static_cast<Lane>(lane), written[lane].back());
      world.uplink->on_spool_grew();
      world.run(milliseconds(200));
      if (step % 60 == 59) {
        world.broker.kill();
        world.ingest.connect(world.broker);
      }
      if (step % 100 == 99) world.restart();
    }
    for (int minute = 0; minute < 60 && !world.spool_is_empty(); ++minute) world.run(seconds(60));
    CHECK(world.spool_is_empty());
    for (std::size_t lane = 0; lane < wire::kLaneCount; ++lane) {
      REQUIRE(world.ingest.committed[lane].size() == written[lane].size());
      for (const auto& [seq, body] : world.ingest.committed[lane])
        REQUIRE(body == written[lane][seq - 1]);
    }
    CHECK(world.broker.dropped > 50);
  }
}

TEST_CASE("old and repeated acks change nothing") {
  World world;
  world.go_live();
  const auto first = world.ingest.ack();
  world.write_many(Lane::kLogs, 5);
  world.uplink->on_spool_grew();
  world.settle();
  const auto last = world.ingest.ack();
  const auto state = world.spool.state().oldest_seq;
  const int told = world.spool.acknowledges;
  for (int i = 0; i < 10; ++i) world.broker.inject(world.ingest.sealed(i % 2 == 0 ? first : last));
  world.settle();
  world.run(seconds(60));
  CHECK(world.spool.state().oldest_seq == state);
  CHECK(world.spool.acknowledges == told);
  CHECK(world.uplink->counters().batches_resent == 0);
  CHECK(world.uplink->counters().forged_acks == 0);
}

TEST_CASE("an ack of another epoch is not believed") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 3);
  world.uplink->on_spool_grew();
  world.settle();
  auto ack = world.ingest.ack();
  ack.epoch = Epoch{{2}};
  world.ingest.send(ack);
  world.settle();
  CHECK(world.spool.acknowledges == 0);
  CHECK(world.uplink->counters().foreign_epoch_acks == 1);
}

TEST_CASE("forged acks are counted and ignored") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 3);
  world.uplink->on_spool_grew();
  world.settle();
  const auto good = world.ingest.sealed(world.ingest.ack());
  auto changed = good;
  SUBCASE("one bit changed") {
    changed.payload.back() = static_cast<char>(changed.payload.back() ^ 1);
  }
  SUBCASE("cut") {
    changed.payload.resize(changed.payload.size() / 2);
  }
  SUBCASE("empty") {
    changed.payload.clear();
  }
  SUBCASE("noise") {
    changed.payload.assign(500, '\xa5');
  }
  SUBCASE("sealed with another key") {
    const auto other = signing::generate_key_agreement_pair();
    const auto keys =
        signing::controlplane_session_keys(other, world.agent_pair.public_key).value();
    changed.payload = wire::seal_ack(world.ingest.ack(), keys.down);
  }
  SUBCASE("sealed with the key of the other direction") {
    changed.payload = wire::seal_ack(world.ingest.ack(), world.identity.keys.up);
  }
  SUBCASE("another agent's") {
    auto ack = world.ingest.ack();
    ack.agent = AgentId::parse("agent-2").value();
    changed.payload = wire::seal_ack(ack, world.identity.keys.down);
  }
  world.broker.inject(changed);
  world.settle();
  CHECK(world.uplink->counters().forged_acks == 1);
  CHECK(world.spool.acknowledges == 0);
  world.broker.inject(good);
  world.settle();
  CHECK(world.spool_is_empty());
}

TEST_CASE("a lost connection: all that was not acknowledged is sent again on the next") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 10);
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 10);
  world.broker.kill();
  CHECK(world.uplink->state() == UplinkState::kBackingOff);
  CHECK(world.uplink->counters().in_flight_bytes == 0);
  world.ingest.connect(world.broker);
  world.ingest.answers = true;
  world.run(agent::Uplink::kFirstWait + seconds(1));
  CHECK(world.spool_is_empty());
  CHECK(world.uplink->counters().batches_resent <= 10);
  CHECK(world.ingest.committed[2].size() == 10);
}

TEST_CASE("a new process takes up where the spool is") {
  World world;
  world.go_live();
  world.ingest.answers = false;
  world.write_many(Lane::kLogs, 5);
  world.uplink->on_spool_grew();
  world.settle();
  CHECK(world.committed(Lane::kLogs) == 5);
  CHECK(!world.spool_is_empty());
  world.ingest.answers = true;
  world.broker.faults.drop_if = [](const mqtt::Message& m) { return m.topic.ends_with("/up/l2"); };
  const auto nonce = world.uplink->session_nonce();
  world.restart();
  CHECK(world.uplink->session_nonce() != nonce);
  CHECK(world.spool_is_empty());  // The hello's answer alone says that all five are there.
}

TEST_CASE("a broker that takes messages but never confirms is given up after a minute") {
  World world;
  world.go_live();
  world.broker.faults.confirm = false;
  world.broker.faults.drop = 1;
  world.write_many(Lane::kLogs, 30);
  world.uplink->on_spool_grew();
  world.run(seconds(55));
  CHECK(world.uplink->state() == UplinkState::kLive);
  CHECK(world.uplink->counters().batches_resent == 0);
  world.run(seconds(10));
  CHECK(world.uplink->counters().reconnects == 1);
  CHECK(std::find(world.events.states.begin(), world.events.states.end(), "backing off") !=
        world.events.states.end());
  CHECK(world.spool.acknowledges == 0);
}

TEST_CASE(
    "a broker that swallows one message while it confirms the others is left after a minute") {
  World world;
  world.go_live();
  bool once = true;
  world.broker.faults.swallow_if = [&](const mqtt::Message& message) {
    return message.topic.ends_with("/up/l2") && std::exchange(once, false);
  };
  const auto go_on_for = [&](int count) {
    for (int i = 0; i < count; ++i) {
      world.write(Lane::kLogs, std::to_string(i));
      world.uplink->on_spool_grew();
      world.run(seconds(1));
    }
  };
  go_on_for(55);
  CHECK_FALSE(once);
  CHECK(world.uplink->counters().reconnects == 0);
  CHECK(!world.spool_is_empty());
  go_on_for(20);  // The rest of the patience, the wait before the next connection
  CHECK(world.uplink->counters().reconnects == 1);
  CHECK(world.committed(Lane::kLogs) == 75);
  CHECK(world.spool_is_empty());
}

TEST_CASE("a step without an answer is ended") {
  World world;
  world.uplink->start();  // The broker is never run: no answer at all.
  world.clock.advance(seconds(14));
  world.uplink->tick();
  CHECK(world.uplink->state() == UplinkState::kConnecting);
  world.clock.advance(seconds(2));
  world.uplink->tick();
  CHECK(world.uplink->state() == UplinkState::kBackingOff);
  world.settle();  // The late answer is not taken for the next attempt's.
  CHECK(world.uplink->state() == UplinkState::kBackingOff);
}

TEST_CASE("messages for nobody, and of nobody, are counted") {
  World world;
  world.go_live();
  const auto down = [&](const std::string& rest) {
    return mqtt::Message{"observeai/v1/home/7/agent-1/down/" + rest, "x"};
  };
  world.broker.inject(down("cmd"));
  world.broker.inject(down("nonsense"));
  world.broker.inject(down("meta"));
  world.settle();
  CHECK(world.uplink->counters().unexpected_messages == 1);
  CHECK(world.uplink->counters().forged_messages == 2);
  CHECK(world.uplink->counters().forged_acks == 0);
}

TEST_CASE("after the control plane lost its place, acks lower than before harm nothing") {
  World world;
  world.write_many(Lane::kLogs, 5);
  world.go_live();
  CHECK(world.spool_is_empty());
  world.ingest.committed[2].clear();  // Restored from an older backup
  world.ingest.need_series = true;
  world.broker.inject(world.ingest.sealed(world.ingest.ack()));
  world.broker.run();
  CHECK(world.events.need_series == 1);
  CHECK(world.uplink->state() == UplinkState::kLive);
  CHECK(world.uplink->counters().batches_resent == 0);
}
