#include <doctest/doctest.h>

#include "protocol/signing/envelope.h"

using namespace observeai;
using namespace observeai::signing;

namespace {

constexpr const char* kType = "observeai/v1/test";

struct Keys {
  SigningKeyPair a = SigningKeyPair::generate();
  SigningKeyPair b = SigningKeyPair::generate();
  SigningKeyPair c = SigningKeyPair::generate();
  std::vector<VerifyKey> trusted{a.public_key(), b.public_key(), c.public_key()};
};

SignedEnvelope signed_by(std::initializer_list<const SigningKeyPair*> keys) {
  SignedEnvelope envelope{kType, "payload", {}};
  for (const auto* key : keys) add_signature(envelope, *key);
  return envelope;
}

}  // namespace

TEST_CASE("PAE is that of the DSSE specification") {
  CHECK(pae("http://example.com/HelloWorld", "hello world") ==
        "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  CHECK(pae("", "") == "DSSEv1 0  0 ");
  CHECK(pae("a b", "c") != pae("a", "b c"));
}

TEST_CASE("the threshold counts distinct trusted keys") {
  const Keys keys;
  const auto verified = [&](const SignedEnvelope& envelope, std::size_t threshold) {
    return verify(envelope, kType, threshold, keys.trusted);
  };
  CHECK(verified(signed_by({}), 1).error().code() == Errc::kDenied);
  CHECK(verified(signed_by({&keys.a}), 1));
  CHECK(verified(signed_by({&keys.a}), 2).error().code() == Errc::kDenied);
  CHECK(verified(signed_by({&keys.a, &keys.b}), 2)->size() == 2);
  CHECK(verified(signed_by({&keys.a, &keys.b, &keys.c}), 2)->size() == 3);
  CHECK(verified(signed_by({&keys.a, &keys.a, &keys.a}), 2).error().code() == Errc::kDenied);

  const std::vector<VerifyKey> listed_twice{keys.a.public_key(), keys.a.public_key()};
  CHECK_FALSE(verify(signed_by({&keys.a, &keys.a}), kType, 2, listed_twice));
}

TEST_CASE("who signed is told") {
  const Keys keys;
  const auto who = verify(signed_by({&keys.c, &keys.a}), kType, 1, keys.trusted).value();
  CHECK(std::set<VerifyKey>(who.begin(), who.end()) ==
        std::set<VerifyKey>{keys.a.public_key(), keys.c.public_key()});
}

TEST_CASE("unknown keys and false key ids add nothing and spoil nothing") {
  const Keys keys;
  const auto stranger = SigningKeyPair::generate();
  CHECK_FALSE(verify(signed_by({&stranger}), kType, 1, keys.trusted));
  CHECK(verify(signed_by({&stranger, &keys.a}), kType, 1, keys.trusted));

  // A stranger's signature under a trusted key's id.
  auto envelope = signed_by({&stranger});
  envelope.signatures[0].key_id = keys.a.id();
  CHECK_FALSE(verify(envelope, kType, 1, keys.trusted));
  // A true signature under another key's id is not searched for.
  envelope = signed_by({&keys.a});
  envelope.signatures[0].key_id = keys.b.id();
  CHECK_FALSE(verify(envelope, kType, 1, keys.trusted));
  // A broken signature first, a good one of the same key after it.
  envelope = signed_by({&keys.a, &keys.a});
  envelope.signatures[0].bytes[5] ^= 1;
  CHECK(verify(envelope, kType, 1, keys.trusted));
}

TEST_CASE("type and payload are both under the signature") {
  const Keys keys;
  auto envelope = signed_by({&keys.a});
  CHECK(verify(envelope, "observeai/v1/other", 1, keys.trusted).error().code() == Errc::kDenied);
  envelope.type = "observeai/v1/other";
  CHECK_FALSE(verify(envelope, "observeai/v1/other", 1, keys.trusted));
  envelope.type = kType;
  CHECK(verify(envelope, kType, 1, keys.trusted));
  envelope.payload += ' ';
  CHECK_FALSE(verify(envelope, kType, 1, keys.trusted));
}

TEST_CASE("a threshold of 0 and floods of signatures are refused") {
  const Keys keys;
  CHECK(verify(signed_by({&keys.a}), kType, 0, keys.trusted).error().code() == Errc::kInvalid);
  auto envelope = signed_by({&keys.a});
  envelope.signatures.resize(kMaxSignatures, envelope.signatures[0]);
  CHECK(verify(envelope, kType, 1, keys.trusted));
  envelope.signatures.push_back(envelope.signatures[0]);
  CHECK(verify(envelope, kType, 1, keys.trusted).error().code() == Errc::kLimit);
}
