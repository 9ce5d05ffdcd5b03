#include <chrono>
#include <filesystem>
#include <thread>

#include "attack_rig.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;
using namespace std::chrono_literals;

TEST_CASE_FIXTURE(AttackRig,
                  "control: what two persons approved is executed once, with a signed result") {
  const auto result = deliver(sign(approved_mark()));
  CHECK(result.outcome == wire::ResultOutcome::kSucceeded);
  CHECK(result.target == "runbook/mark");
  CHECK(result.started_ms > 0);
  CHECK(marks() == 1);
  CHECK(waiting_results().size() == 2);  // The dry run's too
}

TEST_CASE_FIXTURE(AttackRig, "control: a dry run changes nothing") {
  looked_at(mark_intent());
  CHECK(marks() == 0);
}

TEST_CASE_FIXTURE(AttackRig, "the same command again: its stored result, nothing is done") {
  const auto command = sign(approved_mark());
  const auto first = ask(FrameKind::kCommand, command);
  CHECK(ask(FrameKind::kCommand, command).body == first.body);
  CHECK(ask(FrameKind::kCommand, command).body == first.body);
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "the same command after a restart of the executor") {
  const auto command = sign(approved_mark());
  const auto first = ask(FrameKind::kCommand, command);
  restart();
  CHECK(ask(FrameKind::kCommand, command).body == first.body);
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "the same command after its result was spooled") {
  const auto command = sign(approved_mark());
  const auto first = ask(FrameKind::kCommand, command);
  const auto digest = signing::sha256(first.body);
  CHECK(ask(FrameKind::kSpooled, std::string(digest.begin(), digest.end())).kind ==
        FrameKind::kDone);
  CHECK(ask(FrameKind::kCommand, command).body == first.body);
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "the same command after the disk was restored from a snapshot") {
  const auto command = sign(approved_mark());
  stop();
  copy_state("snapshot");
  start();
  CHECK(deliver(command).outcome == wire::ResultOutcome::kSucceeded);
  stop();
  restore_state("snapshot");
  start();
  refused(command, "sequence");
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "the same command after disk restore and reboot") {
  const auto command = sign(approved_mark());
  stop();
  copy_state("snapshot");
  start();
  CHECK(deliver(command).outcome == wire::ResultOutcome::kSucceeded);
  stop();
  restore_state("snapshot");
  std::filesystem::remove_all(path("run"));  // A tmpfs
  start();
  learn_time();
  refused(command, "wrong_session");
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "the same command after the ledger was deleted") {
  const auto command = sign(approved_mark());
  CHECK(deliver(command).outcome == wire::ResultOutcome::kSucceeded);
  stop();
  for (const char* name : {"state/ledger.db", "state/ledger.db-wal", "state/ledger.db-shm"})
    std::filesystem::remove(path(name));
  start();
  refused(command, "sequence");
  CHECK(marks() == 1);
}

TEST_CASE_FIXTURE(AttackRig, "a command that was held back until it expired") {
  auto command = approved_mark();
  command.expires_ms = keys.now_ms + 1'500;
  std::this_thread::sleep_for(1'600ms);
  refused(command, "expired");
}

TEST_CASE_FIXTURE(AttackRig, "a known id with other bytes") {
  const auto first = approved_mark();
  executed(first);
  auto second = approved_mark();
  second.id = first.id;
  refused(second, "replayed");
}

TEST_CASE_FIXTURE(AttackRig, "a lower sequence, as of a broker that reorders") {
  const auto intent = looked_at(mark_intent());
  const auto early = approved(intent);
  executed(approved(intent));
  refused(early, "sequence");
  auto same = approved(intent);
  same.seq -= 1;
  refused(same, "sequence");
}

TEST_CASE_FIXTURE(AttackRig, "a command of an earlier boot") {
  const auto command = approved_mark();
  stop();
  std::filesystem::remove_all(path("run"));
  start();
  learn_time();
  refused(command, "wrong_session");
}

TEST_CASE_FIXTURE(AttackRig, "a made up session") {
  refused_with("wrong_session", [](auto& one) { one.session.fill(7); });
}

TEST_CASE_FIXTURE(AttackRig, "a command of an earlier enrollment of this host") {
  const auto command = approved_mark();
  keys.result_key = test::key_of(77);
  enroll();
  learn_time();
  auto again = command;
  again.session = status().session;
  refused(again, "wrong_enrollment");
}

TEST_CASE_FIXTURE(AttackRig, "a command for another host, delivered here") {
  const auto intent = looked_at(mark_intent());
  auto other = intent;
  other.agent = *AgentId::parse("agent-2");
  refused(approved(other), "wrong_host");
}

TEST_CASE_FIXTURE(AttackRig, "a command for another tenant") {
  auto intent = looked_at(mark_intent());
  intent.tenant = *TenantId::parse("tenant-2");
  refused(approved(intent), "out_of_delegation");
  auto root = keys.root_metadata(2);
  root.signers[0].delegation.tenants.push_back(intent.tenant);
  REQUIRE(offer_roots({keys.sign_root(root)}).kind == FrameKind::kDone);
  refused(approved(intent), "wrong_tenant");
}

TEST_CASE_FIXTURE(AttackRig, "a command that is not valid yet, or would live for days") {
  refused_with("too_early", [&](auto& one) { one.not_before_ms = keys.now_ms + 3'600'000; });
  refused_with("lifetime", [&](auto& one) { one.expires_ms = one.issued_ms + 25LL * 3'600'000; });
}
