// What the signer never forgets: sequences, who is shut out, the audit head, the root; and its rates.
#include <doctest/doctest.h>

#include "protocol/base/files.h"
#include "tests/unit/controlplane/signer/service_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {

wire::AuditHead head(std::uint64_t seq, std::uint8_t fill) {
  wire::AuditHead out;
  out.seq = seq;
  out.hash.fill(fill);
  out.unix_ms = 1;
  return out;
}

std::string word(const Error& error) {
  return std::string(signer::word_of(error.message()));
}

wire::Command dry_run(std::uint64_t seq, std::size_t host = 0) {
  Batch batch;
  batch.seq = seq;
  return batch.dry_run(host);
}

}  // namespace

TEST_CASE("a sequence is signed once for each agent, also after a restart and inside one batch" *
          doctest::test_suite("attacks")) {
  Signer signer;
  CHECK(signer.outcome(dry_run(5)) == "");
  CHECK(signer.outcome(dry_run(5)) == "sequence");
  CHECK(signer.outcome(dry_run(4)) == "sequence");
  CHECK(signer.outcome(dry_run(1, 1)) == "");
  signer.start();
  CHECK(signer.outcome(dry_run(5)) == "sequence");
  const auto outcomes =
      signer.service->sign_commands(encoded({dry_run(6), dry_run(6), dry_run(7)})).value();
  CHECK(outcomes[0]);
  CHECK(word(outcomes[1].error()) == "sequence");
  CHECK(outcomes[2]);
  CHECK(signer.outcome(dry_run(std::uint64_t{1} << 63)) == "sequence");
  CHECK(signer.outcome(dry_run((std::uint64_t{1} << 63) - 1)) == "");
}

TEST_CASE("a refused command takes no sequence") {
  Signer signer;
  auto bad = dry_run(9);
  bad.root_version = 7;
  CHECK(signer.outcome(bad) == "root_outdated");
  CHECK(signer.outcome(dry_run(1)) == "");
}

TEST_CASE("one approval is signed for as many tries as one execution has, also after a restart" *
          doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  const auto envelope = Batch::sign(batch.approval(), signer.acme.ada);
  const auto ask = [&](std::size_t host) {
    const auto outcome = signer.outcome(batch.commands({envelope})[host]);
    ++batch.seq;
    return outcome;
  };
  for (int i = 0; i < 2; ++i) CHECK(ask(0) == "");
  CHECK(ask(1) == "");  // Another host's intent
  signer.start();
  CHECK(ask(0) == "");
  CHECK(ask(0) == "used_up");
  signer.start();
  CHECK(ask(0) == "used_up");
  CHECK(ask(1) == "");
  // Within one batch of requests too: one is left of this host's.
  std::vector<wire::Command> twice;
  for (int i = 0; i < 2; ++i) {
    twice.push_back(batch.commands({envelope})[1]);
    ++batch.seq;
  }
  const auto outcomes = signer.service->sign_commands(encoded(twice)).value();
  CHECK(outcomes[0]);
  CHECK(word(outcomes[1].error()) == "used_up");
  CHECK(signer.outcome(dry_run(batch.seq, 0)) == "");  // Reads only
}

TEST_CASE("what was signed is forgotten only when no approval of it can be left") {
  Signer signer;
  signer::Leaf leaf;
  leaf.root.fill(9);
  REQUIRE(signer.state->advance({{}, {{leaf, 2}}, {}}, 1'000));
  CHECK(signer.state->leaf_count(leaf).value() == 2);
  REQUIRE(signer.state->forget(1'000 + signer::kKeepLeavesMs));
  CHECK(signer.state->leaf_count(leaf).value() == 2);
  REQUIRE(signer.state->forget(1'001 + signer::kKeepLeavesMs));
  CHECK(signer.state->leaf_count(leaf).value() == 0);
}

TEST_CASE("nothing is signed for an agent that was shut out, also after a restart" *
          doctest::test_suite("attacks")) {
  Signer signer;
  const auto agent = AgentId::parse("host-0").value();
  REQUIRE(signer.service->revoke_agent(agent));
  REQUIRE(signer.service->revoke_agent(agent));
  for (int round = 0; round < 2; ++round) {
    CHECK(signer.outcome(dry_run(1)) == "revoked");
    CHECK(word(signer.service->sign_time({agent, {}, 0}).error()) == "revoked");
    CHECK(signer.outcome(dry_run(1U + static_cast<unsigned>(round), 1)) == "");
    signer.start();
  }
}

TEST_CASE("a time statement tells the signer's own time, at a bounded rate") {
  Signer signer;
  wire::TimeStatement asked;
  asked.agent = AgentId::parse("host-0").value();
  asked.challenge.fill(9);
  asked.unix_ms = 42;  // What the control plane would like it to be
  const auto envelope = wire::decode_envelope(signer.service->sign_time(asked).value()).value();
  CHECK(
      signing::verify(envelope, wire::kTimeType, 1, std::vector{signer.acme.signer.public_key()}));
  const auto told = wire::decode_time(envelope.payload).value();
  CHECK(told.unix_ms == kNowMs);
  CHECK(told.challenge == asked.challenge);
  for (int i = 1; i < 20; ++i) REQUIRE(signer.service->sign_time(asked));
  const auto refused = signer.service->sign_time(asked);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kLimit);
  signer.clock.advance(std::chrono::seconds(61));
  CHECK(signer.service->sign_time(asked));
}

TEST_CASE("no time is stated after the wall clock jumped, until it is back or has stayed so" *
          doctest::test_suite("attacks")) {
  using std::chrono::seconds;
  const auto agent = AgentId::parse("host-0").value();
  for (const int jump : {7'200, -7'200, 61, -61}) {
    CAPTURE(jump);
    Signer signer;
    signer.limits.times_of_agent = {1'000, 1'000};
    signer.start();
    const auto said = [&] {
      const auto time = signer.service->sign_time({agent, {9}, 0});
      return time ? std::string() : word(time.error());
    };
    signer.clock.jump_wall(seconds(jump > 0 ? 60 : -60));
    CHECK(said() == "");  // As NTP may
    signer.clock.jump_wall(seconds(jump));
    CHECK(said() == "clock");
    signer.clock.advance(seconds(599));
    CHECK(said() == "clock");
    // Back, and away again: the wait begins anew.
    signer.clock.jump_wall(seconds(-jump));
    CHECK(said() == "");
    signer.clock.jump_wall(seconds(jump));
    CHECK(said() == "clock");
    signer.clock.advance(seconds(600));
    CHECK(said() == "");
    CHECK(signer.service->status().refused.at("clock") == 3);
  }
}

TEST_CASE("an audit head never goes back, and no number has two hashes" *
          doctest::test_suite("attacks")) {
  Signer signer;
  const auto first = signer.service->sign_audit_head(head(10, 1));
  const auto envelope = wire::decode_envelope(first.value()).value();
  CHECK(signing::verify(envelope, wire::kAuditHeadType, 1,
                        std::vector{signer.acme.audit.public_key()}));
  CHECK(wire::decode_audit_head(envelope.payload).value().unix_ms == kNowMs);
  CHECK(signer.service->sign_audit_head(head(10, 1)));
  for (int round = 0; round < 2; ++round) {
    CHECK(word(signer.service->sign_audit_head(head(10, 2)).error()) == "audit_rewritten");
    CHECK(word(signer.service->sign_audit_head(head(9, 1)).error()) == "audit_rewritten");
    signer.start();
  }
  CHECK(signer.service->sign_audit_head(head(11, 3)));
  CHECK(signer.service->status().audit_seq == 11);
  auto next = signer.acme.root(2);
  next.audit_key = Organisation().audit.public_key();
  REQUIRE(signer.service->take_roots(std::vector{signer.acme.signed_root(next)}));
  CHECK(word(signer.service->sign_audit_head(head(12, 3)).error()) == "audit_key");
}

TEST_CASE("rates: the limit passes, one more does not, and the refusal names limit and wait") {
  Signer signer;
  signer.limits.commands_of_agent = {3, 5};
  signer.limits.commands_of_tenant = {7, 100};
  signer.start();
  std::uint64_t seq = 0;
  for (int i = 0; i < 3; ++i) CHECK(signer.outcome(dry_run(++seq)) == "");
  const auto over = signer.service->sign_commands(encoded({dry_run(seq + 1)})).value()[0].error();
  CHECK(over.code() == Errc::kLimit);
  CHECK(over.message() ==
        "rate: 3 commands for agent host-0 in one minute are signed already; wait 61 s");
  CHECK(signer.outcome(dry_run(1, 1)) == "");  // Another agent
  signer.clock.advance(std::chrono::seconds(59));
  CHECK(signer.outcome(dry_run(++seq)) == "rate");
  signer.clock.advance(std::chrono::seconds(2));
  signer.clock.jump_wall(std::chrono::seconds(-61));  // Rates do not follow the wall clock
  --seq;
  for (int i = 0; i < 2; ++i) CHECK(signer.outcome(dry_run(++seq)) == "");
  signer.clock.jump_wall(std::chrono::seconds(-1));   // Rates do not follow the wall clock
  CHECK(signer.outcome(dry_run(seq + 1)) == "rate");  // 5 in an hour
  for (std::size_t i = 2; i < 7; ++i) CHECK(signer.outcome(dry_run(1, i)) == "");
  CHECK(signer.outcome(dry_run(1, 9)) == "rate");  // 7 of the tenant in this minute
  CHECK(signer.service->status().refused.at("rate") == 4);
}

TEST_CASE("a restart does not give the rates back" * doctest::test_suite("attacks")) {
  Signer signer;
  signer.limits.commands_of_agent = {3, 5};
  signer.limits.commands_of_tenant = {6, 100};
  signer.start();
  for (std::uint64_t seq = 1; seq <= 3; ++seq) CHECK(signer.outcome(dry_run(seq)) == "");
  for (int round = 0; round < 2; ++round) {
    signer.start();
    CHECK(signer.outcome(dry_run(4)) == "rate");
  }
  for (std::uint64_t seq = 1; seq <= 3; ++seq) CHECK(signer.outcome(dry_run(seq, 1)) == "");
  signer.start();
  CHECK(signer.outcome(dry_run(1, 2)) == "rate");  // The tenant's
  // A minute is remembered as a whole: two of them are over for sure.
  signer.clock.advance(std::chrono::seconds(121));
  signer.clock.jump_wall(std::chrono::seconds(-121));  // What is issued is issued now
  signer.start();
  CHECK(signer.outcome(dry_run(4)) == "rate");  // A wall clock that went back forgets nothing
  signer.clock.jump_wall(std::chrono::seconds(121));
  signer.start();
  CHECK(signer.state->rates(signer.clock.unix_ms() + 7'200'000).value().empty());
}

TEST_CASE("agents that are made up do not fill the signer's memory" *
          doctest::test_suite("attacks")) {
  Signer signer;
  signer.limits.max_agents = 2;
  signer.limits.times_of_all = {4, 100};
  signer.start();
  const auto agent = [](int i) { return AgentId::parse("made-up-" + std::to_string(i)).value(); };
  for (int i = 0; i < 4; ++i) CHECK(signer.service->sign_time({agent(i), {9}, 0}));
  const auto over = signer.service->sign_time({agent(4), {9}, 0});
  REQUIRE_FALSE(over);
  CHECK(over.error().message() ==
        "rate: 4 time statements for all agents in one minute are signed already; wait 61 s");
  CHECK(signer.outcome(dry_run(1, 0)) == "");
  CHECK(signer.outcome(dry_run(1, 1)) == "");
  CHECK(signer.outcome(dry_run(1, 2)) == "rate");
  CHECK(signer.outcome(dry_run(2, 1)) == "");
  CHECK(signer.service->revoke_agent(agent(0)));
  CHECK(signer.service->revoke_agent(agent(1)));
  CHECK(signer.service->revoke_agent(agent(2)).error().code() == Errc::kLimit);
  CHECK(signer.service->revoke_agent(agent(1)));
}

TEST_CASE("an audit head far above the last would be the last one ever" *
          doctest::test_suite("attacks")) {
  Signer signer;
  REQUIRE(signer.service->sign_audit_head(head(5'000'000, 1)));  // The first, of a log that is old
  CHECK(word(signer.service->sign_audit_head(head(5'000'001 + signer::kMaxHeadStep, 2)).error()) ==
        "audit_jump");
  CHECK(word(signer.service->sign_audit_head(head(UINT64_MAX / 2, 2)).error()) == "audit_jump");
  CHECK(signer.service->sign_audit_head(head(5'000'000 + signer::kMaxHeadStep, 2)));
}

TEST_CASE("without a root nothing is signed; the first one must name this signer" *
          doctest::test_suite("attacks")) {
  Signer signer(false);
  CHECK(word(signer.service->sign_commands(encoded({dry_run(1)})).error()) == "no_root");
  CHECK(word(signer.service->sign_time({AgentId::parse("a").value(), {}, 0}).error()) == "no_root");
  CHECK(word(signer.service->sign_audit_head(head(1, 1)).error()) == "no_root");
  Organisation mallory;
  CHECK(
      word(signer.service->take_roots(std::vector{mallory.signed_root(mallory.root())}).error()) ==
      "root_refused");
  CHECK(signer.service->take_roots({}));
  const auto v1 = signer.acme.signed_root(signer.acme.root());
  const auto v2 = signer.acme.signed_root(signer.acme.root(2));
  REQUIRE(signer.service->take_roots(std::vector{v1, v2}));
  CHECK(signer.service->status().root_version == 2);
  // From then on nobody hands in another one, nor an older one as the newest.
  CHECK_FALSE(signer.service->take_roots(std::vector{mallory.signed_root(mallory.root())}));
  signer.start();
  CHECK(signer.service->take_roots(std::vector{v1}));
  CHECK(signer.service->status().root_version == 2);
}

TEST_CASE("a pinned root is the only one to begin with" * doctest::test_suite("attacks")) {
  Signer signer(false);
  const auto v1 = signer.acme.signed_root(signer.acme.root());
  signer.pin = std::string(64, 'a');
  signer.start();
  CHECK(word(signer.service->take_roots(std::vector{v1}).error()) == "root_refused");
  signer.pin = signing::sha256_hex(v1);
  signer.start();
  CHECK(signer.service->take_roots(std::vector{v1}));
}

TEST_CASE("one signer for each folder; a damaged memory is an error, not a new beginning") {
  Signer signer;
  CHECK(signer::SignerState::open(signer.dir / "signer.db").error().code() == Errc::kUnavailable);
  signer.service.reset();
  signer.state.reset();
  REQUIRE(files::write_atomic(signer.dir / "signer.db", std::string(8192, 'x'), 0600));
  CHECK(signer::SignerState::open(signer.dir / "signer.db").error().code() == Errc::kCorrupt);
}

TEST_CASE("of one batch each approval is verified once") {
  Signer signer;
  signer.limits.commands_of_tenant = {100'000, 100'000};
  signer.start();
  Batch batch;
  batch.size = 1000;
  const auto asked = encoded(batch.commands({Batch::sign(batch.approval(), signer.acme.ada)}));
  const auto outcomes = signer.service->sign_commands(asked).value();
  CHECK(std::all_of(outcomes.begin(), outcomes.end(), [](const auto& one) { return bool(one); }));
  signer::Approvals approvals;
  approvals.trust(signer.acme.root());
  for (const auto& bytes : asked) {
    const auto opened = signer::open_command(bytes).value();
    REQUIRE(approvals.check(opened.command, opened.intent, kNowMs));
  }
  CHECK(approvals.verified() == 1);
}
