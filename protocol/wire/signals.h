// What an agent reports, as plain values. protocol/wire turns them into bytes and back; nobody else
// sees the generated protobuf. Times are unix; names end in their unit.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace observeai::wire {

// Drained by priority, 0 first. The number is part of the topic (up/l0..l3) and of the batch header.
enum class Lane : std::uint8_t { kControl = 0, kMetrics = 1, kLogs = 2, kTraces = 3 };
inline constexpr std::size_t kLaneCount = 4;

struct Label {
  std::string name;
  std::string value;
  auto operator<=>(const Label&) const = default;
};
using Labels = std::vector<Label>;  // Sorted by name, names unique.

// A target names what a signal is about, unique on its host:
//   "host" · "container/<64 hex>" · "unit/<name>" · "process/<group key>" · "file/<path>" ·
//   "pod/<namespace>/<pod>/<container>"
using Target = std::string;
inline constexpr const char* kHostTarget = "host";

// ---- lane 1: metrics ---------------------------------------------------------------------------

enum class MetricKind : std::uint8_t { kGauge = 1, kCounter = 2 };

// Gives a number to (target, name, labels). Sent on lane 0 before or with its first sample; valid
// for the whole epoch; a number is never used for another series.
struct SeriesDefinition {
  std::uint32_t id = 0;  // From 1.
  Target target;
  std::string name;  // As node_exporter and cAdvisor name it.
  Labels labels;
  MetricKind kind = MetricKind::kGauge;
  bool operator==(const SeriesDefinition&) const = default;
};

// All values read at one time. `series` ascends strictly; `values` has the same length. NaN marks a
// stale series (gone since the last scrape).
struct Scrape {
  std::int64_t ts_ms = 0;
  std::vector<std::uint32_t> series;
  std::vector<double> values;
};
struct SampleBatch {
  std::vector<Scrape> scrapes;  // In the order read.
};

// ---- lane 2: logs ------------------------------------------------------------------------------

enum class LogStream : std::uint8_t { kStdout = 1, kStderr = 2, kOther = 3 };

namespace log_flags {
inline constexpr std::uint32_t kTruncated = 1;  // Cut at the line limit; original_bytes tells.
inline constexpr std::uint32_t kRedacted = 2;   // A secret was replaced.
inline constexpr std::uint32_t kMalformed = 4;  // The container log entry did not parse; raw text.
inline constexpr std::uint32_t kUnterminated = 8;  // Sent without its newline: idle or end of file.
}  // namespace log_flags

struct LogRecord {
  Target target;
  LogStream stream = LogStream::kStdout;
  std::int64_t ts_ns = 0;
  std::string text;  // Without the final newline; any bytes.
  std::uint32_t flags = 0;
  std::uint64_t original_bytes = 0;  // Length before truncation; 0 = not truncated.
  bool operator==(const LogRecord&) const = default;
};
struct LogBatch {
  std::vector<LogRecord> records;  // Of one target and stream: in source order.
};

// ---- lane 0: control ---------------------------------------------------------------------------

enum class Severity : std::uint8_t { kDebug = 1, kInfo, kWarning, kError, kCritical };

// kind is dotted and stable: container.start, container.exit, container.oom, host.oom, agent.start,
// logs.truncated, logs.gap, docker.unavailable, docker.recovered, spool.full ...
struct Event {
  std::int64_t ts_ms = 0;
  std::string kind;
  Target target;
  Severity severity = Severity::kInfo;
  std::string message;
  Labels attributes;
  bool operator==(const Event&) const = default;
};

struct HostFacts {
  std::string hostname;
  std::string machine_id_sha256;  // Hex; the raw id never leaves the host.
  std::string os;                 // PRETTY_NAME
  std::string kernel;
  std::string architecture;
  std::uint32_t cpus = 0;
  std::uint64_t memory_bytes = 0;
  std::int64_t boot_time_ms = 0;
  std::string boot_id;
  std::string cgroup_mode;  // "v1", "hybrid", "v2", "none"
  std::string agent_version;
  // "20.10.24", or why not: "starting", "disabled", "missing", "stopped", "hanging", "error: …"
  std::string docker;
  std::string systemd;  // "252" or "not running"
  bool operator==(const HostFacts&) const = default;
};

struct PortMapping {
  std::string protocol;  // tcp, udp
  std::uint32_t container_port = 0;
  std::uint32_t host_port = 0;  // 0 = not published
  std::string host_address;
  bool operator==(const PortMapping&) const = default;
};

struct Container {
  std::string id;  // 64 hex
  std::string name;
  std::string image;
  std::string image_id;
  std::string runtime;  // "docker"
  std::string state;    // created, running, paused, restarting, exited, dead
  std::string health;   // "", starting, healthy, unhealthy
  std::string project;  // Compose project or ""
  std::string service;  // Compose service, else a name derived from the image or the container
  std::string command;
  std::int64_t created_ms = 0;
  std::int64_t started_ms = 0;
  std::int64_t finished_ms = 0;
  std::int32_t exit_code = 0;  // Of the last run; meaningful when finished_ms > 0.
  bool oom_killed = false;
  std::uint32_t restart_count = 0;
  std::uint32_t pid = 0;                 // In the host's pid namespace; 0 = not running
  std::uint64_t memory_limit_bytes = 0;  // 0 = none
  double cpu_limit_cores = 0;            // 0 = none
  std::uint64_t pids_limit = 0;          // 0 = none
  std::string log_driver;
  std::vector<PortMapping> ports;
  Labels labels;
  bool operator==(const Container&) const = default;
};

// Processes that do one job: same owner (container, unit or user slice), same program.
struct ProcessGroup {
  std::string key;      // Stable across restarts of its processes; [A-Za-z0-9._:@/-]+
  std::string name;     // comm of the oldest process
  std::string command;  // Command line of the oldest process, redacted, at most 512 bytes
  std::string user;
  std::string container_id;  // Or ""
  std::string unit;          // Or ""
  std::uint32_t count = 0;
  std::vector<std::uint32_t> pids;  // Oldest first, at most 16
  std::int64_t started_ms = 0;      // Oldest
  bool operator==(const ProcessGroup&) const = default;
};

struct SystemdUnit {
  std::string name;  // nginx.service
  std::string description;
  std::string active_state;
  std::string sub_state;
  std::uint32_t main_pid = 0;
  std::uint32_t restarts = 0;
  bool operator==(const SystemdUnit&) const = default;
};

struct ListeningPort {
  std::string key;       // "tcp/0.0.0.0/443" plus "@<container id>" in a container's namespace
  std::string protocol;  // tcp, tcp6, udp, udp6
  std::string address;
  std::uint32_t port = 0;
  std::uint32_t pid = 0;  // 0 = unknown
  std::string process;
  std::string container_id;
  bool operator==(const ListeningPort&) const = default;
};

inline const std::string& key_of(const Container& c) {
  return c.id;
}
inline const std::string& key_of(const ProcessGroup& p) {
  return p.key;
}
inline const std::string& key_of(const SystemdUnit& u) {
  return u.name;
}
inline const std::string& key_of(const ListeningPort& p) {
  return p.key;
}

// full: upserts are the whole section, everything else in it is gone.
template <class T>
struct SectionUpdate {
  bool full = false;
  std::vector<T> upserts;
  std::vector<std::string> removed;  // Keys
  bool empty() const { return !full && upserts.empty() && removed.empty(); }
  bool operator==(const SectionUpdate&) const = default;
};

struct InventoryUpdate {
  std::int64_t ts_ms = 0;
  std::optional<HostFacts> host;
  SectionUpdate<Container> containers;
  SectionUpdate<ProcessGroup> processes;
  SectionUpdate<SystemdUnit> units;
  SectionUpdate<ListeningPort> ports;
  bool empty() const {
    return !host && containers.empty() && processes.empty() && units.empty() && ports.empty();
  }
  bool operator==(const InventoryUpdate&) const = default;
};

// The loss ledger of one source, cumulative in its epoch. The promise: read = spooled + dropped +
// what is not committed yet; the control plane compares `spooled` with what it stored once lane 2 is
// contiguous up to as_of_seq.
struct LedgerEntry {
  std::string source;  // "log/container/<id>", "metrics", ...
  Lane lane = Lane::kLogs;
  std::uint64_t as_of_seq = 0;  // Newest batch of the lane that these counts include
  std::uint64_t records_read = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t records_spooled = 0;
  std::map<std::string, std::uint64_t> records_dropped;  // By reason
  std::map<std::string, std::uint64_t> bytes_dropped;  // By reason, where records cannot be counted
  bool operator==(const LedgerEntry&) const = default;
};

struct ControlBatch {
  std::vector<SeriesDefinition> series;
  std::vector<InventoryUpdate> inventory;  // In order
  std::vector<Event> events;
  std::vector<LedgerEntry> ledger;
  // Envelopes with a CommandResult as the executor signed them, 1 .. kMaxResultEnvelopeBytes each
  // (command_codec.h). Whoever takes them verifies them.
  std::vector<std::string> results;
};

}  // namespace observeai::wire
