#include "protocol/wire/command_codec.h"
#include "tests/unit/agent/app/outbox_world.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

using Fixture = test::OutboxWorld;
using test::noise;

}  // namespace

TEST_CASE("a result waits until the spool has it, and only then is it said to be there") {
  Fixture f(10);
  const std::vector<std::string> results = {"result one", "result two"};
  for (const auto& result : results) REQUIRE(f.outbox.add_result(result));
  CHECK(f.outbox.flush().error().code() == Errc::kLimit);
  CHECK(f.outbox.take_spooled_results().empty());
  // The executor offers what it was not told to forget.
  REQUIRE(f.outbox.add_result(results[0]));
  f.spool.bound = UINT64_MAX;
  f.spool.fail_commits = Error(Errc::kUnavailable, "no disk");
  f.clock.advance(FullPause::kAskEvery);
  CHECK_FALSE(f.outbox.flush());
  CHECK(f.outbox.take_spooled_results().empty());
  f.spool.fail_commits.reset();
  REQUIRE(f.outbox.flush());
  CHECK(f.control().results == results);
  CHECK(f.outbox.take_spooled_results() ==
        std::vector<wire::Digest>{wire::digest_of(results[0]), wire::digest_of(results[1])});
  CHECK(f.outbox.take_spooled_results().empty());
  REQUIRE(f.outbox.flush());
  CHECK(f.control().results.size() == 2);
}

TEST_CASE("results are bounded, and what else waits does not push them out") {
  Fixture f;
  CHECK(f.outbox.add_result("").error().code() == Errc::kInvalid);
  CHECK(f.outbox.add_result(noise(wire::kMaxResultEnvelopeBytes + 1)).error().code() ==
        Errc::kInvalid);
  // More than one message holds: each goes in, whatever is beside it.
  std::vector<std::string> results;
  for (std::uint64_t seed = 1; seed <= 2; ++seed)
    results.push_back(noise(wire::kMaxResultEnvelopeBytes, seed));
  for (const auto& result : results) REQUIRE(f.outbox.add_result(result));
  CHECK(f.outbox.add_result(noise(wire::kMaxResultEnvelopeBytes, 3)).error().code() ==
        Errc::kLimit);
  wire::Event event;
  event.kind = "container.start";
  for (std::size_t i = 0; i <= Outbox::kMaxWaiting; ++i) f.outbox.add_event(event);
  REQUIRE(f.outbox.flush());
  CHECK(f.control().results == results);
  CHECK(f.control().events.size() == Outbox::kMaxWaiting);
  CHECK(f.outbox.take_spooled_results().size() == 2);
  CHECK(f.outbox.add_result(noise(wire::kMaxResultEnvelopeBytes, 3)));
}
