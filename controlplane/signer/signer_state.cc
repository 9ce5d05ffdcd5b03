#include "controlplane/signer/signer_state.h"

#include <algorithm>

#include "protocol/base/text.h"

namespace observeai::controlplane::signer {
namespace {

constexpr std::int64_t kVersion = 2;
constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS sequence (agent TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS revoked (agent TEXT PRIMARY KEY, revoked_ms INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS audit_head (
  one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL,
  unix_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS leaf (
  root BLOB NOT NULL, place INTEGER NOT NULL, count INTEGER NOT NULL, first_ms INTEGER NOT NULL,
  PRIMARY KEY (root, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS leaf_by_age ON leaf(first_ms);
CREATE TABLE IF NOT EXISTS rate (
  minute INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (minute, name)) WITHOUT ROWID;
PRAGMA user_version = 2;
)";
constexpr const char* kLeafCount = "SELECT count FROM leaf WHERE root = ?1 AND place = ?2";
constexpr const char* kCountLeaf =
    "INSERT INTO leaf (root, place, count, first_ms) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (root, place) DO UPDATE SET count = count + excluded.count";
constexpr const char* kRates =
    "SELECT name, minute, count FROM rate WHERE minute >= ?1 ORDER BY minute";
constexpr const char* kCountRate =
    "INSERT INTO rate (minute, name, count) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (minute, name) DO UPDATE SET count = count + excluded.count";
constexpr const char* kForgetRates = "DELETE FROM rate WHERE minute < ?1";
constexpr const char* kForgetLeaves = "DELETE FROM leaf WHERE first_ms < ?1";
constexpr const char* kAdvance =
    "INSERT INTO sequence (agent, seq) VALUES (?1, ?2) "
    "ON CONFLICT (agent) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > seq";
constexpr const char* kRevoke =
    "INSERT INTO revoked (agent, revoked_ms) VALUES (?1, ?2) ON CONFLICT (agent) DO NOTHING";
constexpr const char* kSetHead =
    "INSERT INTO audit_head (one, seq, hash, unix_ms) VALUES (1, ?1, ?2, ?3) "
    "ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, unix_ms = "
    "excluded.unix_ms";

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMinutesKept = 61;  // The hour, and the one that is under way

}  // namespace

Result<std::unique_ptr<SignerState>> SignerState::open(const std::string& path) {
  sql::OpenOptions options;
  options.exclusive = true;
  options.busy_timeout = std::chrono::milliseconds(500);  // Of a signer that is just ending
  TRY(auto database, sql::Database::open(path, options));
  TRY(const auto version, database.scalar(0, "PRAGMA user_version"));
  if (version > kVersion) {
    return Error(Errc::kInvalid, path + " is of version " + std::to_string(version) +
                                     "; this program knows " + std::to_string(kVersion));
  }
  TRY_VOID(database.execute(kSchema));
  std::unique_ptr<SignerState> state(new SignerState(std::move(database)));
  TRY_VOID(state->load());
  return state;
}

Result<void> SignerState::load() {
  TRY(auto sequences, database_.query("SELECT agent, seq FROM sequence"));
  for (;;) {
    TRY(const bool found, sequences.step());
    if (!found) break;
    sequences_[sequences.string(0)] = sequences.unsigned_integer(1);
  }
  TRY(auto revoked, database_.query("SELECT agent FROM revoked"));
  for (;;) {
    TRY(const bool found, revoked.step());
    if (!found) break;
    revoked_.insert(revoked.string(0));
  }
  TRY(auto head, database_.query("SELECT seq, hash, unix_ms FROM audit_head"));
  TRY(const bool found, head.step());
  if (!found) return {};
  const auto hash = head.blob(1);
  if (hash.size() != audit_head_.hash.size())
    return Error(Errc::kCorrupt, database_.path() + ": the audit head is damaged");
  audit_head_.seq = head.unsigned_integer(0);
  std::copy(hash.begin(), hash.end(), audit_head_.hash.begin());
  audit_head_.unix_ms = head.integer(2);
  return {};
}

std::uint64_t SignerState::sequence(const std::string& agent) const {
  const auto found = sequences_.find(agent);
  return found == sequences_.end() ? 0 : found->second;
}

Result<std::uint32_t> SignerState::leaf_count(const Leaf& leaf) {
  TRY(const auto count,
      database_.scalar(0, kLeafCount, sql::Blob(text::as_text(leaf.root)), leaf.index));
  return static_cast<std::uint32_t>(count);
}

Result<std::vector<MinuteCount>> SignerState::rates(std::int64_t now_ms) {
  std::vector<MinuteCount> out;
  TRY(auto rows, database_.query(kRates, now_ms / kMinuteMs - kMinutesKept));
  for (;;) {
    TRY(const bool found, rows.step());
    if (!found) return out;
    out.push_back(
        {rows.string(0), rows.integer(1), static_cast<std::uint32_t>(rows.unsigned_integer(2))});
  }
}

Result<void> SignerState::advance(const Advance& advance, std::int64_t now_ms) {
  TRY(auto transaction, sql::Transaction::begin(database_));
  for (const auto& [agent, seq] : advance.sequences) {
    TRY_VOID(database_.run(kAdvance, agent, seq));
  }
  for (const auto& [leaf, count] : advance.leaves) {
    TRY_VOID(
        database_.run(kCountLeaf, sql::Blob(text::as_text(leaf.root)), leaf.index, count, now_ms));
  }
  for (const auto& [name, count] : advance.rates) {
    TRY_VOID(database_.run(kCountRate, now_ms / kMinuteMs, name, count));
  }
  TRY_VOID(transaction.commit());
  for (const auto& [agent, seq] : advance.sequences) sequences_[agent] = seq;
  return {};
}

Result<void> SignerState::forget(std::int64_t now_ms) {
  TRY_VOID(database_.run(kForgetLeaves, now_ms - kKeepLeavesMs));
  TRY_VOID(database_.run(kForgetRates, now_ms / kMinuteMs - kMinutesKept));
  return {};
}

Result<void> SignerState::revoke(const AgentId& agent, std::int64_t now_ms) {
  if (is_revoked(agent.value())) return {};
  TRY_VOID(database_.run(kRevoke, agent.value(), now_ms));
  revoked_.insert(agent.value());
  return {};
}

Result<void> SignerState::set_audit_head(const wire::AuditHead& head) {
  TRY_VOID(database_.run(kSetHead, head.seq, sql::Blob(text::as_text(head.hash)), head.unix_ms));
  audit_head_ = head;
  return {};
}

}  // namespace observeai::controlplane::signer
