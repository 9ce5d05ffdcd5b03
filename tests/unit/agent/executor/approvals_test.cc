#include <doctest/doctest.h>

#include "agent/executor/admission.h"
#include "tests/support/command_rig.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::CommandRig;

namespace {

struct Approvals {
  CommandRig rig;
  wire::Intent intent = [this] {
    auto out = rig.intent("docker.prune", {});
    out.diff.fill(1);
    return out;
  }();
  wire::Command command = rig.execute(intent);
  signing::RootMetadata root = rig.root_metadata();

  std::string reason(std::uint32_t needed = 2) {
    Received received;
    received.command = command;
    received.intent = *wire::decode_intent(command.intent);
    received.now_ms = rig.now_ms;
    const auto refused = check_approvals(received, root, needed);
    return refused ? refused->reason : "";
  }
};

}  // namespace

TEST_CASE_FIXTURE(Approvals, "two persons approve a batch") {
  rig.approve(command, {rig.alice, rig.bob});
  CHECK(reason() == "");
  CHECK(reason(3) == "approval_missing");
}

TEST_CASE_FIXTURE(Approvals, "nobody, one, and one twice are not two") {
  CHECK(reason() == "approval_missing");
  rig.approve(command, {rig.alice});
  CHECK(reason() == "approval_missing");
  rig.approve(command, {rig.alice_phone});
  CHECK(reason() == "approval_missing");
  rig.approve(command, {rig.alice});
  CHECK(reason() == "approval_missing");
  CHECK(reason(1) == "");
}

TEST_CASE_FIXTURE(Approvals, "who asked does not approve, and no other approval heals that") {
  rig.approve(command, {rig.alice, rig.bob, rig.carol});
  CHECK(reason() == "requester_approves");
}

TEST_CASE_FIXTURE(Approvals, "a name in other letters is the same person") {
  intent.requester = "Alice";
  command = rig.execute(intent);
  rig.approve(command, {rig.alice, rig.bob});
  CHECK(reason() == "requester_approves");
  intent.requester = "carol";
  command = rig.execute(intent);
  rig.approve(command, {rig.alice, rig.alice_phone});
  root.approvers[1].person = "ALICE";
  CHECK(reason() == "approval_missing");
  CHECK(reason(1) == "");
  intent.requester = "aLiCe";
  command = rig.execute(intent);
  rig.approve(command, {rig.alice_phone, rig.bob});
  CHECK(reason() == "requester_approves");
}

TEST_CASE_FIXTURE(Approvals, "an approval of something else is refused, beside good ones too") {
  rig.approve(command, {rig.alice, rig.bob});
  const auto good = command.approvals;
  const auto with = [&](auto change) {
    auto approval = rig.approval(command);
    change(approval);
    command.approvals = good;
    command.approvals.push_back(rig.sign_approval(approval, rig.bob));
    return reason();
  };
  CHECK(with([](auto&) {}) == "");
  CHECK(with([](auto& one) { one.plan = *wire::PlanId::parse("plan-2"); }) == "approval_invalid");
  CHECK(with([](auto& one) { one.tenant = *TenantId::parse("t2"); }) == "approval_invalid");
  CHECK(with([](auto& one) { one.batch_root[0] ^= 1; }) == "approval_invalid");
  CHECK(with([](auto& one) { one.batch_size += 1; }) == "approval_invalid");
  CHECK(with([&](auto& one) {
          one.issued_ms = rig.now_ms - 5;
          one.expires_ms = rig.now_ms;
        }) == "approval_invalid");
  CHECK(with([&](auto& one) {
          one.issued_ms = rig.now_ms + 3'600'001;
          one.expires_ms = one.issued_ms + 5;
        }) == "approval_invalid");
  CHECK(with([](auto& one) {
          one.decision = wire::ApprovalDecision::kReject;
          one.reason = "no";
        }) == "approval_invalid");
  const auto beside = [&](const std::string& envelope) {
    command.approvals = good;
    command.approvals.push_back(envelope);
    return reason();
  };
  CHECK(beside(rig.sign_approval(rig.approval(command), rig.stranger)) == "approval_invalid");
  CHECK(beside("no envelope") == "approval_invalid");
  CHECK(beside(test::sign(wire::kCommandType, *wire::encode_approval(rig.approval(command)),
                          {rig.bob})) == "approval_invalid");
}

TEST_CASE_FIXTURE(Approvals, "an intent that is not where it says in the batch is refused") {
  auto other = intent;
  other.agent = *AgentId::parse("agent-2");
  const std::vector<std::string> leaves = {
      *wire::encode_intent(other), *wire::encode_intent(intent), *wire::encode_intent(other)};
  command = rig.execute(intent, leaves, 1);
  rig.approve(command, {rig.alice, rig.bob});
  CHECK(reason() == "");
  const auto good = command;
  command.batch_index = 0;
  CHECK(reason() == "not_in_batch");
  command = good;
  command.path.pop_back();
  CHECK(reason() == "not_in_batch");
  command = good;
  command.batch_size = 5;
  CHECK(reason() == "not_in_batch");
  command = good;
  auto widened = intent;
  widened.parameters["build_cache"] = true;
  command.intent = *wire::encode_intent(widened);
  CHECK(reason() == "not_in_batch");
}
