// Signed heads on the real store, their external copy, and the whole of it against an attacker with sqlite3.
#include "controlplane/app/audit_heads.h"

#include <doctest/doctest.h>

#include "controlplane/audit/export_verifier.h"
#include "controlplane/audit/heads.h"
#include "controlplane/store/store.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/sql/database.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::controlplane;

namespace {

class KeySigner final : public CommandSigner {
 public:
  explicit KeySigner(const Clock& clock) : clock_(clock) {}
  bool down = false;
  signing::SigningKeyPair key = signing::SigningKeyPair::generate();

  Result<std::vector<Result<std::string>>> sign_commands(std::span<const std::string>) override {
    return Error(Errc::kUnavailable, "not in this test");
  }
  Result<std::string> sign_time(const wire::TimeStatement&) override {
    return Error(Errc::kUnavailable, "not in this test");
  }
  Result<std::string> sign_audit_head(const wire::AuditHead& head) override {
    if (down) return Error(Errc::kUnavailable, "no signer");
    wire::AuditHead own = head;
    own.unix_ms = clock_.unix_ms();
    TRY(auto payload, wire::encode_audit_head(own));
    signing::SignedEnvelope envelope{wire::kAuditHeadType, std::move(payload), {}};
    signing::add_signature(envelope, key);
    return wire::encode_envelope(envelope);
  }
  Result<void> take_roots(std::span<const std::string>) override { return {}; }
  Result<void> revoke_agent(const AgentId&) override { return {}; }

 private:
  const Clock& clock_;
};

struct Fixture {
  test::TempDir dir;
  ManualClock clock;
  KeySigner signer{clock};
  std::unique_ptr<Store> store;
  std::unique_ptr<AuditHeads> heads;
  std::string file = dir / "heads.jsonl";

  Fixture() { restart(); }
  void restart() {
    heads.reset();
    store.reset();
    StoreOptions options;
    options.directory = dir / "store";
    store = Store::open(options, clock).value();
    heads = std::make_unique<AuditHeads>(store->audit(), store->audit_heads(), store->alerts(),
                                         signer, file, clock);
  }
  void append(int count) {
    for (int i = 0; i < count; ++i) {
      REQUIRE(
          store->audit().append({0, clock.unix_ms(), "user:admin", "token.create", "t", "{}", {}}));
    }
  }
  void minute() {
    for (int i = 0; i < 12; ++i) {
      clock.advance(std::chrono::seconds(5));
      heads->tick();
    }
  }
  void attack(const std::string& script) {
    auto database = sql::Database::open(dir / "store/state.db", {}).value();
    const auto done = database.execute(
        "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted;"
        "DROP TRIGGER audit_heads_are_never_deleted;" +
        script);
    if (!done) FAIL(done.error().message());
  }
  std::vector<std::uint64_t> copied() const {
    std::vector<std::uint64_t> out;
    const auto text = files::read(file).value();
    for (const auto line : text::split(text, '\n')) {
      if (!line.empty())
        out.push_back(std::get<model::SignedAuditHead>(audit::parse_line(line).value()).head.seq);
    }
    return out;
  }
  std::vector<std::string> open() {
    std::vector<std::string> kinds;
    const auto all = store->alerts().open().value();
    for (const auto& alert : all) kinds.push_back(alert.kind);
    return kinds;
  }
  // As an export of the store's log, checked against the heads that were kept elsewhere.
  std::string verdict() {
    audit::ExportVerifier verifier;
    const auto kept = files::read(file).value();
    for (const auto line : text::split(kept, '\n')) {
      if (line.empty()) continue;
      REQUIRE(
          verifier.expect(std::get<model::SignedAuditHead>(audit::parse_line(line).value()).head));
    }
    std::vector<std::string> lines{audit::format_line(audit::ExportBegin{})};
    const auto entries = store->audit().list(0, 1000).value();
    for (const auto& entry : entries) lines.push_back(audit::format_line(entry));
    for (const auto& line : lines) {
      if (const auto added = verifier.add(line); !added) return added.error().message();
    }
    const auto report = verifier.finish();
    return report ? "" : report.error().message();
  }
};

using Seqs = std::vector<std::uint64_t>;
using Kinds = std::vector<std::string>;

}  // namespace

TEST_CASE("heads are signed and copied, once each, through restarts") {
  Fixture f;
  f.minute();
  CHECK_FALSE(files::exists(f.file));
  f.append(3);
  f.minute();
  f.append(2);
  f.minute();
  CHECK(f.copied() == Seqs{3, 5});
  f.restart();
  f.minute();
  CHECK(f.copied() == Seqs{3, 5});
  f.append(1);
  f.minute();
  CHECK(f.copied() == Seqs{3, 5, 6});
  CHECK(f.verdict().empty());
}

TEST_CASE(
    "what commands carry is signed with all that was appended before them, or the newest there "
    "is") {
  Fixture f;
  CHECK(f.heads->newest().head.seq == 0);
  f.append(3);
  const auto head = f.heads->newest();
  CHECK(head.head.seq == 3);
  CHECK(audit::read_head(head.envelope).value() == head.head);
  f.signer.down = true;
  f.append(1);
  CHECK(f.heads->newest().head.seq == 3);
}

TEST_CASE("a copy that fails is an alert, and is made up for") {
  Fixture f;
  f.file = f.dir / "nowhere/heads.jsonl";
  f.restart();
  f.append(1);
  f.minute();
  CHECK(f.open() == Kinds{"audit.heads_file"});
  REQUIRE(files::make_directories(f.dir / "nowhere", 0700));
  f.minute();
  CHECK(f.open().empty());
  CHECK(f.copied() == Seqs{1});
}

TEST_CASE("a file that is no copy is left alone") {
  Fixture f;
  for (const char* foreign : {"precious\n", "no end of line"}) {
    REQUIRE(files::write_atomic(f.file, foreign, 0600));
    f.restart();
    f.append(1);
    f.minute();
    CHECK(files::read(f.file).value() == foreign);
    CHECK(f.open() == Kinds{"audit.heads_file"});
  }
}

TEST_CASE("attack: what sqlite3 does to the log of the real store is noticed within a minute") {
  Fixture f;
  f.append(9);
  f.minute();
  SUBCASE("cut, with the sequence set back") {
    f.attack("DELETE FROM audit WHERE seq>5; UPDATE sqlite_sequence SET seq=5 WHERE name='audit'");
    f.minute();
    CHECK(f.open() == Kinds{"audit.truncated"});
    CHECK(f.verdict().find("4 entries are gone") != std::string::npos);
    f.append(10);
    f.minute();
    CHECK(f.verdict().find("the log was rewritten") != std::string::npos);
  }
  SUBCASE("cut with its heads, and the program started anew: only who kept one knows") {
    const auto known = f.heads->newest().head;
    f.attack(
        "DELETE FROM audit WHERE seq>5; UPDATE sqlite_sequence SET seq=5 WHERE name='audit';"
        "DELETE FROM audit_heads");
    f.restart();
    f.minute();
    CHECK(f.open().empty());
    CHECK(f.verdict().find("4 entries are gone") != std::string::npos);
    wire::Hello hello;
    hello.executor.emplace();
    hello.executor->audit_seq = known.seq;
    hello.executor->audit_hash = known.hash;
    f.heads->heard(AgentId::parse("web-01").value(), hello);
    CHECK(f.open() == Kinds{"audit.truncated"});
  }
}

TEST_CASE("a host without an executor, or that knows nothing yet, says nothing") {
  Fixture f;
  f.append(1);
  wire::Hello hello;
  f.heads->heard(AgentId::parse("web-01").value(), hello);
  hello.executor.emplace();
  f.heads->heard(AgentId::parse("web-01").value(), hello);
  CHECK(f.open().empty());
}
