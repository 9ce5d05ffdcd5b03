#include "controlplane/audit/chain.h"

#include <doctest/doctest.h>

#include "protocol/base/text.h"
#include "tests/unit/controlplane/audit/audit_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::audit_test;
namespace audit = observeai::controlplane::audit;

TEST_CASE("the hashes are those of the formula, computed elsewhere") {
  // Python: hashlib and struct, from the comment of chain.h alone.
  const model::AuditEntry first{
      1, 1'700'000'000'000, "user:admin", "token.create", "t1", R"({"uses":1})", {}};
  const model::AuditEntry second{2, -1, "", "", "", "", {}};
  const auto one = audit::chain_hash(1, {}, first);
  CHECK(text::to_hex(one) == "b5b1018a43752d422110e375445cce3eb1f14b6f41551258e0e350370ddb7fcc");
  CHECK(text::to_hex(audit::chain_hash(2, one, second)) ==
        "2dea5673c4caab4724c508f505ab645d2fdcb3e1ad2d58bb51de84002b997573");
}

TEST_CASE("a whole log verifies, from its beginning and from any entry that is known") {
  const auto log = chained(20);
  CHECK(verdict(log).empty());
  for (std::size_t known = 0; known < log.size(); ++known) {
    audit::ChainVerifier verifier({log[known].seq, log[known].hash});
    for (std::size_t i = known + 1; i < log.size(); ++i) REQUIRE(verifier.add(log[i]));
    CHECK(verifier.tip() == model::AuditPoint{20, log.back().hash});
  }
}

TEST_CASE("attack: no byte of an entry changes unnoticed, and the entry is named" *
          doctest::test_suite("attacks")) {
  for (std::size_t victim = 0; victim < 5; ++victim) {
    for (std::string model::AuditEntry::*field :
         {&model::AuditEntry::actor, &model::AuditEntry::action, &model::AuditEntry::object,
          &model::AuditEntry::detail}) {
      for (std::size_t at = 0; at < (chained(5)[victim].*field).size(); ++at) {
        auto log = chained(5);
        (log[victim].*field)[at] = static_cast<char>((log[victim].*field)[at] ^ 1);
        REQUIRE(verdict(log).starts_with("entry " + std::to_string(victim + 1) + " ("));
      }
    }
    auto log = chained(5);
    log[victim].ts_ms += 1;
    CHECK(verdict(log).starts_with("entry " + std::to_string(victim + 1) + " ("));
  }
}

TEST_CASE("attack: what moves from one text of an entry to the next is noticed" *
          doctest::test_suite("attacks")) {
  auto log = chained(3);
  log[1].object = "t2{";
  log[1].detail.erase(0, 1);
  CHECK(verdict(log).starts_with("entry 2 ("));
}

TEST_CASE("attack: entries removed, put in, repeated or exchanged are named" *
          doctest::test_suite("attacks")) {
  SUBCASE("removed") {
    auto log = chained(9);
    log.erase(log.begin() + 3);
    CHECK(verdict(log).starts_with("entry 4 is missing: the next one there is entry 5"));
    log.erase(log.begin() + 3, log.begin() + 5);
    CHECK(verdict(log).starts_with("entry 4 is missing, and so is all up to entry 6"));
  }
  SUBCASE("removed, and the others numbered anew") {
    auto log = chained(9);
    log.erase(log.begin() + 3);
    for (std::size_t i = 3; i < log.size(); ++i) log[i].seq = i + 1;
    CHECK(verdict(log).starts_with("entry 4 ("));
  }
  SUBCASE("put in with a number of its own") {
    auto log = chained(9);
    auto more = log[4];
    more.object = "innocent";
    log.insert(log.begin() + 4, more);
    CHECK(verdict(log).starts_with("entry 5 ("));
  }
  SUBCASE("put in with the hash that fits: what follows does not") {
    auto log = chained(9);
    auto more = log[4];
    more.object = "innocent";
    more.hash = audit::chain_hash(more.seq, log[3].hash, more);
    log.insert(log.begin() + 4, more);
    CHECK(verdict(log) == "entry 5 is there twice");
    for (std::size_t i = 5; i < log.size(); ++i) log[i].seq = i + 1;
    CHECK(verdict(log).starts_with("entry 6 ("));
  }
  SUBCASE("exchanged") {
    auto log = chained(9);
    std::swap(log[4], log[5]);
    CHECK(verdict(log).starts_with("entry 5 is missing"));
    std::swap(log[4].seq, log[5].seq);
    CHECK(verdict(log).starts_with("entry 5 ("));
  }
  SUBCASE("the same log again behind itself") {
    auto log = chained(3);
    log.push_back(log[1]);
    CHECK(verdict(log) == "the order was changed: entry 2 stands behind entry 3");
  }
  SUBCASE("without a hash") {
    auto log = chained(3);
    log[2].hash = {};
    CHECK(verdict(log).find("has no hash") != std::string::npos);
  }
}

TEST_CASE("attack: a chain computed anew verifies alone: that is what signed heads are for" *
          doctest::test_suite("attacks")) {
  auto log = chained(9);
  const auto before = log.back().hash;
  log[4].object = "innocent";
  chain_again(log);
  CHECK(verdict(log).empty());
  CHECK(log.back().hash != before);
}
