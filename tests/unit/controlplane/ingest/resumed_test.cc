// A host that is resumed from a snapshot of its memory: the same process, with hello numbers of the past.
// And what a broker that repeats hellos makes of the way in which it is answered.
#include "tests/unit/controlplane/ingest/pipeline_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::ingest_test;
using wire::Lane;

namespace {

void store_logs(Fixture& f, std::uint64_t first, std::uint64_t last) {
  for (auto seq = first; seq <= last; ++seq) f.process({f.message(f.batch(Lane::kLogs, seq))});
}

wire::Hello hello_at(Fixture& f, std::uint64_t next_log) {
  auto hello = f.hello();
  hello.next_seq[2] = hello.oldest_seq[2] = next_log;
  return hello;
}

// As the process makes its next one.
wire::Hello after(const Fixture& f, wire::Hello hello) {
  ++hello.number;
  hello.challenge = f.challenge;
  return hello;
}

}  // namespace

TEST_CASE("a host resumed from its memory is answered, and told that its spool is an older one") {
  Fixture f;
  f.greet();
  store_logs(f, 1, 2);
  auto resumed = hello_at(f, 3);
  for (int i = 0; i < 100; ++i) f.greet();
  store_logs(f, 3, 5);
  const auto before = f.challenge;

  const auto asked = f.ack(f.process({f.message(resumed)}));
  CHECK(asked.session_nonce == wire::Nonce16{});
  CHECK(asked.challenge != before);
  CHECK(f.refused("replayed") == 1);
  CHECK_FALSE(asked.forked);

  SUBCASE("it has written nothing since") {
    f.writer.comparison.ahead[2] = 5;
  }
  SUBCASE("it has written other data under the same numbers") {
    resumed.next_seq[2] = 9;
    resumed.pending[2].oldest = {{1, 2, 3}};
    f.writer.comparison.differs = true;
  }
  resumed = after(f, resumed);
  const auto told = f.ack(f.process({f.message(resumed)}));
  CHECK(told.session_nonce == f.hello_nonce());
  CHECK(told.forked);
  CHECK(f.alerted("agent.restored"));
  CHECK_FALSE(f.alerted("agent.clone"));

  // Nothing of it is taken under the old numbers; all of it is under its own.
  CHECK(f.ack(f.process({f.message(f.batch(Lane::kLogs, 6, "other"))})).forked);
  CHECK(f.writer.stored.size() == 5);
  f.writer.comparison = {};
  f.epoch.bytes.fill(10);
  resumed = after(f, resumed);
  resumed.epoch = f.epoch;
  CHECK_FALSE(f.ack(f.process({f.message(resumed)})).forked);
  CHECK(f.ack(f.process({f.message(f.batch(Lane::kLogs, 1, "other"))})).contiguous[2] == 1);
  CHECK(f.writer.stored.size() == 6);
}

TEST_CASE("a process that was replaced and is resumed is answered, and is a clone") {
  Fixture f;
  f.greet();
  auto resumed = f.hello();
  f.greet();
  auto other = f.hello();
  other.session_nonce.fill(4);
  f.process({f.message(other)});
  f.process({f.message(resumed)});
  CHECK(f.ack(f.process({f.message(after(f, resumed))})).session_nonce == f.hello_nonce());
  CHECK(f.alerted("agent.clone"));
}

TEST_CASE("hellos that a broker repeats cost one more hello in 10 s, and fork nobody") {
  Fixture f;
  f.greet();
  const auto first = f.message(hello_at(f, 1));
  const auto second = f.message(hello_at(f, 1));
  f.process({first, second});
  store_logs(f, 1, 5);
  f.writer.comparison.ahead[2] = 5;
  CHECK(f.process({second}).empty());  // Delivered twice, as a broker may

  const auto before = f.challenge;
  CHECK(f.ack(f.process({first, first})).session_nonce == wire::Nonce16{});
  const auto asked = f.challenge;
  CHECK(asked != before);
  CHECK(f.ack(f.process({first, second})).challenge == asked);
  store_logs(f, 6, 6);  // Of the process that lives, all the while
  CHECK(f.writer.stored.size() == 6);

  f.writer.comparison.ahead[2] = 0;
  const auto third = f.message(hello_at(f, 7));
  const auto fourth = f.message(hello_at(f, 7));
  CHECK(f.ack(f.process({third})).session_nonce == f.hello_nonce());
  CHECK(f.process({third}).empty());  // One is not enough
  f.process({fourth});
  CHECK(f.process({third}).empty());
  CHECK(f.challenge == asked);
  f.clock.advance(IngestPipeline::kQuestionEvery - std::chrono::milliseconds(1));
  CHECK(f.process({third}).empty());
  f.clock.advance(std::chrono::milliseconds(1));
  CHECK(f.ack(f.process({third})).session_nonce == wire::Nonce16{});
  CHECK(f.challenge != asked);
  CHECK(f.alerts.open().value().empty());
  CHECK(f.pipeline.counters().forks == 0);
}

TEST_CASE("an answer to the new challenge that comes late is no older copy") {
  Fixture f;
  f.greet();
  const auto repeated = f.message(hello_at(f, 1));
  f.process({repeated});
  f.greet();
  store_logs(f, 1, 5);
  CHECK(f.ack(f.process({repeated})).session_nonce == wire::Nonce16{});
  const auto late = f.message(hello_at(f, 6));
  const auto answer = f.message(hello_at(f, 6));
  SUBCASE("behind data of its own process") {}
  SUBCASE("behind a later answer and data") {
    f.process({answer});
  }
  store_logs(f, 6, 8);
  REQUIRE(f.writer.stored.size() == 8);
  f.writer.comparison.ahead[2] = 8;
  f.process({late});
  CHECK(f.pipeline.counters().forks == 0);
  CHECK(f.alerts.open().value().empty());
}

TEST_CASE("a hello that counts is answered at once, though one before it in the round did not") {
  Fixture f;
  auto unknowing = f.hello();
  unknowing.challenge = {};
  const auto ack = f.ack(f.process({f.message(unknowing), f.message(f.hello())}));
  CHECK(ack.session_nonce == f.hello_nonce());
  CHECK(f.pipeline.counters().challenged == 2);  // And the first of all
}
