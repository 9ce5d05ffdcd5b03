// What is signed, and every reason why not.
#include <doctest/doctest.h>

#include "tests/unit/controlplane/signer/service_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {

// The first command of an approved batch, changed by `change` before it is asked for.
std::string refused(Signer& signer, const std::function<void(wire::Command&)>& change,
                    Batch batch = {}) {
  auto command = batch.commands({Batch::sign(batch.approval(), signer.acme.ada)})[0];
  change(command);
  return signer.outcome(command);
}

// The same with an intent and its tree changed.
std::string refused_intent(Signer& signer, const std::function<void(wire::Intent&)>& change) {
  Batch batch;
  auto intent = batch.intent(0);
  change(intent);
  const std::vector<std::string> leaves{wire::encode_intent(intent).value()};
  auto command = batch.bare(0);
  command.intent = leaves[0];
  command.mode = wire::CommandMode::kExecute;
  command.batch_root = signing::MerkleTree::create(leaves).value().root();
  command.batch_size = 1;
  auto approval = batch.approval();
  approval.batch_root = command.batch_root;
  approval.batch_size = 1;
  command.approvals = {Batch::sign(approval, signer.acme.ada)};
  return signer.outcome(command);
}

}  // namespace

TEST_CASE("an approved batch is signed as it was asked for, with the signer's key") {
  Signer signer;
  Batch batch;
  const auto asked = encoded(batch.commands({Batch::sign(batch.approval(), signer.acme.ada)}));
  const auto signed_ones = signer.service->sign_commands(asked).value();
  REQUIRE(signed_ones.size() == 3);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto envelope = wire::decode_envelope(signed_ones[i].value()).value();
    CHECK(envelope.payload == asked[i]);
    CHECK(signing::verify(envelope, wire::kCommandType, 1,
                          std::vector{signer.acme.signer.public_key()}));
  }
  CHECK(signer.service->status().signed_commands == 3);
}

TEST_CASE("a dry run needs nobody's approval") {
  Signer signer;
  CHECK(signer.outcome(Batch().dry_run()) == "");
  Batch wide;
  wide.action = "docker.prune";
  CHECK(signer.outcome(wide.dry_run(1)) == "");
}

TEST_CASE("bytes that are no command are refused, each alone" * doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  const auto good = wire::encode_command(batch.dry_run()).value();
  const auto outcomes =
      signer.service->sign_commands(std::vector<std::string>{"", good + "x", good}).value();
  CHECK(signer::word_of(outcomes[0].error().message()) == "malformed");
  CHECK(signer::word_of(outcomes[1].error().message()) == "malformed");
  CHECK(outcomes[2]);
  CHECK(signer.outcome(std::string(wire::kMaxCommandBytes, 'x')) == "oversized");
}

TEST_CASE("nothing is signed out of the delegation" * doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  batch.tenant = "other";
  CHECK(signer.outcome(batch.dry_run()) == "out_of_delegation");
  CHECK(refused_intent(signer, [](auto& i) { i.action = "runbook"; }) == "out_of_delegation");
  Batch wide;
  wide.size = 1001;
  CHECK(refused(
            signer, [](auto&) {}, wide) == "out_of_delegation");
  signer.clock.jump_wall(std::chrono::hours(24 * 30));
  Batch later;
  later.now_ms = signer.clock.unix_ms();
  CHECK(signer.outcome(later.dry_run()) == "out_of_delegation");
}

TEST_CASE("a key that the newest root does not name signs nothing" *
          doctest::test_suite("attacks")) {
  Signer signer;
  auto next = signer.acme.root(2);
  next.signers.clear();
  REQUIRE(signer.service->take_roots(std::vector{signer.acme.signed_root(next)}));
  Batch batch;
  batch.root_version = 2;
  CHECK(signer.outcome(batch.dry_run()) == "out_of_delegation");
}

TEST_CASE("the command names the root in force, which has not expired" *
          doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  batch.root_version = 2;
  CHECK(signer.outcome(batch.dry_run()) == "root_outdated");
  auto next = signer.acme.root(2);
  next.expires_ms = kNowMs;
  REQUIRE(signer.service->take_roots(std::vector{signer.acme.signed_root(next)}));
  CHECK(signer.outcome(batch.dry_run()) == "root_expired");
  batch.root_version = 1;
  CHECK(signer.outcome(batch.dry_run()) == "root_outdated");
}

TEST_CASE("times: issued now, alive, not for long" * doctest::test_suite("attacks")) {
  Signer signer;
  CHECK(refused(signer, [](auto& c) { c.issued_ms = kNowMs - 60'001; }) == "clock");
  CHECK(refused(signer, [](auto& c) {
          c.issued_ms = kNowMs + 60'001;
          c.not_before_ms = c.issued_ms;
        }) == "clock");
  CHECK(refused(signer, [](auto& c) {
          c.issued_ms = c.not_before_ms = kNowMs - 60'000;
          c.expires_ms = kNowMs;
        }) == "expired");
  CHECK(refused(signer, [](auto& c) { c.expires_ms = c.issued_ms + 3'600'001; }) == "lifetime");
  CHECK(refused(signer, [](auto& c) { c.expires_ms = c.issued_ms + 3'600'000; }) == "");
  signer.limits.max_lifetime_ms = 7 * 24 * 3'600'000LL;  // Never above what executors take
  signer.start();
  CHECK(refused(signer, [](auto& c) {
          c.seq = 2;
          c.expires_ms = c.issued_ms + wire::kMaxCommandLifetimeMs;
        }) == "");
}

TEST_CASE("an action is the catalogue's: version, manifest, tier, parameters" *
          doctest::test_suite("attacks")) {
  Signer signer;
  CHECK(refused_intent(signer, [](auto& i) { i.action_version = 77; }) == "wrong_manifest");
  CHECK(refused_intent(signer, [](auto& i) { i.manifest[0] ^= 1; }) == "wrong_manifest");
  CHECK(refused_intent(signer, [](auto& i) { i.tier = 0; }) == "wrong_tier");
  CHECK(refused_intent(signer, [](auto& i) { i.parameters.clear(); }) == "bad_parameter");
  CHECK(refused_intent(signer, [](auto& i) { i.roll_back = true; }) == "bad_parameter");
  CHECK(refused_intent(signer, [](auto&) {}) == "");
  auto next = signer.acme.root(2);
  next.signers[0].delegation.actions.emplace_back("host.reboot");  // Delegated, and there is none
  REQUIRE(signer.service->take_roots(std::vector{signer.acme.signed_root(next)}));
  CHECK(refused_intent(signer, [](auto& i) { i.action = "host.reboot"; }) == "root_outdated");
}

TEST_CASE("only what lies in the approved tree is signed" * doctest::test_suite("attacks")) {
  Signer signer;
  CHECK(refused(signer, [](auto& c) { c.path[0][0] ^= 1; }) == "not_in_batch");
  CHECK(refused(signer, [](auto& c) { c.batch_index = 1; }) == "not_in_batch");
  CHECK(refused(signer, [](auto& c) { c.path.pop_back(); }) == "not_in_batch");
  CHECK(refused(signer, [](auto& c) {
          auto other = Batch().intent(0);
          other.parameters["container"] = std::string("db");
          c.intent = wire::encode_intent(other).value();
        }) == "not_in_batch");
}

TEST_CASE("approvals hold for exactly this batch, now, by an approver" *
          doctest::test_suite("attacks")) {
  Signer signer;
  Organisation mallory;
  const auto with = [&](std::function<void(wire::Approval&)> change,
                        const signing::SigningKeyPair& key) {
    return refused(signer, [&](auto& c) {
      auto approval = Batch().approval();
      change(approval);
      c.approvals = {Batch::sign(approval, key)};
    });
  };
  const auto& ada = signer.acme.ada;
  CHECK(with([](auto&) {}, mallory.ada) == "approval_invalid");
  CHECK(with([](auto&) {}, signer.acme.signer) == "approval_invalid");
  CHECK(with([](auto& a) { a.plan = wire::PlanId::parse("plan-2").value(); }, ada) ==
        "approval_invalid");
  CHECK(with([](auto& a) { a.tenant = TenantId::parse("other").value(); }, ada) ==
        "approval_invalid");
  CHECK(with([](auto& a) { a.batch_root[0] ^= 1; }, ada) == "approval_invalid");
  CHECK(with([](auto& a) { a.batch_size = 4; }, ada) == "approval_invalid");
  CHECK(with([](auto& a) { a.expires_ms = kNowMs; }, ada) == "approval_invalid");
  CHECK(with(
            [](auto& a) {
              a.issued_ms = kNowMs + 60'001;
              a.expires_ms = kNowMs + 120'000;
            },
            ada) == "approval_invalid");
  CHECK(with(
            [](auto& a) {
              a.decision = wire::ApprovalDecision::kReject;
              a.reason = "no";
            },
            ada) == "approval_invalid");
  CHECK(refused(signer, [](auto& c) { c.approvals = {"junk"}; }) == "approval_invalid");
  CHECK(refused(signer, [](auto& c) { c.approvals.clear(); }) == "approval_missing");
  CHECK(with([](auto&) {}, signer.acme.alan) == "requester_approves");
  CHECK(with([](auto&) {}, ada) == "");
}

TEST_CASE("large and small letters make no other person of the requester" *
          doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  batch.requester = "ALAN";
  CHECK(signer.outcome(batch.commands({Batch::sign(batch.approval(), signer.acme.alan)})[0]) ==
        "requester_approves");
}

TEST_CASE("tier 2 wants two persons; two keys of one are one" * doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  batch.action = "docker.prune";
  const auto ask = [&](std::vector<signing::SigningKeyPair> keys) {
    std::vector<std::string> approvals;
    for (const auto& key : keys) approvals.push_back(Batch::sign(batch.approval(), key));
    return signer.outcome(batch.commands(approvals)[0]);
  };
  const auto& acme = signer.acme;
  CHECK(ask({acme.ada}) == "approval_missing");
  CHECK(ask({acme.ada, acme.ada_laptop}) == "approval_missing");
  CHECK(ask({acme.ada, acme.alan}) == "requester_approves");
  CHECK(ask({acme.ada, acme.grace}) == "");
}

TEST_CASE("an approver who was taken out of the root counts no more, also when known" *
          doctest::test_suite("attacks")) {
  Signer signer;
  CHECK(refused(signer, [](auto&) {}) == "");
  auto next = signer.acme.root(2);
  std::erase_if(next.approvers, [](const auto& one) { return one.person == "ada"; });
  REQUIRE(signer.service->take_roots(std::vector{signer.acme.signed_root(next)}));
  Batch batch;
  batch.seq = 2;
  batch.root_version = 2;
  CHECK(refused(
            signer, [](auto&) {}, batch) == "approval_invalid");
}

TEST_CASE("a known approval expires all the same" * doctest::test_suite("attacks")) {
  Signer signer;
  Batch batch;
  auto approval = batch.approval();
  approval.expires_ms = kNowMs + 1000;
  const auto envelope = Batch::sign(approval, signer.acme.ada);
  CHECK(signer.outcome(batch.commands({envelope})[0]) == "");
  signer.clock.advance(std::chrono::seconds(1));
  CHECK(signer.outcome(batch.commands({envelope})[1]) == "approval_invalid");
}
