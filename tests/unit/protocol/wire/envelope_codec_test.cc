#include <doctest/doctest.h>

#include "observeai/v1/trust.pb.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

signing::SignedEnvelope signed_envelope() {
  signing::SignedEnvelope envelope{"observeai/v1/test", std::string("\x00payload\xFF", 9), {}};
  add_signature(envelope, signing::SigningKeyPair::generate());
  add_signature(envelope, signing::SigningKeyPair::generate());
  return envelope;
}

v1::SignedEnvelope message_of(const signing::SignedEnvelope& envelope) {
  v1::SignedEnvelope message;
  REQUIRE(message.ParseFromString(encode_envelope(envelope)));
  return message;
}

bool corrupt(const std::string& bytes) {
  const auto envelope = decode_envelope(bytes);
  return !envelope && envelope.error().code() == Errc::kCorrupt;
}

}  // namespace

TEST_CASE("envelopes come back") {
  const auto envelope = signed_envelope();
  CHECK(decode_envelope(encode_envelope(envelope)).value() == envelope);
  auto unsigned_one = envelope;
  unsigned_one.signatures.clear();
  CHECK(decode_envelope(encode_envelope(unsigned_one)).value() == unsigned_one);
}

TEST_CASE("an envelope has one form: nothing unknown, nothing twice, nothing in another order") {
  const auto bytes = encode_envelope(signed_envelope());
  REQUIRE_FALSE(corrupt(bytes));
  CHECK(corrupt(bytes + std::string("\x22\x01x", 3)));     // Field 4
  CHECK(corrupt(bytes + std::string("\x0A\x01x", 3)));     // A second type, which would win
  CHECK(corrupt(std::string("\x0A\x01x", 3) + bytes));     // A first type, which would lose
  CHECK(corrupt(bytes.substr(19) + bytes.substr(0, 19)));  // The type last
  CHECK(corrupt("\x8A" + std::string(1, '\0') + bytes.substr(1)));  // The first tag in two bytes
}

TEST_CASE("an envelope that breaks a rule is refused") {
  const auto good = message_of(signed_envelope());
  const auto broken = [&good](auto change) {
    auto message = good;
    change(message);
    return corrupt(message.SerializeAsString());
  };
  CHECK_FALSE(broken([](auto&) {}));
  CHECK(broken([](auto& m) { m.clear_type(); }));
  CHECK(broken([](auto& m) { m.set_type("a b"); }));
  CHECK(broken([](auto& m) { m.set_type(std::string("a\0", 2)); }));
  CHECK_FALSE(broken([](auto& m) { m.set_type(std::string(128, 'a')); }));
  CHECK(broken([](auto& m) { m.set_type(std::string(129, 'a')); }));
  CHECK(broken([](auto& m) { m.mutable_signatures(0)->set_key_id("0123"); }));
  CHECK(broken([](auto& m) { m.mutable_signatures(0)->mutable_signature()->pop_back(); }));
  const auto copies = [&](int count) {
    return broken([count](auto& m) {
      while (m.signatures_size() < count) *m.add_signatures() = m.signatures(0);
    });
  };
  CHECK_FALSE(copies(signing::kMaxSignatures));
  CHECK(copies(signing::kMaxSignatures + 1));
}

TEST_CASE("size and claims are bounded") {
  CHECK(decode_envelope(std::string(kMaxEnvelopeBytes + 1, 'x')).error().code() == Errc::kLimit);
  std::string many;
  for (int i = 0; i < 500'000; ++i) many.append("\x1A\x00", 2);
  CHECK(corrupt(many));
}

TEST_CASE("every cut and every flipped bit is refused or stops the signatures from verifying") {
  const auto key = signing::SigningKeyPair::generate();
  const std::vector<signing::VerifyKey> trusted{key.public_key()};
  signing::SignedEnvelope envelope{"observeai/v1/test", "payload", {}};
  add_signature(envelope, key);
  const auto bytes = encode_envelope(envelope);
  REQUIRE(verify(decode_envelope(bytes).value(), envelope.type, 1, trusted));
  test::for_each_damage(bytes, [&](const std::string& damaged) {
    const auto decoded = decode_envelope(damaged);
    if (decoded) REQUIRE_FALSE(verify(*decoded, envelope.type, 1, trusted));
  });
}
