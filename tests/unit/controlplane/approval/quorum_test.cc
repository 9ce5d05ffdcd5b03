#include "controlplane/approval/quorum.h"

#include <functional>

#include <doctest/doctest.h>

#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"

namespace observeai::controlplane::approval {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

struct World {
  signing::SigningKeyPair ann = signing::SigningKeyPair::generate();
  signing::SigningKeyPair ann_laptop = signing::SigningKeyPair::generate();
  signing::SigningKeyPair bob = signing::SigningKeyPair::generate();
  signing::SigningKeyPair eve = signing::SigningKeyPair::generate();
  signing::RootMetadata root;
  model::PlanRecord plan;

  World() {
    root.version = 3;
    root.expires_ms = kNow + 86'400'000;
    root.approvers = {
        {ann.public_key(), "ann"}, {ann_laptop.public_key(), "ann"}, {bob.public_key(), "bob"}};
    plan.id = *wire::PlanId::parse("p-1");
    plan.tenant = *TenantId::parse("default");
    plan.requester = "carol";
    plan.tier = 2;
    plan.batch_root.fill(7);
    plan.batch_size = 2;
    plan.expires_ms = kNow + 600'000;
  }

  wire::Approval approval() const {
    wire::Approval out;
    out.plan = plan.id;
    out.tenant = plan.tenant;
    out.batch_root = plan.batch_root;
    out.batch_size = plan.batch_size;
    out.issued_ms = kNow;
    out.expires_ms = plan.expires_ms;
    return out;
  }
  std::string sealed(const wire::Approval& approval, const signing::SigningKeyPair& key,
                     const char* type = wire::kApprovalType) const {
    signing::SignedEnvelope envelope{type, *wire::encode_approval(approval), {}};
    signing::add_signature(envelope, key);
    return wire::encode_envelope(envelope);
  }
  model::ApprovalRecord by(const signing::SigningKeyPair& key) const {
    return *check_approval(sealed(approval(), key), plan, root, kNow);
  }
};

TEST_CASE("tiers need 0, 1 and 2 approvers") {
  CHECK(approvers_needed(0) == 0);
  CHECK(approvers_needed(1) == 1);
  CHECK(approvers_needed(2) == 2);
  CHECK(approvers_needed(9) == 2);
}

TEST_CASE("a name in large letters is no second person, nor another one than the requester") {
  World w;
  w.root.approvers = {{w.ann.public_key(), "ann"},
                      {w.ann_laptop.public_key(), "Ann"},
                      {w.bob.public_key(), "CAROL"}};
  const auto quorum = count_approvals({w.by(w.ann), w.by(w.ann_laptop)}, w.plan, w.root, kNow);
  CHECK(quorum.persons.size() == 1);
  CHECK_FALSE(quorum.is_reached());
  CHECK_FALSE(check_approval(w.sealed(w.approval(), w.bob), w.plan, w.root, kNow));
  CHECK(is_person(w.root, "carol"));
  CHECK_FALSE(is_person(w.root, "caroline"));
}

TEST_CASE("a plan needs what its tier needs, or more when a host asks for it") {
  World w;
  CHECK(approvers_needed(w.plan) == 2);
  w.plan.host_approvals = 1;
  CHECK(approvers_needed(w.plan) == 2);
  w.plan.host_approvals = 3;
  CHECK(approvers_needed(w.plan) == 3);
  CHECK(approvals_asked({{"approvals_needed", "3"}, {"replicas", "2"}}) == 3);
  for (const char* wrong : {"", "x", "-1", "3.5"})
    CHECK(approvals_asked({{"approvals_needed", wrong}}) == 0);
  CHECK(approvals_asked({{"approvals_needed", "99999999999"}}) == UINT32_MAX);
  CHECK(approvals_asked({}) == 0);
}

TEST_CASE("an approval counts for the person of its key") {
  const World world;
  const auto record =
      check_approval(world.sealed(world.approval(), world.ann), world.plan, world.root, kNow);
  REQUIRE(record);
  CHECK(record->person == "ann");
  CHECK(record->key_id == world.ann.id().value());
}

TEST_CASE("two keys of one person count once, two persons twice") {
  const World world;
  const auto once = count_approvals({world.by(world.ann), world.by(world.ann_laptop)}, world.plan,
                                    world.root, kNow);
  CHECK(once.persons.size() == 1);
  CHECK_FALSE(once.is_reached());
  const auto twice =
      count_approvals({world.by(world.ann), world.by(world.bob)}, world.plan, world.root, kNow);
  CHECK(twice.is_reached());
  CHECK(counting_envelopes({world.by(world.ann), world.by(world.ann_laptop), world.by(world.bob)},
                           world.plan, world.root, kNow)
            .size() == 2);
}

TEST_CASE("whoever asked for the plan does not approve it") {
  World world;
  world.plan.requester = "ann";
  const auto refused = check_approval(world.sealed(world.approval(), world.ann_laptop), world.plan,
                                      world.root, kNow);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == Errc::kDenied);
}

TEST_CASE("an approval that is not exactly for this batch, now, by an approver is refused") {
  const World world;
  const auto refused = [&](const std::function<void(wire::Approval&)>& change) {
    auto approval = world.approval();
    change(approval);
    return !check_approval(world.sealed(approval, world.ann), world.plan, world.root, kNow);
  };
  CHECK(refused([](auto& a) { a.plan = *wire::PlanId::parse("p-2"); }));
  CHECK(refused([](auto& a) { a.tenant = *TenantId::parse("other"); }));
  CHECK(refused([](auto& a) { a.batch_root[31] ^= 1; }));
  CHECK(refused([](auto& a) { a.batch_size = 3; }));
  CHECK(refused([](auto& a) {
    a.expires_ms = kNow;
    a.issued_ms = kNow - 10;
  }));
  CHECK(refused([](auto& a) { a.expires_ms += 1; }));
  CHECK(refused([](auto& a) { a.issued_ms = kNow + 120'000; }));
  CHECK_FALSE(refused([](auto&) {}));
  CHECK_FALSE(
      check_approval(world.sealed(world.approval(), world.eve), world.plan, world.root, kNow));
  CHECK_FALSE(check_approval(world.sealed(world.approval(), world.ann, wire::kCommandType),
                             world.plan, world.root, kNow));
  CHECK_FALSE(check_approval("rubbish", world.plan, world.root, kNow));
  CHECK_FALSE(check_approval(world.sealed(world.approval(), world.ann), world.plan, world.root,
                             world.root.expires_ms));
}

TEST_CASE("simulating anew, removing an approver and time void what was approved") {
  World world;
  const std::vector<model::ApprovalRecord> both{world.by(world.ann), world.by(world.bob)};
  CHECK(count_approvals(both, world.plan, world.root, kNow).is_reached());
  CHECK(count_approvals(both, world.plan, world.root, world.plan.expires_ms).persons.empty());
  auto root = world.root;
  root.approvers.pop_back();  // Bob
  CHECK_FALSE(count_approvals(both, world.plan, root, kNow).is_reached());
  world.plan.batch_root.fill(8);
  CHECK(count_approvals(both, world.plan, world.root, kNow).persons.empty());
}

TEST_CASE("the newest word of a person counts, and one no is a no") {
  const World world;
  auto no = world.approval();
  no.decision = wire::ApprovalDecision::kReject;
  no.reason = "wrong host";
  auto rejected = *check_approval(world.sealed(no, world.bob), world.plan, world.root, kNow + 5);
  const auto quorum = count_approvals({world.by(world.ann), world.by(world.bob), rejected},
                                      world.plan, world.root, kNow + 5);
  CHECK(quorum.rejected == std::vector<std::string>{"bob"});
  CHECK_FALSE(quorum.is_reached());
}

}  // namespace
}  // namespace observeai::controlplane::approval
