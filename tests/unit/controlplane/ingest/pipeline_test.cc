#include "protocol/base/log.h"
#include "tests/unit/controlplane/ingest/pipeline_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::ingest_test;

TEST_CASE("what is committed is acknowledged, in one ack for a group, contiguous only") {
  Fixture f;
  f.greet();
  const auto out = f.process(
      {f.message(f.batch(wire::Lane::kLogs, 1)), f.message(f.batch(wire::Lane::kLogs, 2)),
       f.message(f.batch(wire::Lane::kLogs, 4)), f.message(f.batch(wire::Lane::kMetrics, 1))});
  const auto ack = f.ack(out);
  CHECK(ack.contiguous == std::array<std::uint64_t, 4>{0, 1, 2, 0});
  CHECK(ack.epoch == f.epoch);
  CHECK(ack.credit_bytes > 0);
  CHECK(f.pipeline.counters().batches_stored == 4);
}

TEST_CASE("a duplicate is acknowledged and stored once") {
  Fixture f;
  f.greet();
  const auto message = f.message(f.batch(wire::Lane::kLogs, 1));
  CHECK(f.ack(f.process({message, message})).contiguous[2] == 1);
  CHECK(f.ack(f.process({message})).contiguous[2] == 1);
  CHECK(f.writer.stored.size() == 1);
  CHECK(f.pipeline.counters().batches_duplicate == 2);
}

TEST_CASE("nothing is acknowledged while the store refuses") {
  Fixture f;
  f.greet();
  f.writer.broken = true;
  CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 1))}).empty());
  CHECK(f.refused("store_error") == 1);
  f.writer.broken = false;
  CHECK(f.ack(f.process({f.message(f.batch(wire::Lane::kLogs, 1))})).contiguous[2] == 1);
}

TEST_CASE("other content under the same number is a clone: alert, nothing overwritten") {
  Fixture f;
  f.greet();
  f.process({f.message(f.batch(wire::Lane::kLogs, 1, "a"))});
  const auto ack = f.ack(f.process({f.message(f.batch(wire::Lane::kLogs, 1, "b"))}));
  CHECK(ack.contiguous[2] == 1);
  CHECK(f.writer.stored.begin()->second == "a");
  CHECK(f.refused("conflict") == 1);
  CHECK(f.alerted("agent.clone"));
}

TEST_CASE("a batch that is forged, cut, or sealed by another agent is refused and seen") {
  Fixture f;
  f.greet();
  auto message = f.message(f.batch(wire::Lane::kLogs, 1));
  SUBCASE("flipped bit") {
    message.payload[message.payload.size() / 2] ^= 1;
  }
  SUBCASE("cut") {
    message.payload.pop_back();
  }
  SUBCASE("empty") {
    message.payload.clear();
  }
  SUBCASE("key of another agent") {
    const auto other = signing::generate_key_agreement_pair();
    message.payload = wire::seal_batch(f.batch(wire::Lane::kLogs, 1),
                                       signing::agent_session_keys(other, f.plane.public_key)->up);
  }
  SUBCASE("another agent's name inside") {
    auto b = f.batch(wire::Lane::kLogs, 1);
    b.header.agent = AgentId::parse("web-2").value();
    message.payload = wire::seal_batch(b, f.keys.up);
  }
  CHECK(f.process({message}).empty());
  CHECK(f.refused("forged") == 1);
  CHECK(f.alerted("batch.forged"));
  CHECK(f.writer.stored.empty());
}

TEST_CASE("tenant and shard come from the registry, not from the topic") {
  Fixture f;
  f.greet();
  auto wrong = f.address;
  SUBCASE("tenant") {
    wrong.tenant = TenantId::parse("other").value();
  }
  SUBCASE("shard") {
    wrong.shard = 8;
  }
  const mqtt::Message message{topics::build(wrong, topics::Channel::kLane2),
                              wire::seal_batch(f.batch(wire::Lane::kLogs, 1), f.keys.up)};
  CHECK(f.process({message}).empty());
  CHECK(f.refused("topic_mismatch") == 1);
  CHECK(f.writer.stored.empty());
}

TEST_CASE("unknown, pending and revoked agents are refused; revocation holds on a live session") {
  SUBCASE("unknown") {
    Fixture f;
    f.greet();
    f.address.agent = AgentId::parse("nobody").value();
    CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 1))}).empty());
    CHECK(f.refused("unknown_agent") == 1);
  }
  SUBCASE("pending") {
    Fixture f(model::AgentState::kPending);
    CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 1))}).empty());
    CHECK(f.refused("not_confirmed") == 1);
  }
  SUBCASE("revoked while connected") {
    Fixture f;
    f.greet();
    CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 1))}).size() == 1);
    REQUIRE(f.registry.revoke(f.address.agent, "stolen", 1));
    f.pipeline.forget(f.address.agent);
    CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 2))}).empty());
    CHECK(f.refused("revoked") == 1);
    CHECK(f.writer.stored.size() == 1);
  }
}

TEST_CASE("topics outside the grammar and downward channels are refused") {
  Fixture f;
  CHECK(f.process(
             {{"observeai/v1/x", "y"}, {topics::build(f.address, topics::Channel::kCommand), "z"}})
            .empty());
  CHECK(f.refused("bad_topic") == 2);
}

TEST_CASE("a hello is answered with what is committed and what is missing") {
  Fixture f;
  f.greet();
  SUBCASE("all is well") {
    const auto ack = f.ack(f.process({f.message(f.hello())}));
    CHECK(ack.session_nonce == f.hello().session_nonce);
    CHECK_FALSE(ack.need_inventory);
    CHECK_FALSE(ack.need_series);
  }
  SUBCASE("inventory differs") {
    f.writer.digest = "other";
    CHECK(f.ack(f.process({f.message(f.hello())})).need_inventory);
  }
  SUBCASE("series are missing") {
    auto hello = f.hello();
    hello.series_known = 6;
    CHECK(f.ack(f.process({f.message(hello)})).need_series);
  }
  SUBCASE("what is still on its way is not asked for") {
    auto hello = f.hello();
    hello.series_known = 6;
    hello.next_seq[0] = 3;
    f.writer.digest = "other";
    const auto ack = f.ack(f.process({f.message(hello)}));
    CHECK_FALSE(ack.need_series);
    CHECK_FALSE(ack.need_inventory);
  }
  SUBCASE("batches before it in the group count") {
    auto hello = f.hello();
    hello.next_seq[0] = 2;
    f.writer.digest = "other";
    CHECK(f.ack(f.process({f.message(f.batch(wire::Lane::kControl, 1)), f.message(hello)}))
              .need_inventory);
  }
}

TEST_CASE("a forged hello changes nothing") {
  Fixture f;
  auto message = f.message(f.hello());
  message.payload.back() ^= 1;
  CHECK(f.process({message}).empty());
  CHECK(f.refused("forged") == 1);
  CHECK(f.registry.find(f.address.agent)->value().last_seen_ms == 0);
}

TEST_CASE("samples without their definitions are not acknowledged; the agent is asked for them") {
  Fixture f;
  f.greet();
  f.writer.need_series_for = {1};
  const auto ack = f.ack(f.process({f.message(f.batch(wire::Lane::kMetrics, 1))}));
  CHECK(ack.need_series);
  CHECK(ack.contiguous[1] == 0);
}

TEST_CASE("what an ack asks for is not lost while it waits to be sent") {
  Fixture f;
  f.greet();
  f.writer.need_series_for = {1};
  f.writer.digest = "other";
  f.pipeline.process({f.message(f.hello())});
  f.pipeline.process({f.message(f.batch(wire::Lane::kMetrics, 1))});
  f.pipeline.process({f.message(f.batch(wire::Lane::kLogs, 1))});
  CHECK(f.pipeline.take_acks(0).empty());
  const auto ack = f.ack(f.pipeline.take_acks(100));
  CHECK(ack.need_inventory);
  CHECK(ack.need_series);
  CHECK(ack.session_nonce == f.hello().session_nonce);
  CHECK(ack.contiguous[2] == 1);
  CHECK(f.pipeline.take_acks(100).empty());
  const auto next = f.ack(f.process({f.message(f.batch(wire::Lane::kLogs, 2))}));
  CHECK_FALSE(next.need_inventory);
  CHECK_FALSE(next.need_series);
}

TEST_CASE("an ack that waits is not sent to an agent that was revoked meanwhile") {
  Fixture f;
  f.greet();
  f.pipeline.process({f.message(f.batch(wire::Lane::kLogs, 1))});
  f.pipeline.forget(f.address.agent);
  CHECK(f.pipeline.take_acks(100).empty());
}

TEST_CASE("an old hello that is sent again is refused and is no clone") {
  Fixture f;
  auto first = f.hello();
  first.wall_time_ms = 1000;
  auto second = f.hello();
  second.session_nonce.fill(4);
  second.wall_time_ms = 2000;
  f.process({f.message(first)});
  second.challenge = f.challenge;
  f.process({f.message(second)});
  CHECK(f.refused("replayed") == 0);
  CHECK(f.ack(f.process({f.message(first)})).session_nonce == wire::Nonce16{});  // Asked, no more
  CHECK_FALSE(f.alerted("agent.clone"));
  CHECK(f.registry.find(f.address.agent)->value().last_hello->session_nonce ==
        second.session_nonce);
  second.challenge = f.challenge;
  second.number = ++f.last_hello;
  f.process({f.message(second)});
  const auto seen_ms = f.registry.find(f.address.agent)->value().last_seen_ms;
  f.clock.advance(std::chrono::minutes(1));
  CHECK(f.process({f.message(second)}).empty());
  CHECK(f.refused("replayed") == 1);
  CHECK(f.registry.find(f.address.agent)->value().last_seen_ms == seen_ms);
  // The first process lives: it has heard of the present challenge.
  first.challenge = f.challenge;
  first.number = ++f.last_hello;
  CHECK(f.process({f.message(first)}).size() == 1);
  CHECK(f.alerted("agent.clone"));
}

TEST_CASE("the messages that try the broker are nobody's refusals") {
  Fixture f;
  auto canary = f.address;
  canary.tenant = TenantId::parse("canary").value();
  CHECK(f.process({{topics::build(canary, topics::Channel::kLane0), "trial"}}).empty());
  CHECK(f.pipeline.counters().refused.empty());
}

TEST_CASE(
    "a flood of forged messages is one write at once, and one in ten seconds; all are counted") {
  Fixture f;
  auto forged = f.message(f.hello());
  forged.payload.back() ^= 1;
  const std::vector<mqtt::Message> group(100, forged);
  const auto told = [&] { return f.alerts.open().value().at(0); };

  f.pipeline.process(group);
  CHECK(f.alerts.writes == 1);
  CHECK(told().count == 1);
  for (int i = 0; i < 8; ++i) {
    f.clock.advance(std::chrono::seconds(1));
    f.pipeline.process(group);
  }
  CHECK(f.alerts.writes == 1);
  f.clock.advance(std::chrono::seconds(2));
  f.pipeline.tick();  // Nothing arrives any more
  CHECK(f.alerts.writes == 2);
  CHECK(told().count == 900);
  CHECK(told().last_ms == f.clock.unix_ms() - 2000);
  for (int i = 0; i < 30; ++i) {
    f.clock.advance(std::chrono::seconds(1));
    f.pipeline.tick();
  }
  CHECK(f.alerts.writes == 2);
  f.pipeline.process({forged});  // Quiet for long: told at once
  CHECK(f.alerts.writes == 3);
  CHECK(told().count == 901);
}

TEST_CASE("alerts of other kinds and other agents do not wait for each other") {
  Fixture f;
  f.greet();
  auto hello = f.message(f.hello());
  hello.payload.back() ^= 1;
  auto batch = f.message(f.batch(wire::Lane::kLogs, 1));
  batch.payload.back() ^= 1;
  f.pipeline.process({hello, batch, hello, batch});
  CHECK(f.alerts.writes == 2);
  CHECK(f.alerted("hello.forged"));
  CHECK(f.alerted("batch.forged"));
}

TEST_CASE("what was collected is written before the end, and kept while the store refuses") {
  Fixture f;
  auto forged = f.message(f.hello());
  forged.payload.back() ^= 1;
  f.alerts.broken = true;
  f.pipeline.process({forged, forged, forged});
  f.clock.advance(std::chrono::seconds(11));
  f.pipeline.tick();
  f.alerts.broken = false;
  CHECK(f.alerts.open()->empty());
  f.pipeline.write_collected_alerts();
  CHECK(f.alerts.open()->at(0).count == 3);
  f.pipeline.write_collected_alerts();
  CHECK(f.alerts.open()->at(0).count == 3);
}

TEST_CASE("more alerts than are told apart are counted by kind: memory is bounded") {
  log::setup("test", log::Level::kError);  // The first of each agent is a line
  Fixture f;
  std::vector<mqtt::Message> group;
  for (std::size_t i = 0; i < IngestPipeline::kMaxAlertsApart + 7; ++i) {
    model::AgentRecord record;
    record.id = AgentId::parse("host-" + std::to_string(i)).value();
    record.tenant = f.address.tenant;
    record.shard = f.address.shard;
    record.state = model::AgentState::kActive;
    record.sealing_public_key = f.agent_keys.public_key;
    f.registry.insert(record);
    const topics::AgentAddress address{record.tenant, record.shard, record.id};
    group.push_back({topics::build(address, topics::Channel::kHello), "junk"});
  }
  f.pipeline.process(group);
  f.pipeline.write_collected_alerts();
  const auto open = f.alerts.open().value();
  CHECK(open.size() == IngestPipeline::kMaxAlertsApart + 1);
  std::uint64_t all = 0;
  for (const auto& alert : open) {
    all += alert.count;
    if (alert.agent.empty()) CHECK(alert.count == 7);
  }
  CHECK(all == group.size());
}

TEST_CASE("a batch published again does not make its host seen") {
  Fixture f;
  f.greet();
  const auto seen = [&] { return f.registry.find(f.address.agent)->value().last_seen_ms; };
  const auto recorded = f.message(f.batch(wire::Lane::kLogs, 1));
  f.process({recorded});
  const auto then = f.clock.unix_ms();
  CHECK(seen() == then);
  f.clock.advance(std::chrono::hours(1));
  f.process({recorded});
  CHECK(seen() == then);
  f.process({f.message(f.batch(wire::Lane::kLogs, 2))});
  const auto later = f.clock.unix_ms();
  CHECK(seen() == later);
  f.clock.advance(std::chrono::hours(1));
  f.process({f.message(f.batch(wire::Lane::kLogs, 1, "other"))});
  CHECK(seen() == later);
}

TEST_CASE("when a host was seen follows a clock that was a year ahead and is right again") {
  Fixture f;
  f.greet();
  const auto seen = [&] { return f.registry.find(f.address.agent)->value().last_seen_ms; };
  f.clock.jump_wall(std::chrono::hours(24 * 365));
  f.clock.advance(std::chrono::seconds(10));
  f.process({f.message(f.batch(wire::Lane::kLogs, 1))});
  CHECK(seen() == f.clock.unix_ms());
  f.clock.jump_wall(-std::chrono::hours(24 * 365));
  f.clock.advance(std::chrono::seconds(10));
  f.process({f.message(f.batch(wire::Lane::kLogs, 2))});
  CHECK(seen() == f.clock.unix_ms());
}

TEST_CASE("a store that refuses is one alert, which ends with the first batch that is stored") {
  Fixture f;
  f.greet();
  f.writer.broken = true;
  CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 1))}).empty());
  CHECK(f.process({f.message(f.batch(wire::Lane::kLogs, 1))}).empty());
  CHECK(f.alerted("store.refuses"));
  CHECK(f.alerts.writes == 1);
  f.writer.broken = false;
  CHECK(f.ack(f.process({f.message(f.batch(wire::Lane::kLogs, 1))})).contiguous[2] == 1);
  CHECK_FALSE(f.alerted("store.refuses"));
  f.writer.broken = true;
  f.process({f.message(f.batch(wire::Lane::kLogs, 2))});
  CHECK(f.alerted("store.refuses"));
}

TEST_CASE("an alert of a store that refused before a restart ends as well") {
  Fixture f;
  f.greet();
  model::Alert old;
  old.kind = "store.refuses";
  old.count = 1;
  REQUIRE(f.alerts.raise(old));
  f.process({f.message(f.batch(wire::Lane::kLogs, 1))});
  CHECK_FALSE(f.alerted("store.refuses"));
}

TEST_CASE("credit of all agents together is bounded, and comes with each ack") {
  Fixture f;
  f.greet();
  const auto before = f.ack(f.process({f.message(f.hello())}));
  CHECK(before.credit_bytes > 0);
  f.process({f.message(f.batch(wire::Lane::kLogs, 1))});
  CHECK(f.pipeline.credits().agents() == 1);
  CHECK(f.pipeline.credits().granted_bytes() <= CreditLimits().total_bytes);
  f.pipeline.forget(f.address.agent);
  CHECK(f.pipeline.credits().granted_bytes() == 0);
}

TEST_CASE("acks are taken in turn: with more of them than can be sent, every agent gets one") {
  Fixture f;
  constexpr int kAgents = 10;
  std::vector<mqtt::Message> hellos;
  for (int i = 0; i < kAgents; ++i) {
    model::AgentRecord record = *f.registry.find(f.address.agent).value();
    record.id = AgentId::parse("many-" + std::to_string(i)).value();
    f.registry.insert(record);
    auto hello = f.hello();
    hello.agent = record.id;
    hellos.push_back(
        {topics::build({record.tenant, record.shard, record.id}, topics::Channel::kHello),
         wire::seal_hello(hello, f.keys.up)});
  }
  std::set<std::string> answered;
  for (int round = 0; round < 4; ++round) {
    f.pipeline.process(hellos);  // Everybody waits again
    for (const auto& ack : f.pipeline.take_acks(3)) answered.insert(ack.topic);
  }
  CHECK(answered.size() == kAgents);
}

TEST_CASE("what the store does not take of one agent is its own alert, and stops nobody else") {
  Fixture f;
  f.greet();
  f.process({f.message(f.batch(wire::Lane::kLogs, 1, kTooMuch)),
             f.message(f.batch(wire::Lane::kLogs, 2))});
  CHECK(f.refused("over_limit") == 1);
  CHECK(f.refused("store_error") == 0);
  CHECK(f.writer.stored.size() == 1);
  CHECK(f.alerted("batch.refused"));
  CHECK_FALSE(f.alerted("store.refuses"));
}
