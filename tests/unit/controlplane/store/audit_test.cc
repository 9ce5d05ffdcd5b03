// The audit log on the real store: chained with its append, and what an attacker with sqlite3 leaves.
#include "controlplane/audit/chain.h"
#include "controlplane/store/audit_log.h"
#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;
namespace audit = observeai::controlplane::audit;

namespace {

struct AuditFixture : StoreFixture {
  AuditFixture() {
    for (int i = 1; i <= 9; ++i) append(i);
  }
  void append(int number) {
    REQUIRE(store->audit().append({0,
                                   number,
                                   "user:admin",
                                   "token.create",
                                   "t" + std::to_string(number),
                                   R"({"uses":1})",
                                   {}}));
  }
  // As someone does who may write state.db and has read its schema.
  void attack(const std::string& script) {
    auto database = sql::Database::open(dir / "state.db", {}).value();
    const auto done = database.execute(
        "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted; " + script);
    if (!done) FAIL(done.error().message());
  }
  std::string verdict() {
    audit::ChainVerifier verifier;
    const auto entries = store->audit().list(0, 1000).value();
    for (const auto& entry : entries) {
      if (const auto added = verifier.add(entry); !added) return added.error().message();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("entries are chained as they are appended, also through a restart") {
  AuditFixture f;
  CHECK(f.verdict().empty());
  f.reopen();
  f.append(10);
  CHECK(f.verdict().empty());
  const auto newest = f.store->audit().newest().value();
  CHECK(newest.seq == 10);
  CHECK(newest.hash == f.store->audit().list(9, 1).value().at(0).hash);
}

TEST_CASE("an append that fails leaves no hole") {
  AuditFixture f;
  auto state = controlplane::store::StateDb::open(f.dir / "state.db").value();
  CHECK_FALSE(state->write([](sql::Database& db) -> Result<void> {
    TRY_VOID(controlplane::store::append_audit(db, {0, 1, "a", "b", "c", "d", {}}));
    return Error(Errc::kLimit, "what came with it failed");
  }));
  f.append(10);
  CHECK(f.store->audit().newest().value().seq == 10);
  CHECK(f.verdict().empty());
}

TEST_CASE("a text that is not UTF-8 is made so before it is chained") {
  AuditFixture f;
  REQUIRE(f.store->audit().append({0, 1, "user:\xff", "x", std::string("a\0b", 3), "{}", {}}));
  const auto entry = f.store->audit().list(9, 1).value().at(0);
  CHECK(entry.actor == "user:\xEF\xBF\xBD");
  CHECK(entry.object == std::string("a\0b", 3));
  CHECK(f.verdict().empty());
}

TEST_CASE("the entries of a log from before the chain are chained when it is opened") {
  AuditFixture f;
  f.store.reset();
  {
    // What migration 8 finds: the columns from before, more rows than one page.
    auto database = sql::Database::open(f.dir / "state.db", {}).value();
    REQUIRE(database.execute(
        "DROP TRIGGER audit_is_never_changed; UPDATE audit SET hash=NULL;"
        "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i+1 FROM n WHERE i<2500)"
        " INSERT INTO audit(seq, ts_ms, actor, action, object, detail)"
        " SELECT i, i, 'system', 'old', '', '{}' FROM n;"
        "CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit WHEN OLD.hash IS NOT NULL"
        " BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;"));
  }
  f.reopen();
  audit::ChainVerifier verifier;
  for (std::uint64_t after = 0;;) {
    const auto page = f.store->audit().list(after, 1000).value();
    if (page.empty()) break;
    for (const auto& entry : page) REQUIRE(verifier.add(entry));
    after = page.back().seq;
  }
  CHECK(verifier.tip().seq == 2500);
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  CHECK_FALSE(database.run("UPDATE audit SET actor='nobody' WHERE seq=1"));
}

TEST_CASE("attack: one byte of an entry changed by sqlite3") {
  AuditFixture f;
  f.attack("UPDATE audit SET object='t6' WHERE seq=5");
  CHECK(f.verdict().starts_with("entry 5 ("));
}

TEST_CASE("attack: the last entries deleted by sqlite3 leave a hole for good") {
  AuditFixture f;
  f.attack("DELETE FROM audit WHERE seq>6");
  f.reopen();
  f.append(10);
  CHECK(f.verdict().starts_with("entry 7 is missing, and so is all up to entry 9"));
}

TEST_CASE("attack: an entry put in by sqlite3") {
  AuditFixture f;
  f.attack(
      "INSERT INTO audit(ts_ms, actor, action, object, detail) "
      "VALUES(1,'user:eve','login','k','{}')");
  CHECK(f.verdict().starts_with("entry 10 ("));
  f.reopen();  // Is not chained afterwards
  CHECK(f.verdict().find("has no hash") != std::string::npos);
  f.append(11);  // Nothing that an attacker wrote stops the log
  CHECK(f.verdict().find("has no hash") != std::string::npos);
}

TEST_CASE("attack: two entries exchanged by sqlite3") {
  AuditFixture f;
  f.attack(
      "UPDATE audit SET seq=100 WHERE seq=3; UPDATE audit SET seq=3 WHERE seq=4;"
      "UPDATE audit SET seq=4 WHERE seq=100");
  CHECK(f.verdict().starts_with("entry 3 ("));
}

TEST_CASE("heads are kept, one for an entry, and cannot be changed") {
  AuditFixture f;
  auto& heads = f.store->audit_heads();
  CHECK_FALSE(heads.newest().value());
  wire::Digest hash{};
  hash.fill(7);
  const model::SignedAuditHead first{{4, hash, 1'000}, "envelope"};
  const model::SignedAuditHead second{{9, hash, 2'000}, "other"};
  REQUIRE(heads.insert(second));
  REQUIRE(heads.insert(first));
  REQUIRE(heads.insert({{4, hash, 3'000}, "again"}));
  CHECK(heads.list(0, 10).value() == std::vector{first, second});
  CHECK(heads.list(4, 10).value() == std::vector{second});
  CHECK(heads.newest().value() == second);
  hash.fill(8);
  const auto other = heads.insert({{4, hash, 3'000}, "rewritten"});
  REQUIRE_FALSE(other);
  CHECK(other.error().code() == Errc::kDenied);
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  CHECK_FALSE(database.run("DELETE FROM audit_heads"));
  CHECK_FALSE(database.run("UPDATE audit_heads SET ts_ms=1"));
}
