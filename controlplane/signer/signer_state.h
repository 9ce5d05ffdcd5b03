// What the signer must never forget, in one SQLite file that one process holds: the highest sequence
// signed for each agent, how often each approved intent was, how much in the last hour, which agents are shut
// out (only grows), the last audit head. On disk, past a
// power cut, before a call returns; held in memory besides. One thread.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/sql/database.h"
#include "protocol/wire/command.h"

namespace observeai::controlplane::signer {

using Sequences = std::unordered_map<std::string, std::uint64_t>;  // Agent -> highest

// One approved intent: its place under the root that persons signed.
struct Leaf {
  wire::Digest root{};
  std::uint32_t index = 0;
  auto operator<=>(const Leaf&) const = default;
};
using LeafCounts = std::map<Leaf, std::uint32_t>;

// How many commands were signed: "agent/<id>" or "tenant/<id>" -> count.
using RateCounts = std::map<std::string, std::uint32_t>;
struct MinuteCount {
  std::string name;
  std::int64_t minute = 0;  // Of unix time
  std::uint32_t count = 0;
};

// What one call of advance() makes durable.
struct Advance {
  Sequences sequences;  // Each above sequence()
  LeafCounts leaves;    // Added to what was counted
  RateCounts rates;     // The same, in the minute of now
};

// No approval outlives 24 h, and clocks are sometimes a day off.
inline constexpr std::int64_t kKeepLeavesMs = 48LL * 3'600'000;

class SignerState {
 public:
  // kUnavailable: another signer has this file. kCorrupt: it is damaged; never made anew silently.
  static Result<std::unique_ptr<SignerState>> open(const std::string& path);

  std::uint64_t sequence(const std::string& agent) const;  // 0: none yet
  // How often a leaf was signed since kKeepLeavesMs.
  Result<std::uint32_t> leaf_count(const Leaf& leaf);
  // What was signed within the hour before `now_ms`, by time.
  Result<std::vector<MinuteCount>> rates(std::int64_t now_ms);
  // All or nothing.
  Result<void> advance(const Advance& advance, std::int64_t now_ms);
  // Leaves that are too old to be approved still, counts that are older than the hour.
  Result<void> forget(std::int64_t now_ms);

  bool knows(const std::string& agent) const { return sequences_.contains(agent); }
  std::size_t agents() const { return sequences_.size(); }

  bool is_revoked(const std::string& agent) const { return revoked_.contains(agent); }
  std::size_t revoked() const { return revoked_.size(); }
  Result<void> revoke(const AgentId& agent, std::int64_t now_ms);

  const wire::AuditHead& audit_head() const { return audit_head_; }  // seq 0: none
  Result<void> set_audit_head(const wire::AuditHead& head);

 private:
  explicit SignerState(sql::Database database) : database_(std::move(database)) {}
  Result<void> load();

  sql::Database database_;
  Sequences sequences_;
  std::unordered_set<std::string> revoked_;
  wire::AuditHead audit_head_;
};

}  // namespace observeai::controlplane::signer
