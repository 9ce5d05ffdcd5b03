// What the store knows about each (agent, epoch) while it runs: cursors, stored counts, newest values.
// Internal to controlplane/store.
#pragma once

#include <array>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/store/ids.h"
#include "controlplane/store/lane_cursor.h"
#include "controlplane/store/state_db.h"
#include "controlplane/store/stored_count.h"
#include "protocol/base/id.h"
#include "protocol/wire/messages.h"

namespace observeai::controlplane::store {

// A record source as the agent's ledger names it.
struct SourceKey {
  wire::Lane lane = wire::Lane::kLogs;
  std::string source;
  auto operator<=>(const SourceKey&) const = default;
};

// What was declared lost of one source.
struct LostCount {
  StoredCount count;                             // Records, as StoredSource::count
  std::map<std::string, std::uint64_t> records;  // By reason
  std::map<std::string, std::uint64_t> bytes;
  // Agents name reasons: those that come when so many are known count together, as kOtherReasons.
  static constexpr std::size_t kMaxReasons = 32;
  void add(std::uint64_t seq, const std::string& reason, const wire::LossNotice::Source& source,
           std::size_t most_recent = StoredCount::kMaxRecent);
};

struct StoredSource {
  StoredCount count;
  std::uint64_t expired = 0;        // Of the count, gone by retention
  std::uint64_t in_open = 0;        // Of the count, in the partition that is not sealed yet
  std::unique_ptr<LostCount> lost;  // Few sources have any
  std::int64_t updated_ms = 0;      // Last ledger entry, or last sealing that changed the count
  bool unsealed = false;            // Changed since

  LostCount& lost_count();
  // Stored in the partition that is open.
  void add_stored(std::uint64_t seq, std::uint64_t records, std::size_t most_recent);
};

inline constexpr const char* kOtherReasons = "other";
// Counts what a replay brings of sources beyond the limit.
inline constexpr const char* kOtherSources = "(others)";

// The two newest samples of one series, in whatever order they come. Small: there are millions.
struct LastValue {
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();
  std::int64_t ts_ms = kNever;
  double value = std::numeric_limits<double>::quiet_NaN();
  double before = std::numeric_limits<double>::quiet_NaN();  // The sample before
  std::uint32_t used_day = 0;                                // Of arrival; see series_use.h
  std::uint32_t before_age_ms = 0;  // How much older that one is; 0 = none, or more than 49 days

  bool has_value() const { return ts_ms != kNever; }
  void take(std::int64_t sample_ms, double sample);
  void merge(const LastValue& other);

 private:
  void set_before(std::uint64_t age_ms, double sample);
};

// A batch that is stored under another number than that of its origin.
struct MovedContent {
  Epoch epoch;  // The origin
  wire::Lane lane = wire::Lane::kControl;
  std::uint64_t seq = 0;
  ContentHash hash{};
  auto operator<=>(const MovedContent&) const = default;
};

struct EpochState {
  std::int64_t no = 0;
  AgentId agent;
  Epoch epoch;
  std::array<LaneCursor, wire::kLaneCount> lanes;
  std::map<SourceKey, StoredSource> stored;
  bool unsealed = false;  // Lanes or counts changed since the last sealing
  // Every defined series; complete once values_loaded.
  std::unordered_map<std::uint32_t, LastValue> values;
  bool values_loaded = false;
  std::vector<std::uint32_t> used_anew;  // Series whose used_day is not written yet
  std::uint64_t forgotten_series = 0;    // Tells a reader that it read definitions that are gone
};

// Entries are added and removed by the one committing thread only, whose pointers stay; others find them
// anew each time they take `mutex`. All reading and writing of members is under `mutex`.
class EpochBook {
 public:
  struct Limits {  // See StoreOptions
    std::size_t epochs_of_agent = 0;
    std::size_t moved_of_agent = 0;
    std::size_t sources_of_agent = 0;
    std::size_t series_of_agent = 0;
  };
  explicit EpochBook(Limits its_limits) : limits(its_limits) {}

  const Limits limits;
  Mutex mutex;

  EpochState* find(const AgentId& agent, const Epoch& epoch) REQUIRES(mutex);
  EpochState* find(std::int64_t no) REQUIRES(mutex);
  EpochState& at(std::int64_t no) REQUIRES(mutex);              // Must be there
  EpochState* newest_of(const AgentId& agent) REQUIRES(mutex);  // nullptr: none
  bool has(std::int64_t no) REQUIRES(mutex) { return by_no_.contains(no); }
  // Oldest first; an empty id means every agent.
  std::vector<EpochState*> of_agent(const AgentId& agent) REQUIRES(mutex);

  // Reads epochs, cursors, stored counts and the ledger's as_of_seq.
  Result<void> load(StateDb& state) EXCLUDES(mutex);
  // Inside the caller's transaction; adopt() after it was committed.
  static Result<std::int64_t> insert(sql::Database& db, const AgentId& agent, const Epoch& epoch,
                                     std::int64_t now_ms);
  void adopt(std::int64_t no, const AgentId& agent, const Epoch& epoch) REQUIRES(mutex);
  void forget(std::int64_t no) REQUIRES(mutex);
  std::size_t epochs_of(const AgentId& agent) REQUIRES(mutex);
  // Of all its epochs.
  std::size_t sources_of(const AgentId& agent) REQUIRES(mutex);
  // Made when it is new; kOtherSources when that would pass the limit. A commit asks for room before
  // (Writer::check_room), so only a replay gets there.
  StoredSource& source_of(EpochState& state, const SourceKey& key) REQUIRES(mutex);
  // How many batches each source of the agent may keep one by one: all of them share a million.
  std::size_t most_recent_of(const AgentId& agent) REQUIRES(mutex);
  // So that the same content is not stored again when it comes under its origin. Kept until the next
  // start after its partition is gone.
  void add_moved(const MovedContent& moved) REQUIRES(mutex) { moved_.insert(moved); }
  // Counts them, since the start; lane 0 remembers them in state.db.
  void count_moved(const AgentId& agent) REQUIRES(mutex) { ++moved_of_[agent]; }
  bool may_move(const AgentId& agent) REQUIRES(mutex) {
    const auto found = moved_of_.find(agent);
    return found == moved_of_.end() || found->second < limits.moved_of_agent;
  }
  bool has_moved(const MovedContent& moved) REQUIRES(mutex) { return moved_.contains(moved); }

  // Inside the caller's transaction: writes what changed and names the newest partition counted in it.
  // mark_sealed() after it was committed.
  Result<void> write_unsealed(sql::Database& db, std::int64_t sealed_through, std::int64_t now_ms)
      EXCLUDES(mutex);
  void mark_sealed(std::int64_t now_ms) EXCLUDES(mutex);
  // What was counted of the partition that is not sealed is lost with it.
  void lose_open() EXCLUDES(mutex);
  // Sources that neither grew nor were reported since: their containers are long gone. Not during a
  // commit.
  Result<void> forget_sources(StateDb& state, std::int64_t before_ms) EXCLUDES(mutex);

 private:
  Result<void> load_epochs(sql::Database& db) REQUIRES(mutex);
  Result<void> load_cursors(sql::Database& db) REQUIRES(mutex);
  Result<void> load_stored(sql::Database& db) REQUIRES(mutex);

  Result<void> load_lost(sql::Database& db) REQUIRES(mutex);

  std::set<MovedContent> moved_ GUARDED_BY(mutex);  // Of lanes 1 to 3
  std::map<AgentId, std::size_t> moved_of_ GUARDED_BY(mutex);
  std::map<std::int64_t, std::unique_ptr<EpochState>> by_no_ GUARDED_BY(mutex);
  std::map<std::pair<AgentId, Epoch>, EpochState*> by_key_ GUARDED_BY(mutex);
};

Result<void> write_lost(sql::Database& db, std::int64_t epoch_no, const SourceKey& key,
                        const LostCount& lost);
Result<void> write_cursor(sql::Database& db, std::int64_t epoch_no, std::size_t lane,
                          const LaneCursor& cursor);

}  // namespace observeai::controlplane::store
