#include <doctest/doctest.h>

#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;
using signing::RootMetadata;
using signing::SigningKeyPair;

namespace {

constexpr std::int64_t kNow = 1000;

struct Custodians {
  SigningKeyPair a = SigningKeyPair::generate();
  SigningKeyPair b = SigningKeyPair::generate();
  SigningKeyPair c = SigningKeyPair::generate();
};

RootMetadata root_of(std::uint64_t version, const Custodians& by) {
  static const auto audit = SigningKeyPair::generate().public_key();
  static const auto signer = SigningKeyPair::generate().public_key();
  static const auto approver = SigningKeyPair::generate().public_key();
  RootMetadata root;
  root.version = version;
  root.expires_ms = 5000;
  root.root_threshold = 2;
  root.root_keys = {by.a.public_key(), by.b.public_key(), by.c.public_key()};
  root.signers = {
      {signer, {{TenantId::parse("acme").value()}, {"workload.restart", "disk.clean"}, 10, 4000}}};
  root.approvers = {{approver, "ada"}};
  root.audit_key = audit;
  return root;
}

std::string signed_by(const RootMetadata& root, std::initializer_list<const SigningKeyPair*> keys,
                      const char* type = signing::kRootType) {
  signing::SignedEnvelope envelope{type, encode_root(root), {}};
  for (const auto* key : keys) add_signature(envelope, *key);
  return encode_envelope(envelope);
}

Result<VerifiedRoot> pinned(const std::string& envelope) {
  return verify_pinned_root(envelope, signing::sha256_hex(envelope), kNow);
}

}  // namespace

TEST_CASE("root metadata comes back, in one form") {
  const Custodians by;
  const auto root = root_of(3, by);
  const auto bytes = encode_root(root);
  CHECK(decode_root(bytes).value() == root);
  CHECK(encode_root(decode_root(bytes).value()) == bytes);
  CHECK(decode_root(bytes + std::string("\x42\x01x", 3)).error().code() == Errc::kCorrupt);
  CHECK(decode_root(bytes + std::string("\x08\x04", 2)).error().code() == Errc::kCorrupt);
  CHECK(decode_root("").error().code() == Errc::kCorrupt);
  test::for_each_damage(bytes, [&](const std::string& damaged) {
    const auto decoded = decode_root(damaged);
    if (decoded) CHECK(encode_root(*decoded) == damaged);
  });
}

TEST_CASE("the first root is the pinned one, signed by its own threshold") {
  const Custodians by;
  const auto root = root_of(1, by);
  const auto good = signed_by(root, {&by.a, &by.c});
  CHECK(pinned(good)->root == root);
  const auto other_pin = signing::sha256_hex(good + "x");
  CHECK(verify_pinned_root(good, other_pin, kNow).error().code() == Errc::kDenied);
  CHECK(verify_pinned_root(good, "", kNow).error().code() == Errc::kDenied);
  CHECK(pinned(signed_by(root, {&by.a})).error().code() == Errc::kDenied);
  CHECK(pinned(signed_by(root, {&by.a, &by.a})).error().code() == Errc::kDenied);
  CHECK(pinned(signed_by(root, {&by.a, &by.b}, "observeai/v1/other")).error().code() ==
        Errc::kDenied);
  // An agent may be enrolled when the chain is long.
  CHECK(pinned(signed_by(root_of(7, by), {&by.a, &by.b})));
}

TEST_CASE("the next root needs the thresholds of both versions") {
  const Custodians before;
  const Custodians after;
  const auto current = root_of(1, before);
  auto next = root_of(2, after);
  const auto accepted = [&](std::initializer_list<const SigningKeyPair*> keys) {
    return verify_next_root(current, signed_by(next, keys), kNow);
  };
  CHECK(accepted({&before.a, &before.b, &after.a, &after.b})->root == next);
  CHECK(accepted({&after.a, &after.b}).error().code() == Errc::kDenied);
  CHECK(accepted({&after.a, &after.b, &before.a}).error().code() == Errc::kDenied);
  CHECK(accepted({&before.a, &before.b}).error().code() == Errc::kDenied);
  CHECK(accepted({&before.a, &before.b, &after.a}).error().code() == Errc::kDenied);
  CHECK(accepted({&before.a, &before.a, &after.a, &after.b}).error().code() == Errc::kDenied);
  CHECK(accepted({}).error().code() == Errc::kDenied);
  // One custodian goes: those who stay count on both sides.
  next.root_keys = {before.a.public_key(), before.b.public_key(), after.c.public_key()};
  CHECK(accepted({&before.a, &before.b}));
  // A lower threshold in the new version does not lower that of the current one.
  next.root_threshold = 1;
  CHECK(accepted({&before.a}).error().code() == Errc::kDenied);
}

TEST_CASE("versions are walked one by one") {
  const Custodians by;
  const auto current = root_of(4, by);
  const auto offered = [&](std::uint64_t version) {
    return verify_next_root(current, signed_by(root_of(version, by), {&by.a, &by.b}), kNow);
  };
  CHECK(offered(5));
  CHECK(offered(6).error().code() == Errc::kDenied);
  CHECK(offered(4).error().code() == Errc::kDenied);
  CHECK(offered(3).error().code() == Errc::kDenied);
  CHECK_FALSE(offered(0));
  CHECK(offered(UINT64_MAX).error().code() == Errc::kDenied);
}

TEST_CASE("a chain is walked to its end, over expired versions too") {
  const Custodians first;
  const Custodians second;
  auto root = root_of(1, first);
  auto verified = pinned(signed_by(root, {&first.a, &first.b})).value();
  CHECK_FALSE(verified.expired);
  root.version = 2;
  root.expires_ms = kNow;
  verified = verify_next_root(verified.root, signed_by(root, {&first.a, &first.b}), kNow).value();
  CHECK(verified.expired);
  root = root_of(3, second);
  const auto last = signed_by(root, {&first.b, &first.c, &second.a, &second.b});
  verified = verify_next_root(verified.root, last, kNow).value();
  CHECK_FALSE(verified.expired);
  CHECK(verified.root.version == 3);
}

TEST_CASE("a root that breaks its own rules is refused, whoever signed it") {
  const Custodians by;
  auto root = root_of(2, by);
  root.root_threshold = 0;
  CHECK_FALSE(verify_next_root(root_of(1, by), signed_by(root, {&by.a, &by.b, &by.c}), kNow));
  root = root_of(2, by);
  root.audit_key = root.signers[0].key;
  CHECK_FALSE(verify_next_root(root_of(1, by), signed_by(root, {&by.a, &by.b, &by.c}), kNow));
  CHECK_FALSE(verify_next_root(root_of(1, by), "garbage", kNow));
}
