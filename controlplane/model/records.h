// Pure values of the control plane: who is enrolled, who may enter, what was asked, what is shown.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/wire/command.h"
#include "protocol/wire/messages.h"

namespace observeai::model {

// ---- fleet -------------------------------------------------------------------------------------

enum class AgentState { kPending, kActive, kRevoked };  // pending: enrolled, never confirmed

struct AgentRecord {
  AgentId id;
  TenantId tenant;
  std::uint32_t shard = 0;
  AgentState state = AgentState::kPending;
  std::string hostname;
  std::string machine_id_sha256;
  std::string token_id;            // Enrolled with
  std::string spki_sha256;         // Hex, of the current TLS key
  std::string certificate_pem;     // The current one, returned again on a retry with the same key
  std::string certificate_serial;  // Hex
  std::int64_t certificate_not_after_ms = 0;
  std::array<std::uint8_t, 32> sealing_public_key{};  // X25519
  std::array<std::uint8_t, 32> result_public_key{};   // Ed25519
  std::map<std::string, std::string> labels;          // From the token's scope
  std::int64_t enrolled_ms = 0;
  std::int64_t revoked_ms = 0;
  std::string revoked_reason;
  std::int64_t last_seen_ms = 0;
  std::optional<wire::Hello> last_hello;
};

struct TokenRecord {
  std::string id;             // Public part
  std::string secret_sha256;  // Hex; the secret itself is never stored
  TenantId tenant;
  std::map<std::string, std::string> labels;  // Given to the agents enrolled with it
  std::vector<std::string> cidrs;             // Empty = from anywhere
  std::string host_pattern;                   // Glob on the hostname; "" = any
  std::uint32_t uses_allowed = 1;
  std::uint32_t uses = 0;  // Distinct keys enrolled
  bool needs_approval = false;
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;
  std::int64_t revoked_ms = 0;  // 0 = not revoked
  std::string created_by;
};

// ---- access ------------------------------------------------------------------------------------

enum class Role { kViewer, kOperator, kAdmin };  // Each may do what the one before may, and more.

struct ApiKeyRecord {
  std::string id;
  std::string secret_sha256;
  std::string user;
  TenantId tenant;
  Role role = Role::kViewer;
  std::int64_t created_ms = 0;
  std::int64_t expires_ms = 0;  // 0 = never
  std::int64_t last_used_ms = 0;
  std::int64_t revoked_ms = 0;
};

// Exchanged once for an API key.
struct LoginCodeRecord {
  std::string code_sha256;
  std::string user;
  TenantId tenant;
  Role role = Role::kAdmin;
  std::int64_t expires_ms = 0;
  std::int64_t used_ms = 0;
};

struct AuditEntry {
  std::uint64_t seq = 0;
  std::int64_t ts_ms = 0;
  std::string actor;   // "user:admin", "agent:<id>", "system"
  std::string action;  // "token.create", "agent.enroll", "agent.revoke", ...
  std::string object;
  std::string detail;   // JSON object
  wire::Digest hash{};  // In the chain (controlplane/audit/chain.h); zeros: it has none
};

// A place in the chain: the entry and the hash that covers it and all before it. 0 and zeros: the beginning.
struct AuditPoint {
  std::uint64_t seq = 0;
  wire::Digest hash{};
  bool operator==(const AuditPoint&) const = default;
};

struct SignedAuditHead {
  wire::AuditHead head;
  std::string envelope;  // As signed
  bool operator==(const SignedAuditHead&) const = default;
};

// ---- alerts ------------------------------------------------------------------------------------

// Open until cleared; one row for each (kind, agent, object).
struct Alert {
  std::string kind;  // "agent.clone", "ledger.gap", "batch.forged", ...
  AgentId agent;
  std::string object;
  std::string message;
  std::int64_t first_ms = 0;
  std::int64_t last_ms = 0;
  std::uint64_t count = 0;
};

// ---- telemetry queries -------------------------------------------------------------------------

struct TimeRange {
  std::int64_t since_ms = 0;  // Inclusive
  std::int64_t until_ms = 0;  // Exclusive
};

// When a log row arrived: a total order over all agents that restarts and retention do not change.
// A row that becomes visible later has a greater position, whatever its own time is.
struct LogPosition {
  std::int64_t partition_ms = 0;  // Start of the partition that holds it
  std::uint64_t batch = 0;        // Number of its batch in that partition
  std::uint32_t index = 0;        // Of the record in that batch
  auto operator<=>(const LogPosition&) const = default;
};

struct LogQuery {
  AgentId agent;        // Empty = every agent of the tenant
  wire::Target target;  // Empty = every target
  TimeRange range;
  std::string grep;  // Substring, case-sensitive; "" = all
  std::optional<wire::LogStream> stream;
  std::optional<LogPosition> after;  // Only rows that arrived later than this
  std::size_t limit = 1000;
  bool newest =
      true;  // Which end is kept when there are more than `limit`; order is always oldest first.
};
struct LogRow {
  AgentId agent;
  wire::LogRecord record;
  LogPosition position;
};

struct SeriesInfo {
  AgentId agent;
  wire::SeriesDefinition definition;
  double last_value = 0;
  std::int64_t last_ts_ms = 0;
};
struct Point {
  std::int64_t ts_ms = 0;
  double value = 0;
};
struct SeriesQuery {
  AgentId agent;
  wire::Target target;
  std::string name;     // Empty = every metric of the target
  wire::Labels labels;  // All of these must match; others are free
  TimeRange range;
  std::int64_t step_ms = 0;  // 0 = raw points; else the last value of each step
};
struct SeriesPoints {
  SeriesInfo info;
  std::vector<Point> points;  // Ascending
};

struct EventRow {
  std::uint64_t id = 0;  // Ascending in order of arrival
  AgentId agent;
  wire::Event event;
};
struct EventQuery {
  AgentId agent;        // Empty = all
  wire::Target target;  // Empty = all
  std::string kind_prefix;
  TimeRange range;
  std::uint64_t after_id = 0;
  std::size_t limit = 1000;
  bool newest = true;  // Which end is kept when there are more; order is always oldest first
};

// The newest known inventory of one host.
struct HostInventory {
  AgentId agent;
  wire::HostFacts host;
  std::int64_t updated_ms = 0;
  std::vector<wire::Container> containers;
  std::vector<wire::ProcessGroup> processes;
  std::vector<wire::SystemdUnit> units;
  std::vector<wire::ListeningPort> ports;
};

// How much there is on one host.
struct InventoryCounts {
  AgentId agent;
  std::int64_t updated_ms = 0;
  std::uint64_t containers = 0;
  std::uint64_t containers_running = 0;
  std::uint64_t processes = 0;
  std::uint64_t units = 0;
  std::uint64_t ports = 0;
};

// What a person may call a target.
struct TargetName {
  AgentId agent;
  wire::Target target;  // "container/<id>", "process/<key>", "unit/<name>"
  std::string name;
  std::string service;      // Of a container, else ""
  bool is_running = false;  // Of a container, else false
};

enum class LedgerVerdict {
  kPending,
  kBalanced,
  kGap
};  // pending: lane not contiguous up to as_of_seq
struct LedgerRow {
  AgentId agent;
  wire::LedgerEntry entry;  // What the agent says; zeros for a source that it does not report
  // The sum of the three is compared with entry.records_spooled.
  std::uint64_t records_stored = 0;                   // What the store holds, same epoch
  std::uint64_t records_expired = 0;                  // Were stored; gone by retention
  std::map<std::string, std::uint64_t> records_lost;  // Declared lost, by reason
  std::map<std::string, std::uint64_t> bytes_lost;    // The same records, where bytes are known
  LedgerVerdict verdict = LedgerVerdict::kPending;
};

}  // namespace observeai::model
