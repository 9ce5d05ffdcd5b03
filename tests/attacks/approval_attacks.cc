#include <filesystem>
#include <fstream>

#include "attack_rig.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;

namespace {

// A command for `rig`'s host with these approvals and no others.
wire::Command with_approvals(AttackRig& rig, const std::vector<signing::SigningKeyPair>& keys) {
  auto command = rig.keys.execute(rig.looked_at(rig.mark_intent()));
  rig.keys.approve(command, keys);
  return rig.addressed(std::move(command));
}

// alice's good approval, and one of bob that is changed.
void refused_approval(AttackRig& rig, const std::function<void(wire::Approval&)>& change) {
  auto command = with_approvals(rig, {rig.keys.alice});
  auto approval = rig.keys.approval(command);
  change(approval);
  command.approvals.push_back(rig.keys.sign_approval(approval, rig.keys.bob));
  rig.refused(command, "approval_invalid");
}

}  // namespace

TEST_CASE_FIXTURE(AttackRig, "no approval: the control plane alone cannot command") {
  refused(with_approvals(*this, {}), "approval_missing");
}

TEST_CASE_FIXTURE(AttackRig, "one approval where two are needed") {
  refused(with_approvals(*this, {keys.alice}), "approval_missing");
}

TEST_CASE_FIXTURE(AttackRig, "the same person with two keys") {
  refused(with_approvals(*this, {keys.alice, keys.alice_phone}), "approval_missing");
}

TEST_CASE_FIXTURE(AttackRig, "the same approval many times") {
  refused(with_approvals(*this, {keys.alice, keys.alice, keys.alice}), "approval_missing");
}

TEST_CASE_FIXTURE(AttackRig, "who asked for it approves it") {
  refused(with_approvals(*this, {keys.alice, keys.carol}), "requester_approves");
  refused(with_approvals(*this, {keys.alice, keys.bob, keys.carol}), "requester_approves");
}

TEST_CASE_FIXTURE(AttackRig, "who asked for it approves it by a name in other letters") {
  auto intent = looked_at(mark_intent());
  for (const char* requester : {"Alice", "ALICE", "bOB"}) {
    intent.requester = requester;
    refused(approved(intent), "requester_approves");
  }
}

TEST_CASE_FIXTURE(AttackRig, "the same person with two keys, named in other letters") {
  auto root = keys.root_metadata(2);
  root.approvers[1].person = "Alice";
  REQUIRE(offer_roots({keys.sign_root(root)}).kind == FrameKind::kDone);
  auto command = keys.execute(looked_at(mark_intent()));
  keys.approve(command, {keys.alice, keys.alice_phone});
  refused(addressed(command), "approval_missing");
}

TEST_CASE_FIXTURE(AttackRig, "approvals signed by the signer") {
  refused(with_approvals(*this, {keys.signer}), "approval_invalid");
}

TEST_CASE_FIXTURE(AttackRig, "approvals signed by a stranger") {
  refused(with_approvals(*this, {keys.alice, keys.stranger}), "approval_invalid");
}

TEST_CASE_FIXTURE(AttackRig, "approvals of another batch") {
  refused_approval(*this, [](auto& one) { one.batch_root.fill(9); });
  auto other_intent = looked_at(mark_intent());
  other_intent.timeout_ms += 1;
  const auto other = keys.execute(other_intent);
  auto command = with_approvals(*this, {});
  keys.approve(command, {});
  for (const auto& key : {keys.alice, keys.bob})
    command.approvals.push_back(keys.sign_approval(keys.approval(other), key));
  refused(command, "approval_invalid");
}

TEST_CASE_FIXTURE(AttackRig, "an approval of another plan") {
  refused_approval(*this, [](auto& one) { one.plan = *wire::PlanId::parse("plan-2"); });
}

TEST_CASE_FIXTURE(AttackRig, "an approval of another tenant") {
  refused_approval(*this, [](auto& one) { one.tenant = *TenantId::parse("tenant-2"); });
}

TEST_CASE_FIXTURE(AttackRig, "an approval of fewer hosts than the batch has") {
  refused_approval(*this, [](auto& one) { one.batch_size = 2; });
}

TEST_CASE_FIXTURE(AttackRig, "an expired approval") {
  refused_approval(*this, [&](auto& one) {
    one.issued_ms = keys.now_ms - 3'600'000;
    one.expires_ms = keys.now_ms;
  });
}

TEST_CASE_FIXTURE(AttackRig, "a rejection in place of an approval") {
  refused_approval(*this, [](auto& one) {
    one.decision = wire::ApprovalDecision::kReject;
    one.reason = "not on a Friday";
  });
}

TEST_CASE_FIXTURE(AttackRig, "an altered approval") {
  auto command = with_approvals(*this, {keys.alice, keys.bob});
  auto opened = *wire::decode_envelope(command.approvals[1]);
  opened.payload[opened.payload.size() / 2] ^= 1;
  command.approvals[1] = wire::encode_envelope(opened);
  refused(command, "approval_invalid");
  command = with_approvals(*this, {keys.alice});
  command.approvals.push_back("what is this");
  refused(command, "approval_invalid");
}

TEST_CASE_FIXTURE(AttackRig, "an approver's signature on something that is no approval") {
  auto command = with_approvals(*this, {keys.alice});
  const auto payload = *wire::encode_approval(keys.approval(command));
  command.approvals.push_back(test::sign(wire::kAuditHeadType, payload, {keys.bob}));
  refused(command, "approval_invalid");
}

TEST_CASE_FIXTURE(AttackRig, "a batch that was widened by one host after it was approved") {
  auto approved_intent = looked_at(mark_intent());
  approved_intent.agent = *AgentId::parse("agent-2");
  auto batch = keys.execute(approved_intent);
  keys.approve(batch, {keys.alice, keys.bob});
  // This host is put beside the one that was approved.
  const auto intent = looked_at(mark_intent());
  auto command = keys.execute(
      intent, {*wire::encode_intent(approved_intent), *wire::encode_intent(intent)}, 1);
  command.approvals = batch.approvals;
  refused(addressed(command), "approval_invalid");
  // Or takes its place under the approved root.
  signing::random_bytes(command.id);
  command.batch_root = batch.batch_root;
  command.batch_size = batch.batch_size;
  command.batch_index = 0;
  command.path.clear();
  refused(addressed(command), "not_in_batch");
}

TEST_CASE_FIXTURE(AttackRig, "a parameter that was changed after it was approved") {
  write_program("choose", "echo began >> '" + path("marker") + "'\n");
  write_policy(site_policy());
  auto intent =
      keys.intent("runbook", {{"runbook", std::string("choose")}, {"what", std::string("one")}});
  auto command = approved(looked_at(intent));
  auto other = *wire::decode_intent(command.intent);
  other.parameters["what"] = std::string("two");
  command.intent = *wire::encode_intent(other);
  refused(command, "not_in_batch");
}

TEST_CASE_FIXTURE(AttackRig, "another place, path or size in the batch") {
  const auto intent = looked_at(mark_intent());
  auto other = intent;
  other.agent = *AgentId::parse("agent-2");
  auto third = intent;
  third.agent = *AgentId::parse("agent-3");
  const std::vector<std::string> leaves = {
      *wire::encode_intent(other), *wire::encode_intent(intent), *wire::encode_intent(third)};
  const auto make = [&] {
    auto command = keys.execute(intent, leaves, 1);
    keys.approve(command, {keys.alice, keys.bob});
    return addressed(command);
  };
  auto moved = make();
  moved.batch_index = 2;
  refused(moved, "not_in_batch");
  auto shorter = make();
  shorter.path.pop_back();
  refused(shorter, "not_in_batch");
  auto longer = make();
  longer.path.push_back(longer.path[0]);
  refused(longer, "not_in_batch");
  auto swapped = make();
  std::swap(swapped.path[0], swapped.path[1]);
  refused(swapped, "not_in_batch");
  executed(make());
}

TEST_CASE_FIXTURE(AttackRig, "a dry run that is turned into an execution") {
  const auto intent = mark_intent();
  auto command = addressed(keys.dry_run(intent));
  const auto payload = *wire::encode_command(command);
  const auto at = payload.find(command.intent) + command.intent.size();
  REQUIRE(payload.substr(at, 2) == std::string("\x18\x01"));
  auto turned = payload;
  turned[at + 1] = 2;
  refused(test::sign(wire::kCommandType, turned, {keys.signer}), "malformed");
  auto opened = *wire::decode_envelope(sign(command));
  opened.payload = turned;
  refused(wire::encode_envelope(opened), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig,
                  "one approval used again: another command with the same approved intent") {
  const auto command = approved_mark();
  executed(command);
  refused(made_anew(command), "replayed");
  restart();
  refused(made_anew(command), "replayed");
  // In another batch of the plan, approved anew.
  const auto intent = *wire::decode_intent(command.intent);
  auto beside = intent;
  beside.agent = *AgentId::parse("agent-2");
  auto wider = keys.execute(intent, {command.intent, *wire::encode_intent(beside)}, 0);
  keys.approve(wider, {keys.alice, keys.bob});
  refused(addressed(wider), "replayed");
  executed(approved(intent));  // Another plan
}

TEST_CASE_FIXTURE(AttackRig, "one approval used again after its first command failed") {
  write_program("mark", "echo began >> '" + path("marker") + "'\nexit 3\n");
  write_policy(site_policy());
  const auto command = approved_mark();
  CHECK(deliver(sign(command)).outcome == wire::ResultOutcome::kFailed);
  CHECK(marks() == 1);
  refused(made_anew(command), "replayed");
}

TEST_CASE_FIXTURE(AttackRig, "an approval that is dated in the future, to last longer") {
  refused_approval(*this, [&](auto& one) {
    one.issued_ms = keys.now_ms + 12LL * 3'600'000;
    one.expires_ms = one.issued_ms + 24LL * 3'600'000;
  });
}

TEST_CASE_FIXTURE(AttackRig,
                  "control: an approved command that was refused before it began is tried again") {
  const auto command = approved_mark();
  std::ofstream(path("etc/DISABLE_COMMANDS")).close();
  refused(command, "disabled");
  std::filesystem::remove(path("etc/DISABLE_COMMANDS"));
  executed(made_anew(command));
}

TEST_CASE_FIXTURE(AttackRig, "an execution of what nobody dry ran on this host") {
  auto intent = mark_intent();
  intent.state.fill(1);
  intent.diff.fill(1);
  refused(approved(intent), "stale");
}

TEST_CASE_FIXTURE(AttackRig, "a stale dry run: the target has changed since") {
  const auto command = approved_mark();
  write_program("mark", "# Another one\necho began >> '" + path("marker") + "'\n");
  write_policy(site_policy());  // Allowed too, and not what was approved
  refused(command, "stale");
}

TEST_CASE_FIXTURE(AttackRig, "an approved diff that is not what would happen") {
  auto intent = looked_at(mark_intent());
  intent.diff.fill(1);
  refused(approved(intent), "diff_changed");
}

TEST_CASE_FIXTURE(AttackRig, "a tier that was lowered to need fewer persons") {
  auto intent = looked_at(mark_intent());
  intent.tier = 1;
  auto command = keys.execute(intent);
  keys.approve(command, {keys.alice});
  refused(addressed(command), "wrong_tier");
  intent.tier = 0;
  refused(addressed(keys.execute(intent)), "wrong_tier");
}

TEST_CASE_FIXTURE(AttackRig, "another manifest, or an older one, than this host's") {
  auto intent = looked_at(mark_intent());
  intent.manifest[5] ^= 1;
  refused(approved(intent), "wrong_manifest");
  intent = looked_at(mark_intent());
  intent.action_version += 1;
  refused(approved(intent), "wrong_manifest");
}
