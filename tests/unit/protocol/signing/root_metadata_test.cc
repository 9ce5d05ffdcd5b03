#include <doctest/doctest.h>

#include "protocol/signing/root_metadata.h"

using namespace observeai;
using namespace observeai::signing;

namespace {

VerifyKey new_key() {
  return SigningKeyPair::generate().public_key();
}

RootMetadata valid_root() {
  RootMetadata root;
  root.version = 1;
  root.expires_ms = 1000;
  root.root_threshold = 2;
  root.root_keys = {new_key(), new_key(), new_key()};
  root.signers = {{new_key(), {{TenantId::parse("acme").value()}, {"workload.restart"}, 10, 5000}}};
  root.approvers = {{new_key(), "ada"}, {new_key(), "ada"}, {new_key(), "grace"}};
  root.audit_key = new_key();
  return root;
}

Errc refused(const RootMetadata& root) {
  return check_root(root).error().code();
}

}  // namespace

TEST_CASE("a sound root passes; expiry is a fact, not an error") {
  const auto root = valid_root();
  CHECK(check_root(root));
  CHECK_FALSE(is_expired(root, 999));
  CHECK(is_expired(root, 1000));
}

TEST_CASE("thresholds that anybody or nobody can reach are refused") {
  auto root = valid_root();
  root.root_threshold = 0;
  CHECK(refused(root) == Errc::kInvalid);
  root.root_threshold = 4;
  CHECK(refused(root) == Errc::kInvalid);
  root.root_threshold = 3;
  CHECK(check_root(root));
  root.root_keys.clear();
  root.root_threshold = 0;
  CHECK(refused(root) == Errc::kInvalid);
  root = valid_root();
  root.version = 0;
  CHECK(refused(root) == Errc::kInvalid);
}

TEST_CASE("a key has one role") {
  auto root = valid_root();
  root.root_keys[1] = root.root_keys[0];
  CHECK(refused(root) == Errc::kInvalid);
  root = valid_root();
  root.signers[0].key = root.root_keys[0];
  CHECK(refused(root) == Errc::kInvalid);
  root = valid_root();
  root.approvers[0].key = root.signers[0].key;
  CHECK(refused(root) == Errc::kInvalid);
  root = valid_root();
  root.audit_key = root.approvers[0].key;
  CHECK(refused(root) == Errc::kInvalid);
  root.audit_key = VerifyKey{};
  CHECK(refused(root) == Errc::kInvalid);
}

TEST_CASE("names are printable, and every list is bounded") {
  auto root = valid_root();
  root.approvers[0].person = "";
  CHECK(refused(root) == Errc::kInvalid);
  root.approvers[0].person = "a b";
  CHECK(refused(root) == Errc::kInvalid);
  root.approvers[0].person = std::string(kMaxNameBytes, 'p');
  CHECK(check_root(root));
  root.approvers[0].person.push_back('p');
  CHECK(refused(root) == Errc::kLimit);

  root = valid_root();
  root.signers[0].delegation.actions = std::vector<std::string>(kMaxDelegationNames, "a");
  CHECK(check_root(root));
  root.signers[0].delegation.actions.push_back("\n");
  CHECK(refused(root) == Errc::kLimit);
  root.signers[0].delegation.actions = {"\n"};
  CHECK(refused(root) == Errc::kInvalid);
  root.signers[0].delegation.actions = {};
  root.signers[0].delegation.tenants = {TenantId()};
  CHECK(refused(root) == Errc::kInvalid);

  root = valid_root();
  while (root.root_keys.size() < kMaxRootKeys) root.root_keys.push_back(new_key());
  CHECK(check_root(root));
  root.root_keys.push_back(new_key());
  CHECK(refused(root) == Errc::kLimit);
}

TEST_CASE("a delegation covers what it names, until it ends") {
  const auto delegation = valid_root().signers[0].delegation;
  const auto acme = TenantId::parse("acme").value();
  CHECK(check_delegation(delegation, acme, "workload.restart", 10, 4999));
  const auto denied = [&](const TenantId& tenant, const char* action, std::uint32_t targets,
                          std::int64_t now) {
    const auto result = check_delegation(delegation, tenant, action, targets, now);
    return !result && result.error().code() == Errc::kDenied;
  };
  CHECK(denied(acme, "workload.restart", 10, 5000));
  CHECK(denied(acme, "workload.restart", 11, 0));
  CHECK(denied(acme, "workload.rollback", 1, 0));
  CHECK(denied(acme, "workload", 1, 0));
  CHECK(denied(TenantId::parse("other").value(), "workload.restart", 1, 0));
  CHECK_FALSE(check_delegation(
      Delegation{.tenants = {}, .actions = {}, .max_targets = 9, .not_after_ms = 9}, acme,
      "workload.restart", 1, 0));
}
