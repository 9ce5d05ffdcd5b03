#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "attack_rig.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;

namespace {

// The wall clock and the disk of this executor are the test's.
struct FaultyRig : AttackRig {
  FaultyRig() {
    stop();
    preload_faults();
    start();
  }
};

// Another session, whose time nobody has told.
void forget_time(AttackRig& rig) {
  rig.stop();
  std::filesystem::remove_all(rig.path("run"));
  rig.start();
}

}  // namespace

TEST_CASE_FIXTURE(AttackRig, "a host that does not know the time") {
  const auto intent = looked_at(mark_intent());
  forget_time(*this);
  CHECK(status().state == "time unknown");
  refused(approved(intent), "time_unknown");
  refused(addressed(keys.dry_run(mark_intent())), "time_unknown");
  learn_time();
  executed(approved(intent));
}

TEST_CASE_FIXTURE(AttackRig, "a time that a stranger, an approver or root states") {
  forget_time(*this);
  const auto statement = *wire::encode_time({keys.agent, status().time_challenge, keys.now_ms});
  for (const auto& key : {keys.stranger, keys.alice, keys.root_a, keys.audit, keys.result_key})
    CHECK(ask(FrameKind::kTime, test::sign(wire::kTimeType, statement, {key})).kind ==
          FrameKind::kError);
  CHECK(status().state == "time unknown");
}

TEST_CASE_FIXTURE(AttackRig, "a time that was recorded and is told again") {
  forget_time(*this);
  const auto recorded = keys.sign_time(status().time_challenge, keys.now_ms);
  REQUIRE(ask(FrameKind::kTime, recorded).kind == FrameKind::kDone);
  CHECK(ask(FrameKind::kTime, recorded).kind == FrameKind::kError);
  forget_time(*this);
  CHECK(ask(FrameKind::kTime, recorded).kind == FrameKind::kError);
  CHECK(status().state == "time unknown");
}

TEST_CASE_FIXTURE(AttackRig, "a time for another host, or in another envelope") {
  forget_time(*this);
  const auto challenge = status().time_challenge;
  const auto other = *wire::encode_time({*AgentId::parse("agent-2"), challenge, keys.now_ms});
  CHECK(ask(FrameKind::kTime, test::sign(wire::kTimeType, other, {keys.signer})).kind ==
        FrameKind::kError);
  const auto mine = *wire::encode_time({keys.agent, challenge, keys.now_ms});
  CHECK(ask(FrameKind::kTime, test::sign(wire::kAuditHeadType, mine, {keys.signer})).kind ==
        FrameKind::kError);
  CHECK(status().state == "time unknown");
}

TEST_CASE_FIXTURE(FaultyRig, "a wall clock that jumps, as after a memory snapshot was restored") {
  const auto intent = looked_at(mark_intent());
  for (const std::int64_t hours : {1, -1}) {
    const auto command = approved(intent);
    shift_clock_ms(hours * 3'600'000);
    refused(command, "wrong_session");
    refused(approved(intent), "time_unknown");
    learn_time();
    shift_clock_ms(hours * 3'600'000 + 30'000);  // Half a minute is a clock that is set
    executed(approved(intent));
    shift_clock_ms(0);
    CHECK(status().state == "time unknown");
    learn_time();
  }
}

// Signer and control plane are taken over, and say the truth again before the approvals end.
TEST_CASE_FIXTURE(FaultyRig, "a time far ahead, to make the host forget what it executed") {
  constexpr std::int64_t kHourMs = 3'600'000;
  const std::int64_t began_ms = keys.now_ms;
  auto command = approved_mark();
  auto approval = keys.approval(command);
  approval.expires_ms = began_ms + 24 * kHourMs;
  command.approvals = {keys.sign_approval(approval, keys.alice),
                       keys.sign_approval(approval, keys.bob)};
  executed(command);

  pass_time_ms(6 * kHourMs);
  keys.now_ms = began_ms + 49 * kHourMs;
  learn_time();
  looked_at(mark_intent());  // What is old goes with each command

  pass_time_ms(6 * kHourMs);
  keys.now_ms = began_ms + 12 * kHourMs;
  CHECK(tell_time(keys.now_ms).kind == FrameKind::kError);
  learn_time();
  command.issued_ms = command.not_before_ms = keys.now_ms;
  command.expires_ms = keys.now_ms + kHourMs;
  refused(made_anew(command), "replayed");
}

TEST_CASE_FIXTURE(FaultyRig, "a ledger on a full disk") {
  const auto intent = looked_at(mark_intent());
  const auto command = approved(intent);
  fail_writes(ENOSPC);
  refused(command, "ledger");
  fail_writes(0);
  executed(approved(intent));
}

TEST_CASE_FIXTURE(FaultyRig, "a ledger on a disk that fails") {
  const auto intent = looked_at(mark_intent());
  const auto command = approved(intent);
  fail_writes(EIO);
  refused(command, "ledger");
}

TEST_CASE_FIXTURE(AttackRig, "a ledger that is damaged") {
  const auto command = approved_mark();
  stop();
  std::filesystem::remove(path("state/ledger.db-wal"));
  std::ofstream(path("state/ledger.db")) << std::string(8192, 'x');
  start();
  CHECK(status().state.starts_with("ledger: "));
  refused(command, "ledger");
}

TEST_CASE_FIXTURE(AttackRig, "a ledger that is a folder") {
  const auto command = approved_mark();
  stop();
  for (const char* name : {"state/ledger.db", "state/ledger.db-wal", "state/ledger.db-shm"})
    std::filesystem::remove(path(name));
  std::filesystem::create_directory(path("state/ledger.db"));
  start();
  refused(command, "ledger");
}

TEST_CASE_FIXTURE(AttackRig, "a run directory that others may write") {
  const auto command = approved_mark();
  stop();
  ::chmod(path("run").c_str(), 0777);
  start();
  CHECK(ask(FrameKind::kCommand, sign(command)).kind == FrameKind::kError);
  CHECK(marks() == 0);
}
