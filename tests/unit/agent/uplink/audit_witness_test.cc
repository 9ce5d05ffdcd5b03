#include "agent/uplink/audit_witness.h"

#include <doctest/doctest.h>

#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/support/memory_spool.h"

using namespace observeai;
using agent::AuditWitness;
using Verdict = AuditWitness::Verdict;

namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

wire::Digest hash_of(std::uint8_t branch, std::uint64_t seq) {
  return wire::digest_of(std::to_string(branch) + "/" + std::to_string(seq));
}

struct Fixture {
  test::MemorySpool spool;
  signing::SigningKeyPair key = signing::SigningKeyPair::generate();
  AuditWitness witness = AuditWitness::create(spool, kNow).value();
  std::int64_t now_ms = kNow;

  std::string head(std::uint64_t seq, std::int64_t unix_ms, std::uint8_t branch = 0) const {
    return signed_by(key, wire::kAuditHeadType, {seq, hash_of(branch, seq), unix_ms});
  }
  static std::string signed_by(const signing::SigningKeyPair& who, const char* type,
                               const wire::AuditHead& head) {
    signing::SignedEnvelope envelope{type, wire::encode_audit_head(head).value(), {}};
    signing::add_signature(envelope, who);
    return wire::encode_envelope(envelope);
  }
  Verdict take(std::uint64_t seq, std::int64_t unix_ms, std::uint8_t branch = 0) {
    return witness.take(head(seq, unix_ms, branch), key.public_key(), now_ms).value();
  }
  void restart() { witness = AuditWitness::create(spool, now_ms).value(); }
  bool alarmed() {
    const auto event = witness.take_event();
    if (!event) return false;
    CHECK(event->kind == "audit.rewritten");
    CHECK(event->severity == wire::Severity::kCritical);
    return true;
  }
};

}  // namespace

TEST_CASE("the highest head is remembered, also through a restart") {
  Fixture f;
  CHECK(f.witness.seq() == 0);
  CHECK(f.witness.hash() == wire::Digest{});
  CHECK(f.take(5, 100) == Verdict::kNew);
  CHECK(f.take(9, 200) == Verdict::kNew);
  CHECK(f.take(9, 260) == Verdict::kKnown);
  f.restart();
  CHECK(f.witness.seq() == 9);
  CHECK(f.witness.hash() == hash_of(0, 9));
  CHECK(f.take(9, 260) == Verdict::kKnown);
  CHECK_FALSE(f.alarmed());
}

TEST_CASE("a broker that keeps old heads, repeats and reorders them alarms nobody") {
  Fixture f;
  f.take(5, 100);
  f.take(9, 200);
  CHECK(f.take(7, 150) == Verdict::kOld);
  CHECK(f.take(5, 100) == Verdict::kKnown);
  CHECK(f.take(8, 200) == Verdict::kOld);
  CHECK(f.witness.seq() == 9);
  CHECK_FALSE(f.alarmed());
}

TEST_CASE("attack: the log cut or restored from a backup: a lower number signed later") {
  Fixture f;
  f.take(5, 100);
  f.take(9, 200);
  SUBCASE("by one that was not seen before") {
    CHECK(f.take(7, 300, 1) == Verdict::kRewritten);
  }
  SUBCASE("also after a restart of the agent") {
    f.restart();
    CHECK(f.take(7, 300) == Verdict::kRewritten);
  }
  CHECK(f.alarmed());
  CHECK(f.witness.seq() == 9);  // What it knew is not given up
  CHECK(f.witness.hash() == hash_of(0, 9));
}

TEST_CASE("attack: another hash under a known number, at the end and far below it") {
  Fixture f;
  for (std::uint64_t seq = 1; seq <= 100; ++seq) f.take(seq, static_cast<std::int64_t>(seq));
  CHECK(f.take(100, 500, 1) == Verdict::kRewritten);
  CHECK(f.alarmed());
  CHECK(f.take(37, 600, 1) == Verdict::kRewritten);
  CHECK(f.alarmed());
  CHECK(f.take(37, 1, 1) == Verdict::kRewritten);  // Whenever it says that it was signed
  CHECK(f.witness.hash() == hash_of(0, 100));
}

TEST_CASE("the 64 highest are kept") {
  Fixture f;
  for (std::uint64_t seq = 1; seq <= 100; ++seq) f.take(seq, static_cast<std::int64_t>(seq));
  f.restart();
  CHECK(f.take(37, 37) == Verdict::kKnown);
  CHECK(f.take(36, 36) == Verdict::kOld);  // Forgotten
  CHECK(f.spool.fact(AuditWitness::kFact).value()->size() < 8'192);
}

TEST_CASE(
    "attack: the whole chain computed and signed anew: the log and its heads fit, the witness says "
    "no") {
  Fixture f;
  for (const std::uint64_t seq : {10, 20, 30}) f.take(seq, static_cast<std::int64_t>(seq));
  // The attacker holds database and audit key: branch 1 is a whole new history, grown beyond the old.
  CHECK(f.take(20, 100, 1) == Verdict::kRewritten);
  CHECK(f.alarmed());
  CHECK(f.take(30, 110, 1) == Verdict::kRewritten);
  CHECK(f.alarmed());
  CHECK(f.take(31, 120, 1) == Verdict::kNew);  // Cannot be told apart from growth
}

TEST_CASE("the same is told again after an hour, something else at once") {
  Fixture f;
  f.take(9, 200);
  f.take(7, 300);
  CHECK(f.alarmed());
  f.now_ms += AuditWitness::kAgainMs - 1;
  f.take(7, 300);
  CHECK_FALSE(f.alarmed());
  f.now_ms += 1;
  f.take(7, 300);
  CHECK(f.alarmed());
  f.take(8, 301);
  CHECK(f.alarmed());
}

TEST_CASE("attack: a head that another key signed, or signed as something else, is not looked at") {
  Fixture f;
  f.take(9, 200);
  const auto other = signing::SigningKeyPair::generate();
  const wire::AuditHead lie{20, hash_of(1, 20), 300};
  const auto by_other = Fixture::signed_by(other, wire::kAuditHeadType, lie);
  CHECK(f.witness.take(by_other, f.key.public_key(), kNow).error().code() == Errc::kDenied);
  const auto as_time = Fixture::signed_by(f.key, wire::kTimeType, lie);
  CHECK(f.witness.take(as_time, f.key.public_key(), kNow).error().code() == Errc::kDenied);
  auto changed = f.head(20, 300);
  for (std::size_t at = 0; at < changed.size(); ++at) {
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto verdict = f.witness.take(changed, f.key.public_key(), kNow);
    CHECK((!verdict || *verdict == Verdict::kNew) == true);
    CHECK(f.witness.seq() == 9);
    changed[at] = static_cast<char>(changed[at] ^ 1);
  }
  CHECK(f.witness.take(std::string(5'000, 'x'), f.key.public_key(), kNow).error().code() ==
        Errc::kLimit);
  CHECK_FALSE(f.alarmed());
}

TEST_CASE("a memory that was damaged is told, not passed over") {
  for (const char* bad : {"x", "1 00 5\n", "1 2\n", "-1 00 5\n"}) {
    Fixture f;
    REQUIRE(f.spool.set_fact(AuditWitness::kFact, bad));
    f.restart();
    CHECK(f.alarmed());
    CHECK(f.witness.seq() == 0);
    CHECK(f.take(5, 100) == Verdict::kNew);
    f.restart();
    CHECK_FALSE(f.alarmed());
    CHECK(f.witness.seq() == 5);
  }
}
