// What the control plane's modules need of the store, and no more. controlplane/store implements all
// of it on SQLite; tests/contract runs one suite over every implementation. All calls block briefly,
// are thread-safe, and fail with kUnavailable when the store cannot be reached.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/records.h"
#include "protocol/base/result.h"

namespace observeai::model {

class AgentRegistry {
 public:
  virtual ~AgentRegistry() = default;
  virtual Result<std::optional<AgentRecord>> find(const AgentId& id) = 0;
  virtual Result<std::vector<AgentRecord>> list(const TenantId& tenant) = 0;  // Empty tenant = all
  virtual Result<void> confirm(const AgentId& id) = 0;  // pending -> active; no-op when active
  // kNotFound; no-op when revoked already.
  virtual Result<void> revoke(const AgentId& id, const std::string& reason,
                              std::int64_t now_ms) = 0;
  virtual Result<void> update_certificate(const AgentId& id, const std::string& spki_sha256,
                                          const std::string& certificate_pem,
                                          const std::string& serial, std::int64_t not_after_ms) = 0;
  virtual Result<void> seen(const AgentId& id, std::int64_t now_ms,
                            const std::optional<wire::Hello>& hello) = 0;
};

class TokenRepository {
 public:
  virtual ~TokenRepository() = default;
  virtual Result<void> insert(const TokenRecord& token) = 0;
  virtual Result<std::optional<TokenRecord>> find(const std::string& id) = 0;
  virtual Result<std::vector<TokenRecord>> list(const TenantId& tenant) = 0;
  virtual Result<void> revoke(const std::string& id, std::int64_t now_ms) = 0;

  // The enrollment transaction. If (token, agent.spki_sha256) was enrolled before, returns that
  // record unchanged and counts nothing. Else, when the token still has a use left, is not revoked
  // and not expired at now_ms: stores `agent`, counts one use, returns it. Else kDenied with the
  // reason as message. Atomic: N racing callers get exactly uses_allowed agents.
  virtual Result<AgentRecord> consume(const std::string& token_id, const AgentRecord& agent,
                                      std::int64_t now_ms) = 0;
};

class AccessRepository {
 public:
  virtual ~AccessRepository() = default;
  virtual Result<void> insert_key(const ApiKeyRecord& key) = 0;
  virtual Result<std::optional<ApiKeyRecord>> find_key(const std::string& id) = 0;
  virtual Result<std::vector<ApiKeyRecord>> list_keys() = 0;
  virtual Result<void> revoke_key(const std::string& id, std::int64_t now_ms) = 0;
  virtual Result<void> key_used(const std::string& id, std::int64_t now_ms) = 0;
  virtual Result<void> insert_login(const LoginCodeRecord& login) = 0;
  // Marks the code used and returns it; kDenied when unknown, used or expired. Atomic.
  virtual Result<LoginCodeRecord> use_login(const std::string& code_sha256,
                                            std::int64_t now_ms) = 0;
};

class AuditLog {
 public:
  virtual ~AuditLog() = default;
  // Numbered and chained in one transaction: seq and hash are assigned, without holes. Texts that are
  // not UTF-8 are made so.
  virtual Result<void> append(const AuditEntry& entry) = 0;
  virtual Result<std::vector<AuditEntry>> list(std::uint64_t after_seq, std::size_t limit) = 0;
  virtual Result<AuditPoint> newest() = 0;
  // The newest entry about this object; seq 0: none.
  virtual Result<AuditPoint> newest_about(const std::string& object) = 0;
};

// Signed heads of the chain, never changed, at most one for an entry.
class AuditHeadRepository {
 public:
  virtual ~AuditHeadRepository() = default;
  // No-op when this entry has one with the same hash; kDenied: with another hash.
  virtual Result<void> insert(const SignedAuditHead& head) = 0;
  virtual Result<std::vector<SignedAuditHead>> list(std::uint64_t after_seq, std::size_t limit) = 0;
  virtual Result<std::optional<SignedAuditHead>> newest() = 0;
};

class AlertRepository {
 public:
  virtual ~AlertRepository() = default;
  virtual Result<void> raise(const Alert& alert) = 0;  // Merges with the open one of the same key
  virtual Result<void> clear(const std::string& kind, const AgentId& agent,
                             const std::string& object) = 0;
  virtual Result<std::vector<Alert>> open() = 0;
};

class TelemetryReader {
 public:
  virtual ~TelemetryReader() = default;
  virtual Result<std::vector<HostInventory>> inventories(const TenantId& tenant) = 0;
  virtual Result<std::optional<HostInventory>> inventory(const AgentId& agent) = 0;
  // For totals and for finding a target by a name, without reading whole inventories: one pass over an
  // index. By agent; an empty tenant means all.
  virtual Result<std::vector<InventoryCounts>> inventory_counts(const TenantId& tenant) = 0;
  // Containers, process groups and units whose id, name or service contains `text` ("" = all).
  virtual Result<std::vector<TargetName>> target_names(const TenantId& tenant,
                                                       const std::string& text) = 0;
  virtual Result<std::vector<LogRow>> logs(const LogQuery& query) = 0;
  virtual Result<std::vector<SeriesInfo>> series(const AgentId& agent,
                                                 const wire::Target& target) = 0;
  virtual Result<std::vector<SeriesPoints>> points(const SeriesQuery& query) = 0;
  // The newest value of gauges and the rate of counters, for lists: series with one of `names` in the
  // newest epoch of the agent, each with at most its two newest samples in `points` (ascending). From
  // memory, no chunk is decoded. Empty target: every target of the host, in one call.
  virtual Result<std::vector<SeriesPoints>> latest(const AgentId& agent, const wire::Target& target,
                                                   const std::vector<std::string>& names) = 0;
  virtual Result<std::vector<EventRow>> events(const EventQuery& query) = 0;
  virtual Result<std::vector<LedgerRow>> ledger(const AgentId& agent) = 0;  // Empty = all
};

// What became visible by one commit: for live followers. Called after the commit, on the committing
// thread; must not block.
struct Committed {
  AgentId agent;
  const wire::ControlBatch* control = nullptr;  // Exactly one of the three is set.
  const wire::SampleBatch* samples = nullptr;
  const wire::LogBatch* logs = nullptr;
  std::vector<std::uint64_t> event_ids;  // Of control->events, same order
  LogPosition first_log;  // Of logs->records[0]; record i has the same with index + i
};

// What of one (agent, epoch) is committed.
struct LaneCursors {
  std::array<std::uint64_t, wire::kLaneCount> contiguous{};
  std::array<std::vector<wire::Run>, wire::kLaneCount> runs;  // The lowest above it
};

// What a hello says the spool keeps, against what is stored of the same epoch.
struct SpoolComparison {
  bool differs = false;  // Other content under a number that both have
  // Highest number stored in each lane in which it lies at or above the agent's next one, else 0.
  std::array<std::uint64_t, wire::kLaneCount> ahead{};
  std::array<wire::CommittedContent, wire::kLaneCount> newest;  // Of the highest, where known
};

enum class CommitOutcome { kStored, kDuplicate, kConflict, kNeedSeries };

class TelemetryWriter {
 public:
  virtual ~TelemetryWriter() = default;
  // Commits one opened batch idempotently on (agent, epoch, lane, seq); durable on return. kDuplicate:
  // same content was stored before, or the number is settled the other way: as lost, or stored before
  // it was declared lost. kConflict: other content under the same key, nothing stored.
  // A batch with an origin is stored unless its content is stored under the origin already (kDuplicate);
  // its own number counts as committed in both cases.
  // kNeedSeries: a sample refers to a series not defined yet, nothing stored. kCorrupt when the body
  // does not decode; kInvalid when the agent passes a limit of the store or sends what it does not take:
  // its own trouble alone.
  virtual Result<CommitOutcome> commit(const wire::Batch& batch) = 0;
  // Group commit: outcomes in the same order, one transaction where possible.
  virtual Result<std::vector<Result<CommitOutcome>>> commit_all(
      const std::vector<wire::Batch>& batches) = 0;
  // For a batch that can never be committed (kCorrupt again and again) and would stop its lane for good:
  // its number counts as lost, with header.n records of the source "unreadable" (of "metrics" in lane 1).
  // kCorrupt when even the number cannot be stored.
  virtual Result<void> give_up(const wire::Batch& batch) = 0;
  virtual Result<LaneCursors> cursors(const AgentId& agent, const Epoch& epoch) = 0;
  Result<std::array<std::uint64_t, wire::kLaneCount>> contiguous(const AgentId& agent,
                                                                 const Epoch& epoch) {
    TRY(const auto all, cursors(agent, epoch));
    return all.contiguous;
  }
  // Looks at the newest numbers that both sides have; kUnavailable as any other call.
  virtual Result<SpoolComparison> compare(const wire::Hello& hello) = 0;
  // Hex sha256 of the stored inventory, computed as wire::inventory_digest does; "" when there is none.
  virtual Result<std::string> inventory_digest(const AgentId& agent) = 0;
  virtual Result<std::uint64_t> series_known(const AgentId& agent, const Epoch& epoch) = 0;
  virtual void on_committed(
      std::function<void(const Committed&)> listener) = 0;  // Before the first commit
};

}  // namespace observeai::model
