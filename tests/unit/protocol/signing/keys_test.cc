#include <doctest/doctest.h>

#include "protocol/signing/keys.h"
#include "tests/unit/protocol/signing/bytes.h"

using namespace observeai;
using namespace observeai::signing;
using test::unhex;
using test::unhex_array;

namespace {

// RFC 8032 section 7.1, test 1: the empty message.
constexpr const char* kSeed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
constexpr const char* kPublic = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
constexpr const char* kSignature =
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
    "6b"
    "d25bf5f0595bbe24655141438e7a100b";

// S + L in place of S: the same equation, another signature (RFC 8032 section 8.4).
SignatureBytes malleable(SignatureBytes signature) {
  const auto order =
      unhex_array<32>("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  unsigned carry = 0;
  for (std::size_t i = 0; i < 32; ++i) {
    carry += static_cast<unsigned>(signature[32 + i]) + order[i];
    signature[32 + i] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  return signature;
}

}  // namespace

TEST_CASE("signatures are those of RFC 8032") {
  const auto pair = SigningKeyPair::from_seed(SecretKey32(unhex_array<32>(kSeed)));
  CHECK(pair.public_key().bytes == unhex_array<32>(kPublic));
  CHECK(pair.sign("") == unhex_array<64>(kSignature));
  CHECK(pair.seed().bytes() == unhex_array<32>(kSeed));
  CHECK(verify("", unhex_array<64>(kSignature), pair.public_key()));
}

TEST_CASE("a signature holds for its message and key only") {
  const auto pair = SigningKeyPair::generate();
  const auto other = SigningKeyPair::generate();
  const auto signature = pair.sign("restart web");
  CHECK(verify("restart web", signature, pair.public_key()));
  CHECK_FALSE(verify("restart db", signature, pair.public_key()));
  CHECK_FALSE(verify("restart web", signature, other.public_key()));
  for (std::size_t bit = 0; bit < 512; ++bit) {
    auto changed = signature;
    changed[bit / 8] = static_cast<std::uint8_t>(changed[bit / 8] ^ 1 << bit % 8);
    CHECK_FALSE(verify("restart web", changed, pair.public_key()));
  }
}

TEST_CASE("verification is strict: no malleable S, no keys of small order") {
  const auto pair = SigningKeyPair::generate();
  CHECK_FALSE(verify("m", malleable(pair.sign("m")), pair.public_key()));
  // With A and R the identity and S = 0 a lenient verifier accepts every message.
  VerifyKey identity;
  identity.bytes[0] = 1;
  SignatureBytes forged{};
  forged[0] = 1;
  CHECK_FALSE(verify("anything", forged, identity));
  CHECK_FALSE(verify("anything", SignatureBytes{}, VerifyKey{}));
}

TEST_CASE("a key id is the front of the key's sha256") {
  const VerifyKey key{unhex_array<32>(kPublic)};
  CHECK(key_id(key).value() == sha256_hex(unhex(kPublic)).substr(0, 16));
  CHECK(parse_key_id(key_id(key).value()).value() == key_id(key));
  for (const auto* bad :
       {"", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF", "0123456789abcdeg"}) {
    CHECK(parse_key_id(bad).error().code() == Errc::kInvalid);
  }
}

TEST_CASE("public keys have one line of text") {
  const auto key = SigningKeyPair::generate().public_key();
  const auto line = to_text(key);
  CHECK(line.size() == 51);
  CHECK(parse_verify_key(line).value() == key);
  CHECK_FALSE(parse_verify_key(line + " "));
  CHECK_FALSE(parse_verify_key(line.substr(0, 50)));
  CHECK_FALSE(parse_verify_key(line.substr(8)));
  CHECK_FALSE(parse_verify_key("x25519:" + line.substr(8)));
  CHECK_FALSE(parse_verify_key(to_text(VerifyKey{})));  // Small order
  VerifyKey identity;
  identity.bytes[0] = 1;
  CHECK(parse_verify_key(to_text(identity)).error().code() == Errc::kInvalid);
}
