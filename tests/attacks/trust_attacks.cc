#include "attack_rig.h"
#include "protocol/base/files.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;

namespace {

// Root metadata 2 in which another key signs.
signing::RootMetadata without_signer(const AttackRig& rig, std::uint64_t version = 2) {
  auto root = rig.keys.root_metadata(version);
  root.signers[0].key = test::key_of(60).public_key();
  return root;
}

void take(const AttackRig& rig, const signing::RootMetadata& root) {
  const auto reply = rig.offer_roots({rig.keys.sign_root(root)});
  REQUIRE_MESSAGE(reply.kind == FrameKind::kDone, reply.body);
}

}  // namespace

TEST_CASE_FIXTURE(AttackRig, "a revoked signer") {
  const auto command = approved_mark();
  take(*this, without_signer(*this));
  refused(command, "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "a signer whose delegation has ended") {
  auto root = keys.root_metadata(2);
  root.signers[0].delegation.not_after_ms = keys.now_ms;
  const auto command = approved_mark();
  take(*this, root);
  refused(command, "out_of_delegation");
}

TEST_CASE_FIXTURE(AttackRig, "a revoked approver") {
  const auto command = approved_mark();
  auto root = keys.root_metadata(2);
  std::erase_if(root.approvers, [](const auto& one) { return one.person == "bob"; });
  take(*this, root);
  refused(command, "approval_invalid");
}

TEST_CASE_FIXTURE(AttackRig, "expired root metadata") {
  const auto command = approved_mark();
  auto root = keys.root_metadata(2);
  root.expires_ms = keys.now_ms;
  take(*this, root);
  refused(command, "root_expired");
  CHECK(status().state == "root expired");
}

TEST_CASE_FIXTURE(AttackRig, "root metadata rolled back to bring a revoked signer back") {
  const auto command = approved_mark();
  take(*this, without_signer(*this));
  offer_roots({keys.sign_root(keys.root_metadata(1))});
  CHECK(status().root_version == 2);
  refused(command, "bad_signature");
  restart();
  offer_roots({keys.sign_root(keys.root_metadata(1))});
  CHECK(status().root_version == 2);
}

TEST_CASE_FIXTURE(AttackRig, "a disk restored from before a signer was revoked") {
  const auto command = approved_mark();
  stop();
  copy_state("snapshot");
  start();
  take(*this, without_signer(*this));
  stop();
  restore_state("snapshot");
  start();
  CHECK(status().root_version == 1);
  refused(command, "root_outdated");
}

TEST_CASE_FIXTURE(AttackRig, "root metadata that skips a version") {
  CHECK(offer_roots({keys.sign_root(keys.root_metadata(3))}).kind == FrameKind::kError);
  CHECK(status().root_version == 1);
  executed(approved_mark());
}

TEST_CASE_FIXTURE(AttackRig, "root metadata signed by one of two") {
  const auto forged =
      test::sign(signing::kRootType, wire::encode_root(without_signer(*this)), {keys.root_a});
  CHECK(offer_roots({forged}).kind == FrameKind::kError);
  CHECK(status().root_version == 1);
  executed(approved_mark());
}

TEST_CASE_FIXTURE(AttackRig, "root metadata of an attacker's own root keys") {
  auto root = without_signer(*this);
  const auto mine = test::key_of(61);
  root.root_keys = {mine.public_key()};
  root.root_threshold = 1;
  root.signers[0].key = keys.stranger.public_key();
  CHECK(offer_roots({test::sign(signing::kRootType, wire::encode_root(root), {mine})}).kind ==
        FrameKind::kError);
  CHECK(status().root_version == 1);
  refused(test::sign(wire::kCommandType, *wire::encode_command(approved_mark()), {keys.stranger}),
          "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "another root metadata of the version in force") {
  auto root = keys.root_metadata(1);
  root.signers[0].key = keys.stranger.public_key();
  CHECK(offer_roots({keys.sign_root(root)}).kind == FrameKind::kError);
  executed(approved_mark());
}

TEST_CASE_FIXTURE(AttackRig, "root metadata that the signer and the approvers signed") {
  const auto bytes = wire::encode_root(without_signer(*this));
  const auto forged =
      test::sign(signing::kRootType, bytes, {keys.signer, keys.alice, keys.bob, keys.audit});
  CHECK(offer_roots({forged}).kind == FrameKind::kError);
  CHECK(status().root_version == 1);
}

TEST_CASE_FIXTURE(AttackRig,
                  "a command that counts on root metadata which was withheld from the host") {
  refused_with("root_outdated", [](auto& one) { one.root_version = 2; });
}

TEST_CASE_FIXTURE(AttackRig, "an action outside of the signer's delegation") {
  auto root = keys.root_metadata(2);
  root.signers[0].delegation.actions = {"docker.restart"};
  const auto command = approved_mark();
  take(*this, root);
  refused(command, "out_of_delegation");
}

TEST_CASE_FIXTURE(AttackRig, "a batch larger than the signer's delegation") {
  const auto intent = looked_at(mark_intent());
  auto root = keys.root_metadata(2);
  root.signers[0].delegation.max_targets = 2;
  take(*this, root);
  const auto bytes = *wire::encode_intent(intent);
  auto command = keys.execute(intent, {bytes, bytes, bytes}, 1);
  keys.approve(command, {keys.alice, keys.bob});
  refused(addressed(command), "out_of_delegation");
}

TEST_CASE_FIXTURE(AttackRig, "trust whose signer was exchanged on the disk") {
  const auto command = approved_mark();
  stop();
  auto root = keys.root_metadata();
  root.signers[0].key = keys.stranger.public_key();
  REQUIRE(files::write_atomic(path("state/trust/root.v1"), keys.sign_root(root), 0600));
  start();
  const auto reply = ask(FrameKind::kCommand, sign(command));
  CHECK(reply.kind == FrameKind::kError);  // Without trust there is nobody to sign a result for
  CHECK(marks() == 0);
}
