#include "controlplane/audit/audit_chain.h"

#include <doctest/doctest.h>

#include "controlplane/audit/heads.h"
#include "controlplane/audit/witnesses.h"
#include "tests/support/memory_repositories.h"
#include "tests/unit/controlplane/audit/audit_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::audit_test;
using namespace std::chrono_literals;
namespace audit = observeai::controlplane::audit;

namespace {

struct Fixture {
  ManualClock clock;
  test::MemoryAuditLog log;
  test::MemoryAuditHeadRepository heads;
  test::MemoryAlertRepository alerts;
  Keys keys;
  std::optional<Error> failure;  // Of the signer
  int asked = 0;
  audit::AuditChain chain{log, heads, alerts, clock,
                          [this](const wire::AuditHead& head) { return sign(head); }};

  Result<std::string> sign(const wire::AuditHead& head) {
    ++asked;
    if (failure) return *failure;
    return keys.head({head.seq, head.hash}, clock.unix_ms() + 7, keys.audit).envelope;
  }
  void append(const std::string& object = "x") {
    REQUIRE(log.append({0, clock.unix_ms(), "user:admin", "token.create", object, "{}", {}}));
  }
  void pass(std::chrono::seconds time) {
    for (auto rest = time; rest > 0s; rest -= 5s) {
      clock.advance(5s);
      chain.tick();
    }
  }
  std::vector<std::string> open() {
    std::vector<std::string> kinds;
    const auto all = alerts.open().value();
    for (const auto& alert : all) kinds.push_back(alert.kind);
    return kinds;
  }
};

using Kinds = std::vector<std::string>;

}  // namespace

TEST_CASE("a head is signed within a minute of what was appended, and none without news") {
  Fixture f;
  f.pass(300s);
  CHECK(f.asked == 0);
  CHECK_FALSE(f.chain.newest());
  f.append();
  f.append();
  f.pass(60s);
  CHECK(f.asked == 1);
  const auto head = f.heads.newest().value();
  REQUIRE(head);
  CHECK(head->head.seq == 2);
  CHECK(head->head.hash == f.log.newest().value().hash);
  CHECK(head->head.unix_ms == audit::read_head(head->envelope).value().unix_ms);  // The signer's
  f.pass(600s);
  CHECK(f.asked == 1);
  f.append();
  f.pass(60s);
  CHECK(f.asked == 2);
  CHECK(f.chain.newest()->head.seq == 3);
}

TEST_CASE(
    "before commands go out what was appended is signed; a dead signer gives the newest there is") {
  Fixture f;
  CHECK(f.chain.head().error().code() == Errc::kNotFound);
  f.failure = Error(Errc::kUnavailable, "no signer");
  f.append();
  CHECK(f.chain.head().error().message() == "no signer");
  const int asked = f.asked;
  for (int i = 0; i < 100; ++i) CHECK(f.chain.head().error().message() == "no signer");
  CHECK(f.asked == asked);  // Nobody waits for a dead signer again and again
  f.clock.advance(audit::AuditChain::kRetryEvery);
  f.failure.reset();
  CHECK(f.chain.head().value().head.seq == 1);
  f.append();
  CHECK(f.chain.head().value().head.seq == 2);
  f.failure = Error(Errc::kUnavailable, "no signer");
  f.append();
  CHECK(f.chain.head().value().head.seq == 2);
}

TEST_CASE(
    "a signer that fails blocks no append, and is an alert after five minutes until it signs") {
  Fixture f;
  f.failure = Error(Errc::kUnavailable, "no signer");
  f.append();
  f.pass(290s);
  CHECK(f.open().empty());
  f.append();
  f.pass(60s);
  CHECK(f.open() == Kinds{"audit.unsigned"});
  f.failure.reset();
  f.pass(15s);
  CHECK(f.open().empty());
  CHECK(f.heads.newest().value()->head.seq == 2);
}

TEST_CASE("an alert of the program before goes when there is nothing left to sign") {
  Fixture f;
  model::Alert before;
  before.kind = "audit.unsigned";
  REQUIRE(f.alerts.raise(before));
  f.pass(60s);
  CHECK(f.open().empty());
}

TEST_CASE("a signer that signs something else is not believed") {
  Fixture f;
  f.append();
  f.append();
  const auto first = f.log.list(0, 1).value().at(0);
  audit::AuditChain chain(f.log, f.heads, f.alerts, f.clock, [&](const wire::AuditHead&) {
    return Result<std::string>(f.keys.head(first).envelope);
  });
  CHECK(chain.head().error().code() == Errc::kCorrupt);
  CHECK_FALSE(f.heads.newest().value());
}

TEST_CASE("attack: the log cut below its newest head, or rewritten, is an alert within a minute" *
          doctest::test_suite("attacks")) {
  Fixture f;
  for (int i = 0; i < 5; ++i) f.append();
  f.pass(60s);
  auto entries = f.log.list(0, 100).value();
  SUBCASE("cut") {
    entries.resize(3);
    f.log.replace(entries);
    f.pass(60s);
    CHECK(f.open() == Kinds{"audit.truncated"});
  }
  SUBCASE("rewritten") {
    entries[1].object = "innocent";
    chain_again(entries);
    f.log.replace(entries);
    f.pass(60s);
    CHECK(f.open() == Kinds{"audit.rewritten"});
  }
  SUBCASE("cut, and grown beyond it") {
    entries.resize(3);
    f.log.replace(entries);
    for (int i = 0; i < 5; ++i) f.append("other");
    f.pass(60s);
    CHECK(f.open() == Kinds{"audit.rewritten"});
  }
  SUBCASE("the signer remembers what the database does not") {
    f.failure = Error(Errc::kDenied, "audit_rewritten: number 9 is signed already");
    f.append();
    f.pass(60s);
    CHECK(f.open() == Kinds{"audit.rewritten"});
  }
  const auto count = f.alerts.open().value().at(0).count;
  f.pass(600s);
  CHECK(f.alerts.open().value().at(0).count == count);  // Told once
}

TEST_CASE("a signer that refuses heads is in the log itself, once until it signs again") {
  Fixture f;
  const auto refusals = [&] {
    const auto entries = f.log.list(0, 100).value();
    return std::count_if(entries.begin(), entries.end(),
                         [](const auto& one) { return one.action == "signer.refuse"; });
  };
  f.failure = Error(Errc::kUnavailable, "no signer");
  f.append();
  f.pass(60s);
  CHECK(refusals() == 0);
  for (const int number : {9, 10, 11}) {
    f.failure = Error(Errc::kDenied, "audit_jump: number " + std::to_string(number));
    f.append();
    f.pass(60s);
    CHECK(refusals() == 1);
  }
  f.failure.reset();
  f.pass(60s);
  CHECK(refusals() == 1);
  f.failure = Error(Errc::kDenied, "audit_jump: number 99");
  f.append();
  f.pass(60s);
  CHECK(refusals() == 2);
}

TEST_CASE("a host that knows a head is compared with the log") {
  Fixture f;
  audit::Witnesses witnesses(f.log, f.alerts, f.clock);
  const auto one = AgentId::parse("web-01").value();
  const auto two = AgentId::parse("web-02").value();
  for (int i = 0; i < 5; ++i) f.append();
  auto entries = f.log.list(0, 100).value();
  REQUIRE(witnesses.heard(one, 0, {}));
  REQUIRE(witnesses.heard(one, 5, entries[4].hash));
  REQUIRE(witnesses.heard(two, 2, entries[1].hash));
  CHECK(f.open().empty());
  SUBCASE("attack: restored from a backup") {
    const auto known = entries[4].hash;
    entries.resize(3);
    f.log.replace(entries);
    REQUIRE(witnesses.heard(two, 2, entries[1].hash));
    CHECK(f.open().empty());
    REQUIRE(witnesses.heard(one, 5, known));
    REQUIRE(f.open() == Kinds{"audit.truncated"});
    CHECK(f.alerts.open().value()[0].message.starts_with(
        "host web-01 knows signed entry 5 of the audit log, which ends with entry 3"));
    REQUIRE(witnesses.heard(two, 5, known));
    CHECK(f.alerts.open().value()[0].message.starts_with("host web-02 (and 1 more)"));
  }
  SUBCASE("attack: the whole chain computed anew, heads too: only the hosts notice") {
    const auto known = entries[4].hash;
    entries[1].object = "innocent";
    chain_again(entries);
    f.log.replace(entries);
    CHECK(verdict(entries).empty());
    f.pass(120s);
    CHECK(f.open().empty());
    REQUIRE(witnesses.heard(one, 5, known));
    CHECK(f.open() == Kinds{"audit.rewritten"});
  }
  SUBCASE("a hole is no entry") {
    const auto known = entries[3].hash;
    entries.erase(entries.begin() + 3);
    f.log.replace(entries);
    REQUIRE(witnesses.heard(one, 4, known));
    CHECK(f.open() == Kinds{"audit.rewritten"});
  }
}
