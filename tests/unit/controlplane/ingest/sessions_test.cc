// Whose batches are taken, who is told to begin a new epoch, and who is asked for a hello.
#include "tests/unit/controlplane/ingest/pipeline_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::ingest_test;
using wire::Lane;

namespace {

wire::Nonce16 nonce_of(std::uint8_t fill) {
  wire::Nonce16 nonce;
  nonce.fill(fill);
  return nonce;
}

wire::Hello hello_of(Fixture& f, std::uint8_t nonce) {
  auto hello = f.hello();
  hello.session_nonce = nonce_of(nonce);
  return hello;
}

wire::Batch batch_of(const Fixture& f, std::uint64_t seq, std::uint8_t nonce,
                     const std::string& body = "body") {
  auto batch = f.batch(Lane::kLogs, seq, body);
  batch.header.session = wire::session_tag(nonce_of(nonce));
  return batch;
}

}  // namespace

TEST_CASE("acks echo the newest hello of the epoch, and only its batches are taken") {
  Fixture f;
  CHECK(f.ack(f.process({f.message(hello_of(f, 1))})).session_nonce == nonce_of(1));
  CHECK(f.ack(f.process({f.message(batch_of(f, 1, 1))})).session_nonce == nonce_of(1));
  f.clock.advance(std::chrono::seconds(1));
  CHECK(f.ack(f.process({f.message(hello_of(f, 2))})).session_nonce == nonce_of(2));
  const auto late = f.ack(f.process({f.message(batch_of(f, 2, 1))}));
  CHECK(late.contiguous[2] == 1);
  CHECK(late.session_nonce == nonce_of(2));
  CHECK(f.refused("other_session") == 1);
  CHECK(f.ack(f.process({f.message(batch_of(f, 2, 2))})).contiguous[2] == 2);
}

TEST_CASE("a batch of a process that never said hello is not taken; the answer asks for a hello") {
  Fixture f;
  const auto ack = f.ack(f.process({f.message(batch_of(f, 1, 1))}));
  CHECK(ack.session_nonce == wire::Nonce16{});
  CHECK(ack.contiguous[2] == 0);
  CHECK(f.writer.stored.empty());
  auto unsaid = f.batch(Lane::kLogs, 1);  // Nor one that does not say its process
  unsaid.header.session = {};
  f.process({f.message(hello_of(f, 1))});
  CHECK(f.ack(f.process({f.message(unsaid)})).contiguous[2] == 0);
  CHECK(f.refused("other_session") == 2);
}

TEST_CASE("an ack carries runs above contiguous and what was newest at the hello") {
  Fixture f;
  f.writer.comparison.newest[2] = {7, {1, 2, 3}};
  f.process({f.message(hello_of(f, 1))});
  const auto ack = f.ack(f.process({f.message(batch_of(f, 1, 1)), f.message(batch_of(f, 4, 1)),
                                    f.message(batch_of(f, 5, 1)), f.message(batch_of(f, 9, 1))}));
  CHECK(ack.contiguous[2] == 1);
  CHECK(ack.runs[2] == std::vector<wire::Run>{{4, 5}, {9, 9}});
  CHECK(ack.newest[2] == wire::CommittedContent{7, {1, 2, 3}});
}

TEST_CASE("a spool with other content is told to fork until it comes with a new epoch") {
  Fixture f;
  f.writer.comparison.differs = true;
  CHECK(f.ack(f.process({f.message(hello_of(f, 1))})).forked);
  CHECK(f.alerted("agent.restored"));
  CHECK_FALSE(f.alerted("agent.clone"));
  CHECK(f.ack(f.process({f.message(batch_of(f, 1, 1))})).forked);
  CHECK(f.writer.stored.empty());
  CHECK(f.refused("forked") == 1);
  f.writer.comparison = {};
  CHECK(f.ack(f.process({f.message(hello_of(f, 1))})).forked);  // A hello that was on its way
  CHECK(f.pipeline.counters().forks == 1);

  f.epoch.bytes.fill(10);
  CHECK_FALSE(f.ack(f.process({f.message(hello_of(f, 1))})).forked);
  CHECK_FALSE(f.ack(f.process({f.message(batch_of(f, 1, 1))})).forked);
  CHECK(f.writer.stored.size() == 1);
}

TEST_CASE(
    "a spool that is behind is told to fork, unless the session itself is ahead of its hello") {
  Fixture f;
  f.writer.comparison.ahead[2] = 5;
  CHECK(f.ack(f.process({f.message(hello_of(f, 1))})).forked);
  CHECK(f.alerted("agent.restored"));

  Fixture g;
  g.process({g.message(hello_of(g, 1))});
  for (std::uint64_t seq = 1; seq <= 5; ++seq) g.process({g.message(batch_of(g, seq, 1))});
  g.writer.comparison.ahead[2] = 5;
  CHECK_FALSE(g.ack(g.process({g.message(hello_of(g, 1))})).forked);
  g.writer.comparison.ahead[2] = 6;
  CHECK(g.ack(g.process({g.message(hello_of(g, 1))})).forked);
}

TEST_CASE("other content under a taken number: a clone, and its session is told to fork") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  f.process({f.message(batch_of(f, 1, 1))});
  const auto ack = f.ack(f.process({f.message(batch_of(f, 1, 1, "other"))}));
  CHECK(ack.forked);
  CHECK(ack.session_nonce == nonce_of(1));
  CHECK(f.alerted("agent.clone"));
}

TEST_CASE("a store that cannot compare answers no hello") {
  Fixture f;
  f.writer.cannot_compare = true;
  CHECK(f.process({f.message(hello_of(f, 1))}).empty());
  f.writer.cannot_compare = false;
  CHECK(f.process({f.message(hello_of(f, 1))}).size() == 1);
}

TEST_CASE("an old hello that a broker repeats does not bring its session back") {
  Fixture f;
  const auto old = f.message(hello_of(f, 1));
  f.process({old});
  f.clock.advance(std::chrono::seconds(1));
  f.process({f.message(hello_of(f, 2))});
  CHECK(f.ack(f.process({old})).session_nonce == wire::Nonce16{});
  CHECK(f.pipeline.counters().hellos == 2);
  CHECK(f.ack(f.process({f.message(batch_of(f, 1, 2))})).contiguous[2] == 1);
}

TEST_CASE(
    "when ingest listens anew nobody is believed before a hello, and everybody is asked for one") {
  Fixture f;
  f.process({f.message(hello_of(f, 1)), f.message(batch_of(f, 1, 1))});
  f.pipeline.ask_for_hellos();
  const auto asked = f.ack(f.pipeline.take_acks(100));
  CHECK(asked.session_nonce == wire::Nonce16{});
  CHECK(asked.contiguous[2] == 1);
  CHECK(asked.epoch == f.epoch);
  CHECK(f.pipeline.take_acks(100).empty());
  CHECK(f.pipeline.counters().asked == 1);
  CHECK(f.ack(f.process({f.message(batch_of(f, 2, 1))})).session_nonce == wire::Nonce16{});
  CHECK(f.refused("other_session") == 1);
  f.process({f.message(hello_of(f, 1))});
  CHECK(f.ack(f.process({f.message(batch_of(f, 2, 1))})).contiguous[2] == 2);
}

TEST_CASE("a hello that the broker kept and delivers when ingest listens anew is no older copy") {
  Fixture f;
  const auto first = f.message(hello_of(f, 1));
  f.process({first});
  for (std::uint64_t seq = 1; seq <= 5; ++seq) f.process({f.message(batch_of(f, seq, 1))});
  f.writer.comparison.ahead[2] = 5;
  f.pipeline.ask_for_hellos();
  CHECK_FALSE(f.ack(f.process({first})).forked);
  CHECK_FALSE(f.alerted("agent.restored"));
  CHECK(f.pipeline.counters().forks == 0);
}

TEST_CASE("a hello that the broker kept is no older copy for a control plane that starts anew") {
  Fixture f;
  const auto first = f.message(hello_of(f, 1));
  f.process({first});
  for (std::uint64_t seq = 1; seq <= 5; ++seq) f.process({f.message(batch_of(f, seq, 1))});
  f.writer.comparison.ahead[2] = 5;
  IngestPipeline anew(f.registry, f.writer, f.alerts, f.clock, f.plane, {});
  anew.process({first});
  const auto asked = f.ack(anew.take_acks(100));
  CHECK_FALSE(asked.forked);
  CHECK(asked.session_nonce == wire::Nonce16{});
  CHECK(asked.challenge != wire::Nonce16{});
  CHECK_FALSE(f.alerted("agent.restored"));
  CHECK(anew.counters().challenged == 1);
  CHECK(anew.counters().hellos == 0);

  // Who lives says it again: where it is now.
  f.challenge = asked.challenge;
  f.writer.comparison.ahead[2] = 0;
  anew.process({f.message(hello_of(f, 1)), first});
  CHECK_FALSE(anew.take_acks(100).empty());
  CHECK(anew.counters().forks == 0);
}

TEST_CASE("a hello of a process that was replaced, kept until now, is no clone and no older copy") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  const auto kept = f.message(hello_of(f, 1));  // Not delivered
  for (std::uint64_t seq = 1; seq <= 5; ++seq) f.process({f.message(batch_of(f, seq, 1))});
  f.process({f.message(hello_of(f, 2))});
  f.writer.comparison.ahead[2] = 5;
  CHECK_FALSE(f.ack(f.process({kept})).forked);
  CHECK_FALSE(f.alerted("agent.clone"));
  CHECK_FALSE(f.alerted("agent.restored"));
  CHECK(f.pipeline.counters().forks == 0);
}

TEST_CASE("numbers that were given up or passed over were given out by this process") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  const auto kept = f.message(hello_of(f, 1));
  SUBCASE("given up, for it does not decode") {
    const auto poison = f.message(batch_of(f, 1, 1, kPoison));
    for (std::uint32_t i = 0; i < IngestPipeline::kRefusalsUntilGivenUp; ++i) f.process({poison});
    REQUIRE(f.pipeline.counters().batches_given_up == 1);
    f.writer.comparison.ahead[2] = 1;
    CHECK_FALSE(f.ack(f.process({kept})).forked);
  }
  SUBCASE("passed over, for a later hello names none of them") {
    auto later = hello_of(f, 1);
    later.next_seq[2] = later.oldest_seq[2] = 9;
    later.number = f.last_hello - 1;
    auto kept_hello = hello_of(f, 1);
    f.process({f.message(later)});
    f.writer.comparison.ahead[2] = 8;
    CHECK_FALSE(f.ack(f.process({f.message(kept_hello)})).forked);
  }
}

TEST_CASE("a thousand agents are asked over two seconds, revoked ones and strangers not at all") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  for (int i = 0; i < 1000; ++i) {
    model::AgentRecord record;
    record.id = AgentId::parse("agent-" + std::to_string(i)).value();
    record.tenant = f.address.tenant;
    record.state = i % 10 == 0 ? model::AgentState::kRevoked : model::AgentState::kActive;
    record.sealing_public_key = f.agent_keys.public_key;
    if (i % 10 != 1) record.last_hello = f.hello();
    f.registry.insert(record);
  }
  f.pipeline.ask_for_hellos();
  std::size_t most_at_once = 0;
  std::size_t all = 0;
  for (int tick = 0; tick <= 20; ++tick) {
    std::size_t now = 0;
    for (auto acks = f.pipeline.take_acks(16); !acks.empty(); acks = f.pipeline.take_acks(16))
      now += acks.size();
    most_at_once = std::max(most_at_once, now);
    all += now;
    f.clock.advance(std::chrono::milliseconds(100));
  }
  CHECK(all == 801);
  CHECK(most_at_once <= 51);
}

TEST_CASE("an agent that said hello meanwhile is not asked") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  f.pipeline.ask_for_hellos();
  f.pipeline.process({f.message(hello_of(f, 1))});
  CHECK(f.ack(f.pipeline.take_acks(100)).session_nonce == nonce_of(1));
  CHECK(f.pipeline.counters().asked == 0);
}

TEST_CASE("a loss notice settles its number and is an alert with count, source and reason") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  auto lost = batch_of(f, 1, 1);
  lost.header.codec = wire::Codec::kLost;
  lost.header.n = 0;
  lost.body = wire::encode_loss({"evicted", {{"log/a", 3, 30}, {"log/b", 4, 0}}}).value();
  CHECK(f.ack(f.process({f.message(lost)})).contiguous[2] == 1);
  CHECK(f.pipeline.counters().batches_lost == 1);
  CHECK(f.pipeline.counters().batches_stored == 0);
  const auto alerts = f.alerts.open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "records.lost");
  CHECK(alerts[0].message.find("7 records of lane 2") == 0);
  CHECK(alerts[0].message.find("evicted") != std::string::npos);
  CHECK(alerts[0].message.find("log/a") != std::string::npos);
}

TEST_CASE("a loss notice that names no source is an alert all the same") {
  Fixture f;
  f.process({f.message(hello_of(f, 1))});
  auto lost = batch_of(f, 3, 1);
  lost.header.lane = Lane::kControl;
  lost.header.codec = wire::Codec::kLost;
  lost.header.n = 0;
  lost.body = wire::encode_loss({"damaged", {}}).value();
  f.process({f.message(lost)});
  const auto alerts = f.alerts.open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "records.lost");
  CHECK(alerts[0].message.find("an unknown number of records of lane 0") == 0);
  CHECK(alerts[0].message.find("batch 3") != std::string::npos);
}

TEST_CASE("the registry keeps a hello without what was only to be compared") {
  Fixture f;
  auto hello = hello_of(f, 1);
  hello.next_seq[2] = 2;
  hello.oldest_seq[2] = 1;
  hello.pending[2].oldest = {{1, 2, 3}};
  f.process({f.message(hello)});
  const auto kept = f.registry.find(f.address.agent)->value().last_hello;
  REQUIRE(kept);
  CHECK(kept->pending[2] == wire::PendingTags{});
}

TEST_CASE("a hello that counts is heard, one that is repeated, challenged or forged is not") {
  Fixture f;
  std::vector<std::uint64_t> heard;
  f.pipeline.on_hello([&](const AgentId& agent, const wire::Hello& hello) {
    CHECK(agent == f.address.agent);
    heard.push_back(hello.number);
  });
  auto hello = hello_of(f, 1);
  f.process({f.message(hello)});
  const std::vector<std::uint64_t> once{hello.number};
  CHECK(heard == once);
  f.process({f.message(hello)});
  auto unchallenged = hello_of(f, 1);
  unchallenged.challenge = nonce_of(99);
  f.process({f.message(unchallenged)});
  auto forged = f.message(hello_of(f, 1));
  forged.payload.back() = static_cast<char>(forged.payload.back() ^ 1);
  f.process({forged});
  CHECK(heard == once);
}
