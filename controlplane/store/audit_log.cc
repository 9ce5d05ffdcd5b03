#include "controlplane/store/audit_log.h"

#include <algorithm>

#include "controlplane/audit/chain.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::store {
namespace {

#define ENTRY_COLUMNS "seq, ts_ms, actor, action, object, detail, hash"
#define HEAD_COLUMNS "seq, hash, ts_ms, envelope"

constexpr const char* kNewest = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
constexpr const char* kNewestAbout =
    "SELECT seq, hash FROM audit WHERE object=? ORDER BY seq DESC LIMIT 1";
constexpr const char* kHighest = "SELECT seq FROM sqlite_sequence WHERE name='audit'";
constexpr const char* kAppend = "INSERT INTO audit(" ENTRY_COLUMNS ") VALUES(?,?,?,?,?,?,?)";
constexpr const char* kList =
    "SELECT " ENTRY_COLUMNS " FROM audit WHERE seq>? ORDER BY seq LIMIT ?";
constexpr const char* kIsChained = "SELECT EXISTS(SELECT 1 FROM audit WHERE hash IS NOT NULL)";
constexpr const char* kSetHash = "UPDATE audit SET hash=? WHERE seq=?";
constexpr const char* kHashOfHead = "SELECT hash FROM audit_heads WHERE seq=?";
constexpr const char* kInsertHead = "INSERT INTO audit_heads(" HEAD_COLUMNS ") VALUES(?,?,?,?)";
constexpr const char* kListHeads =
    "SELECT " HEAD_COLUMNS " FROM audit_heads WHERE seq>? ORDER BY seq LIMIT ?";
constexpr const char* kNewestHead =
    "SELECT " HEAD_COLUMNS " FROM audit_heads ORDER BY seq DESC LIMIT 1";

constexpr std::size_t kChainPage = 1'000;

wire::Digest digest_from(std::string_view bytes) {
  wire::Digest digest{};
  if (bytes.size() == digest.size()) std::copy(bytes.begin(), bytes.end(), digest.begin());
  return digest;
}

model::AuditEntry entry_from(const sql::Statement& row) {
  return {row.unsigned_integer(0), row.integer(1), row.string(2),           row.string(3),
          row.string(4),           row.string(5),  digest_from(row.blob(6))};
}

model::SignedAuditHead head_from(const sql::Statement& row) {
  return {{row.unsigned_integer(0), digest_from(row.blob(1)), row.integer(2)},
          std::string(row.blob(3))};
}

Result<model::AuditPoint> newest_in(sql::Database& db) {
  TRY(auto row, db.query(kNewest));
  TRY(const bool found, row.step());
  if (!found) return model::AuditPoint();
  return model::AuditPoint{row.unsigned_integer(0), digest_from(row.blob(1))};
}

Result<std::vector<model::AuditEntry>> list_in(sql::Database& db, std::uint64_t after_seq,
                                               std::size_t limit) {
  TRY(auto row, db.query(kList, after_seq, limit));
  std::vector<model::AuditEntry> entries;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return entries;
    entries.push_back(entry_from(row));
  }
}

}  // namespace

Result<void> chain_old_entries(StateDb& state) {
  return state.write([](sql::Database& db) -> Result<void> {
    TRY(const auto chained, db.scalar(0, kIsChained));
    if (chained != 0) return {};
    model::AuditPoint last;
    for (;;) {
      TRY(const auto page, list_in(db, last.seq, kChainPage));
      if (page.empty()) return {};
      for (const auto& entry : page) {
        last = {entry.seq, audit::chain_hash(entry.seq, last.hash, entry)};
        TRY_VOID(db.run(kSetHash, sql::Blob(last.hash), entry.seq));
      }
    }
  });
}

Result<void> append_audit(sql::Database& db, model::AuditEntry entry) {
  TRY(const auto last, newest_in(db));
  TRY(const auto highest, db.scalar(0, kHighest));
  for (auto* text : {&entry.actor, &entry.action, &entry.object, &entry.detail}) {
    if (!text::is_valid_utf8(*text)) *text = text::replace_invalid_utf8(*text);
  }
  const std::uint64_t seq = std::max(last.seq, static_cast<std::uint64_t>(highest)) + 1;
  const auto hash = audit::chain_hash(seq, last.hash, entry);
  TRY_VOID(db.run(kAppend, seq, entry.ts_ms, entry.actor, entry.action, entry.object, entry.detail,
                  sql::Blob(hash)));
  return {};
}

Result<void> AuditStore::append(const model::AuditEntry& entry) {
  return state_.write([&](sql::Database& db) { return append_audit(db, entry); });
}

Result<std::vector<model::AuditEntry>> AuditStore::list(std::uint64_t after_seq,
                                                        std::size_t limit) {
  return state_.read([&](sql::Database& db) { return list_in(db, after_seq, limit); });
}

Result<model::AuditPoint> AuditStore::newest() {
  return state_.read([](sql::Database& db) { return newest_in(db); });
}

Result<model::AuditPoint> AuditStore::newest_about(const std::string& object) {
  return state_.read([&](sql::Database& db) -> Result<model::AuditPoint> {
    TRY(auto row, db.query(kNewestAbout, object));
    TRY(const bool found, row.step());
    if (!found) return model::AuditPoint();
    return model::AuditPoint{row.unsigned_integer(0), digest_from(row.blob(1))};
  });
}

Result<void> AuditHeadStore::insert(const model::SignedAuditHead& head) {
  return state_.write([&](sql::Database& db) -> Result<void> {
    TRY(auto row, db.query(kHashOfHead, head.head.seq));
    TRY(const bool found, row.step());
    if (found && digest_from(row.blob(0)) == head.head.hash) return {};
    if (found) {
      return Error(Errc::kDenied, "entry " + std::to_string(head.head.seq) +
                                      " of the audit log was signed before, with another hash");
    }
    TRY_VOID(db.run(kInsertHead, head.head.seq, sql::Blob(head.head.hash), head.head.unix_ms,
                    sql::Blob(head.envelope)));
    return {};
  });
}

Result<std::vector<model::SignedAuditHead>> AuditHeadStore::list(std::uint64_t after_seq,
                                                                 std::size_t limit) {
  return state_.read([&](sql::Database& db) -> Result<std::vector<model::SignedAuditHead>> {
    TRY(auto row, db.query(kListHeads, after_seq, limit));
    std::vector<model::SignedAuditHead> heads;
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return heads;
      heads.push_back(head_from(row));
    }
  });
}

Result<std::optional<model::SignedAuditHead>> AuditHeadStore::newest() {
  return state_.read([](sql::Database& db) -> Result<std::optional<model::SignedAuditHead>> {
    TRY(auto row, db.query(kNewestHead));
    TRY(const bool found, row.step());
    if (!found) return std::optional<model::SignedAuditHead>();
    return std::optional<model::SignedAuditHead>(head_from(row));
  });
}

}  // namespace observeai::controlplane::store
