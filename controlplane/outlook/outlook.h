// Looks ahead: follows every resource of every host on two clocks, opens predictions, keeps them true, closes
// them with a verdict. What the store holds is all it needs: killed at any moment, the next one reads what
// its forecasters knew some minutes ago, and the samples since.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controlplane/outlook/followed.h"
#include "controlplane/outlook/happenings.h"
#include "controlplane/outlook/resource_reader.h"
#include "controlplane/outlook/statements.h"
#include "controlplane/outlook/world.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::outlook {

// Of all tenants: about 6 KiB of memory each. A hundred hosts with a hundred containers each.
inline constexpr std::size_t kMaxFollowed = 20'000;
// So that no host takes the places of all others; one with a thousand containers has about so many.
inline constexpr std::size_t kMaxFollowedOfHost = 4'000;
// Beyond it what a host missed is left out, and counts as not known.
inline constexpr std::int64_t kMostReplayMs = 6LL * 3'600'000;
// A resource whose host tells of others, but no longer of it.
inline constexpr std::int64_t kGoneMs = 60'000;
// What is gone, or says nothing, for so long is not followed any more.
inline constexpr std::int64_t kForgetMs = 6LL * 3'600'000;
// An event that lies so far from what was measured last could not be foretold: it is no miss.
inline constexpr std::int64_t kBlindMs = 5 * 60'000;
// Engine and kernel tell of one kill each in their way.
inline constexpr std::int64_t kSameEventMs = 60'000;
// A service that ends with an error again and again fails once.
inline constexpr std::int64_t kSameFailureMs = 30 * 60'000;
inline constexpr std::int64_t kSaveEveryMs = 10 * 60'000;
// In one transaction: ingest waits for it.
inline constexpr std::size_t kMostSavedAtOnce = 250;
inline constexpr std::size_t kMostEventsAtOnce = 10'000;
// Of one look; the next one goes on after them.
inline constexpr int kMostEventRounds = 10;
// Remembered, so that none is told twice.
inline constexpr std::size_t kMostLastEvents = 20'000;
inline constexpr std::size_t kMostChangesAtOnce = 1'000;
// Changes that wait for a store that takes none; what only updates open predictions goes first.
inline constexpr std::size_t kMaxWaitingChanges = 5'000;

// Since the start of the program.
struct Counters {
  std::uint64_t looks = 0;              // Ticks
  std::uint64_t readings = 0;           // That were newer than those before
  std::uint64_t replays = 0;            // Of stored samples, after a gap
  std::uint64_t replays_failed = 0;     // Tried again
  std::uint64_t cut_replays = 0;        // Gaps of which a part was passed over
  std::uint64_t resources_skipped = 0;  // Beyond the two limits, at the last look
  std::uint64_t events_put_off = 0;     // Looks that left events to the next one
  std::uint64_t states_damaged = 0;     // Stored forecasters that were begun anew
  std::uint64_t changes_dropped = 0;    // Beyond kMaxWaitingChanges
  std::uint64_t store_errors = 0;       // Tried again
  std::int64_t last_look_us = 0;        // How long the last one took
  std::int64_t longest_look_us = 0;
};

class Outlook {
 public:
  Outlook(World world, const Clocks& clocks);

  // Thread-safe, never blocks on the store: for the listener of commits.
  void committed(const AgentId& agent) EXCLUDES(heard_mutex_);

  // One look at everything that changed. One thread.
  void look() EXCLUDES(mutex_, heard_mutex_);
  // At the end of the program: what the forecasters know now.
  void save_all() EXCLUDES(mutex_);

  // ---- for people; thread-safe
  struct Followable {
    model::ResourceName resource;
    predict::Reading reading;
    predict::Forecast slow;
    predict::Forecast fast;
  };
  std::vector<Followable> followed() EXCLUDES(mutex_);
  Counters counters() EXCLUDES(mutex_);
  std::map<std::pair<AgentId, std::string>, predict::Calibration> calibration() EXCLUDES(mutex_);
  const Clocks& clocks() const { return clocks_; }

 private:
  struct Entry {
    Followed followed;
    std::int64_t heard_ms = 0;  // By our clock: its newest reading came
    std::int64_t saved_ms = 0;  // By our clock
  };
  struct Host {
    model::AgentRecord agent;
    std::int64_t newest_ms = 0;  // By its clock: what was looked at
    std::int64_t heard_ms = 0;   // By ours
    // What forecasters of an earlier run knew; 0: they know what is newest.
    std::int64_t replay_from_ms = 0;
    bool is_new = true;                             // Never looked at, not even by an earlier run
    std::optional<model::HostInventory> inventory;  // Of this look, once read
    bool has_inventory = false;
    std::size_t followed = 0;  // Resources, counted anew with each look at it
  };
  // What a look found beside a reading.
  struct Found {
    bool has_happened = false;
    bool is_gone = false;
    bool is_live = false;  // The newest there is: only these open predictions
    std::int64_t event_ms = 0;
    std::string text;
  };

  // outlook.cc
  bool restore() EXCLUDES(mutex_);
  std::set<TenantId> wanted_tenants(const std::vector<model::AgentRecord>& agents);
  void look_at_silent() EXCLUDES(mutex_);
  void stop_following(const std::set<TenantId>& wanted) EXCLUDES(mutex_);
  void apply() EXCLUDES(mutex_);
  bool apply_some() EXCLUDES(mutex_);
  void save_some(std::int64_t older_than_ms) EXCLUDES(mutex_);
  void tell_limit() EXCLUDES(mutex_);

  // taking_in.cc
  void take_events() EXCLUDES(mutex_);
  bool take_some_events() EXCLUDES(mutex_);
  void take_actions() EXCLUDES(mutex_);

  // host_look.cc
  void look_at_host(const AgentId& agent) EXCLUDES(mutex_);
  bool replay(const AgentId& agent, std::int64_t since_ms, std::int64_t until_ms) EXCLUDES(mutex_);
  void observe_past(const AgentId& agent, std::int64_t ts_ms,
                    std::span<const predict::Reading> readings) EXCLUDES(mutex_);
  void observe(Host& host, const predict::Reading& reading, bool is_live) REQUIRES(mutex_);
  void happen(Host& host, const Happening& happening) REQUIRES(mutex_);
  bool is_kill_of_exhausted(const model::ResourceName& name, std::int64_t killed_ms)
      REQUIRES(mutex_);
  bool is_planned(Host& host, const Happening& happening) REQUIRES(mutex_);
  const model::HostInventory* inventory(Host& host) REQUIRES(mutex_);
  Named named(Host& host, const model::ResourceName& resource) REQUIRES(mutex_);

  // lifetimes.cc
  void follow_life(Host& host, const model::ResourceName& name, Entry& entry,
                   const Followed::News& news, Found found) REQUIRES(mutex_);
  void open(Host& host, const model::ResourceName& name, Entry& entry) REQUIRES(mutex_);
  void update(model::PredictionRecord& prediction, Entry& entry) REQUIRES(mutex_);
  void close(const model::ResourceName& name, predict::Verdict verdict, std::int64_t at_ms,
             const std::string& reason) REQUIRES(mutex_);
  void act(model::PredictionRecord& prediction, std::int64_t at_ms, const std::string& what)
      REQUIRES(mutex_);
  void sudden(Host& host, const model::ResourceName& name, const std::string& unit,
              std::int64_t event_ms, const std::string& text) REQUIRES(mutex_);
  void calibrate(const model::ResourceName& name, Entry& entry, bool has_happened,
                 std::int64_t at_ms) REQUIRES(mutex_);
  void change(const model::PredictionRecord& prediction,
              std::vector<model::PredictionSample> samples,
              std::optional<model::IncidentRecord> incident) REQUIRES(mutex_);

  const World world_;
  const Clocks clocks_;
  ResourceReader reader_;

  Mutex heard_mutex_;
  std::set<AgentId> heard_ GUARDED_BY(heard_mutex_);

  Mutex mutex_;  // Held while readings are looked at, not while they are read
  bool is_restored_ GUARDED_BY(mutex_) = false;
  std::map<model::ResourceName, Entry> followed_ GUARDED_BY(mutex_);
  std::map<model::ResourceName, model::PredictionRecord> open_ GUARDED_BY(mutex_);
  std::map<AgentId, Host> hosts_ GUARDED_BY(mutex_);
  std::map<model::ResourceName, std::int64_t> last_events_ GUARDED_BY(mutex_);
  std::map<std::pair<AgentId, std::string>, predict::Calibration> calibration_ GUARDED_BY(mutex_);
  std::set<std::pair<AgentId, std::string>> unsaved_calibration_ GUARDED_BY(mutex_);
  std::vector<model::PredictionStep> changes_ GUARDED_BY(mutex_);  // Not stored yet
  std::optional<std::uint64_t> seen_event_ GUARDED_BY(mutex_);
  bool is_seen_event_stored_ GUARDED_BY(mutex_) = true;
  std::size_t skipped_ GUARDED_BY(mutex_) = 0;  // In this look
  AgentId skipping_ GUARDED_BY(mutex_);         // Whose resource was skipped last
  bool has_told_limit_ GUARDED_BY(mutex_) = false;
  Counters counters_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane::outlook
