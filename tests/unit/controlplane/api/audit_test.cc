// The chain of the audit log as the interface gives it out.
#include "controlplane/audit/export_verifier.h"
#include "protocol/base/text.h"
#include "protocol/signing/sealing.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

struct AuditFixture : Fixture {
  AuditFixture() {
    get("/v1/whoami");  // The first use of a key is an entry of its own
    while (size() < 25) {
      REQUIRE(repositories.audit.append(
          {0, now_ms, "user:admin", "token.create", "t" + std::to_string(size()), "{}", {}}));
    }
    for (const std::uint64_t seq : {4, 10, 20}) sign(seq);
  }
  std::uint64_t size() { return repositories.audit.newest().value().seq; }
  void sign(std::uint64_t seq) {
    const auto entry = repositories.audit.list(seq - 1, 1).value().at(0);
    const wire::AuditHead head{seq, entry.hash, now_ms};
    signing::SignedEnvelope envelope{
        wire::kAuditHeadType, wire::encode_audit_head(head).value(), {}};
    signing::add_signature(envelope, acme.audit);
    REQUIRE(repositories.audit_heads.insert({head, wire::encode_envelope(envelope)}));
  }
  std::string page(const std::string& query) {
    const auto reply = send("GET", "/v1/audit/export?" + query);
    REQUIRE(reply.status == 200);
    CHECK(reply.content_type == "application/x-ndjson");
    return reply.body;
  }
  Result<audit::ExportReport> verify(const std::string& lines) {
    audit::ExportVerifier verifier(signing::sha256_hex(roots->envelopes_after(0).at(0)));
    for (const auto line : text::split(lines, '\n')) {
      TRY_VOID(verifier.add(line));
    }
    return verifier.finish();
  }
};

TEST_CASE("audit entries and heads carry their hashes") {
  AuditFixture f;
  const auto body = f.get("/v1/audit?after_seq=3&limit=1");
  const auto entry = body.at("entries").as_array().at(0).as_object();
  const auto heads = f.get("/v1/audit/heads?limit=1");
  CHECK(heads.at("truncated").as_bool());
  const auto head = heads.at("heads").as_array().at(0).as_object();
  CHECK(head.at("seq") == 4);
  CHECK(head.at("hash") == entry.at("hash"));
  CHECK(entry.at("hash").as_string() ==
        text::to_hex(f.repositories.audit.list(3, 1).value().at(0).hash));
  const auto rest = f.get("/v1/audit/heads?after_seq=4");
  CHECK_FALSE(rest.at("truncated").as_bool());
  CHECK(rest.at("heads").as_array().size() == 2);
}

TEST_CASE("the export verifies, whole and as pages behind each other") {
  AuditFixture f;
  const auto whole = f.verify(f.page(""));
  REQUIRE(whole);
  CHECK(whole->entries == 25);
  CHECK(whole->heads == 3);
  CHECK(whole->unsigned_entries == 5);
  CHECK(whole->is_pinned);
  for (const int limit : {1, 4, 7, 24, 25}) {
    std::string pages;
    std::uint64_t after = 0;
    for (int count = 0; count < 30; ++count) {
      const auto page =
          f.page("after_seq=" + std::to_string(after) + "&limit=" + std::to_string(limit));
      pages += page;
      const auto last = page.substr(page.rfind('\n', page.size() - 2) + 1);
      const auto more = audit::parse_line(last).value();
      if (!std::holds_alternative<audit::ExportMore>(more)) break;
      after = std::get<audit::ExportMore>(more).after_seq;
    }
    const auto joined = f.verify(pages);
    REQUIRE(joined);
    CHECK(joined->end == whole->end);
    CHECK(joined->heads == 3);
  }
  const auto tail = f.verify(f.page("after_seq=20"));
  REQUIRE(tail);
  CHECK(tail->after_seq == 20);
  CHECK(tail->entries == 5);
  f.refused(404, "GET", "/v1/audit/export?after_seq=26");
}

TEST_CASE("attack: a log that was cut is exported with the heads that prove it") {
  AuditFixture f;
  auto entries = f.repositories.audit.list(0, 1000).value();
  entries.resize(12);
  f.repositories.audit.replace(entries);
  const auto verified = f.verify(f.page(""));
  REQUIRE_FALSE(verified);
  CHECK(verified.error().message().starts_with("entry 13 and all up to entry 20 are missing"));
}

TEST_CASE("the chain is for the tenant that runs the installation") {
  AuditFixture f;
  f.refused(404, "GET", "/v1/audit/heads", "stranger");
  f.refused(404, "GET", "/v1/audit/export", "stranger");
  f.refused(403, "GET", "/v1/audit/export", "operator");
}

}  // namespace
}  // namespace observeai::controlplane::api
