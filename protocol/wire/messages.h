// The envelope around signals: batch headers, hello and ack. Plain values; see batch_codec.h for bytes.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/wire/command.h"
#include "protocol/wire/signals.h"

namespace observeai::wire {

using Nonce16 = std::array<std::uint8_t, 16>;

// The beginning of a process's Nonce16, in the batches that it sends. Zeros: it does not say.
using SessionTag = std::array<std::uint8_t, 8>;
// The beginning of sha256(Batch::body). Zeros: not to be compared.
using ContentTag = std::array<std::uint8_t, 8>;

enum class Codec : std::uint8_t {
  kZstd = 1,
  kLost = 2,  // The content is gone on the host; the body is a LossNotice (batch_codec.h)
};

// Where a batch was numbered first, in the same lane, before a copied spool began a new epoch. One
// that is moved again keeps its first origin.
struct BatchOrigin {
  Epoch epoch;
  std::uint64_t seq = 0;  // From 1
  auto operator<=>(const BatchOrigin&) const = default;
};

// Travels in clear beside the sealed body and is authenticated with it.
struct BatchHeader {
  AgentId agent;
  Epoch epoch;
  Lane lane = Lane::kControl;
  std::uint64_t seq = 0;  // From 1 in each (epoch, lane)
  std::uint32_t n = 0;    // Signals in the body; 0 with kLost
  std::int64_t first_ts_ms = 0;
  std::int64_t last_ts_ms = 0;
  Codec codec = Codec::kZstd;
  std::optional<BatchOrigin> origin;
  SessionTag session{};
  bool operator==(const BatchHeader&) const = default;
};

// A batch as the spool keeps it and the control plane stores it: compressed, not sealed.
struct Batch {
  BatchHeader header;
  std::string body;
};

// In the place of a batch whose content is gone: the control plane counts its number as lost instead of
// stored. The ledger of the host still counts these records as spooled.
struct LossNotice {
  struct Source {
    std::string name;  // As in LedgerEntry::source
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  // As read; 0 = not known
    bool operator==(const Source&) const = default;
  };
  std::string reason;           // One of loss_reasons, or a later one: [a-z0-9_.-]{1,32}
  std::vector<Source> sources;  // Names ascend strictly; none: not known, or lane 0
  bool operator==(const LossNotice&) const = default;
};
namespace loss_reasons {
inline constexpr const char* kEvicted = "evicted";        // Made room for what matters more
inline constexpr const char* kDamaged = "damaged";        // Its checksum or its segment is broken
inline constexpr const char* kOversized = "oversized";    // More than the broker takes
inline constexpr const char* kUnreadable = "unreadable";  // The control plane could not decode it
}  // namespace loss_reasons

// Tags of what a spool keeps of one lane, so that a copied spool shows.
struct PendingTags {
  std::vector<ContentTag> oldest;  // Of oldest_seq and what follows, at most kMaxPendingTags
  std::vector<ContentTag> newest;  // Of the last before next_seq, as many, none that is in `oldest`
  bool operator==(const PendingTags&) const = default;
};

// What the executor told the agent, unsigned. What breaks a rule here is left out of a hello.
struct ExecutorReport {
  Bytes16 session{};
  Bytes16 time_challenge{};        // To be answered by a TimeStatement; zeros: the time is known
  std::uint64_t command_seq = 0;   // Highest seen
  std::uint64_t root_version = 0;  // In force; 0 = none
  std::string policy_hash;         // 64 lower-case hex digits, or "": the policy cannot be read
  std::string state;  // For people, kMaxExecutorStateBytes of UTF-8 without control characters
  std::uint64_t audit_seq = 0;  // Highest audit head that this host was told; 0 = none
  Digest audit_hash{};          // Zeros exactly when audit_seq is 0
  bool operator==(const ExecutorReport&) const = default;
};
inline constexpr std::size_t kMaxExecutorStateBytes = 256;

// On connect and every 5 minutes.
struct Hello {
  AgentId agent;
  Epoch epoch;
  Nonce16 session_nonce{};  // New for each process start
  std::uint32_t protocol_version = 1;
  std::string agent_version;
  std::string boot_id;
  std::string machine_id_sha256;
  std::int64_t wall_time_ms = 0;
  std::uint64_t series_known = 0;                      // Highest series id defined in this epoch
  std::string inventory_digest;                        // Hex sha256 of the agent's whole inventory
  std::array<std::uint64_t, kLaneCount> next_seq{};    // Next to be written, per lane
  std::array<std::uint64_t, kLaneCount> oldest_seq{};  // Oldest kept, = next_seq when empty
  std::uint64_t spool_bytes = 0;
  std::map<std::string, std::int64_t> counters;  // The agent's own health
  std::array<PendingTags, kLaneCount> pending;
  Nonce16 challenge{};                     // The newest that an ack told; zeros: none yet
  std::uint64_t number = 0;                // Ascends strictly with each hello of a process, from 1
  std::optional<ExecutorReport> executor;  // None: none answers
};

// All numbers from first to last.
struct Run {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  auto operator<=>(const Run&) const = default;
};

// What is committed under a number.
struct CommittedContent {
  std::uint64_t seq = 0;  // 0 = none
  ContentTag tag{};       // Zeros exactly when seq is 0
  bool operator==(const CommittedContent&) const = default;
};

// Never believed without its seal, nor under another session's nonce. A replayed ack is harmless:
// contiguous only grows, runs and credit only delay.
struct Ack {
  AgentId agent;
  Epoch epoch;
  std::array<std::uint64_t, kLaneCount> contiguous{};  // All seq <= this are committed
  std::uint64_t credit_bytes = 0;  // May be sent beyond `contiguous` before the next ack
  std::int64_t server_time_ms = 0;
  // Of the newest hello of this epoch. Zeros: the control plane knows of none, or could not tell
  // whether a hello is new: say hello.
  Nonce16 session_nonce{};
  bool need_series = false;     // Send all series definitions of the epoch again, on lane 0
  bool need_inventory = false;  // Send the whole inventory again, on lane 0
  // Committed above `contiguous`: the lowest kMaxAckRuns, ascending, with a gap before each.
  std::array<std::vector<Run>, kLaneCount> runs;
  bool forked = false;  // This spool is a copy: begin a new epoch, move there what is pending
  // The newest that is committed and known: a spool with other content under this number is a copy.
  std::array<CommittedContent, kLaneCount> newest;
  Nonce16 challenge{};  // To be echoed by the next hello; zeros: none
};

}  // namespace observeai::wire
