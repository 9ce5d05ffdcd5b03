// Sealed batches that do not decode, whatever is tried.
#include "tests/unit/controlplane/ingest/pipeline_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::ingest_test;

TEST_CASE("a sealed batch that never decodes is given up after some refusals, its lane goes on") {
  Fixture f;
  f.greet();
  const auto poison = f.message(f.batch(wire::Lane::kLogs, 1, kPoison));
  f.process({f.message(f.batch(wire::Lane::kLogs, 2))});
  for (std::uint32_t i = 1; i < IngestPipeline::kRefusalsUntilGivenUp; ++i) {
    CHECK(f.process({poison}).empty());
  }
  CHECK(f.pipeline.counters().batches_given_up == 0);
  CHECK(f.ack(f.process({poison})).contiguous[2] == 2);
  CHECK(f.pipeline.counters().batches_given_up == 1);
  CHECK(f.refused("corrupt") == IngestPipeline::kRefusalsUntilGivenUp);
  CHECK(f.alerted("batch.corrupt"));
}

TEST_CASE("batches that do not decode keep only their own agent's from being given up") {
  Fixture f;
  f.greet();
  model::AgentRecord record = *f.registry.find(f.address.agent).value();
  record.id = AgentId::parse("noisy").value();
  f.registry.insert(record);
  const auto poison = f.message(f.batch(wire::Lane::kLogs, 1, kPoison));
  auto address = f.address;
  address.agent = record.id;
  wire::Hello hello = f.hello();
  hello.agent = record.id;
  const auto send = [&](const wire::Hello& said) {
    f.pipeline.process(
        {{topics::build(address, topics::Channel::kHello), wire::seal_hello(said, f.keys.up)}});
    for (const auto& one : f.pipeline.take_acks(100)) {
      const auto ack = wire::open_ack(one.payload, record.id, f.keys.down);
      if (ack) hello.challenge = ack->challenge;
    }
  };
  send(hello);
  ++hello.number;
  send(hello);
  std::uint64_t seq = 0;
  for (std::uint32_t round = 0; round < IngestPipeline::kRefusalsUntilGivenUp; ++round) {
    std::vector<mqtt::Message> rubbish{poison};
    for (int i = 0; i < 12'000; ++i) {
      auto batch = f.batch(wire::Lane::kLogs, ++seq, kPoison);
      batch.header.agent = record.id;
      rubbish.push_back(
          {topics::build(address, topics::Channel::kLane2), wire::seal_batch(batch, f.keys.up)});
    }
    f.pipeline.process(rubbish);
  }
  CHECK(f.refused("corrupt") == IngestPipeline::kRefusalsUntilGivenUp * 12'001);
  CHECK(f.pipeline.counters().batches_given_up == 1);
}

TEST_CASE("more unreadable batches than are remembered hold up their lane for a while only") {
  constexpr std::uint64_t kBatches = 600;
  Fixture f;
  f.greet();
  int rounds = 0;
  // As an agent does: all that is not acknowledged, in order, again and again.
  for (std::uint64_t contiguous = 0; contiguous < kBatches && rounds < 30; ++rounds) {
    std::vector<mqtt::Message> pending;
    for (std::uint64_t seq = contiguous + 1; seq <= kBatches; ++seq)
      pending.push_back(f.message(f.batch(wire::Lane::kLogs, seq, kPoison)));
    const auto out = f.process(pending);
    if (!out.empty()) contiguous = f.ack(out).contiguous[2];
  }
  CHECK(f.pipeline.counters().batches_given_up == kBatches);
  CHECK(rounds < 30);
}
