// What is known about the containers of one engine, and what to report when that changes. Pure:
// lists, inspections and events go in, changes come out; docker_loop.cc does the talking.
//
// Starts and exits come from the event stream. What it did not tell, because it was down, is made
// up for by comparing the inspections after a listing with what was reported; should the stream
// tell it after all, it is not reported twice.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/core/observed.h"
#include "agent/discovery/docker_json.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

inline const std::string& key_of(const ObservedContainer& container) {
  return container.facts.id;
}

struct ContainerChanges {
  wire::SectionUpdate<ObservedContainer> containers;
  std::vector<wire::Event> events;  // In the order of their times per container
  bool empty() const { return containers.empty() && events.empty(); }
};

// Not thread-safe.
class ContainerTable {
 public:
  // A host with more is not described fully; the rest is counted. About 40 MB at the limit.
  static constexpr std::size_t kMaxContainers = 20'000;
  // Stopped containers inspected in one listing, newest first: for the rest the list's data must
  // do.
  static constexpr std::size_t kMaxStoppedInspections = 64;

  // A listing: begin, is_known/listed for each entry, end. With `everything` (the stream was down)
  // all running containers are inspected again and what is missing is gone; else only what changed
  // is inspected, and what is missing twice is gone, for its event may still be on its way. The
  // first listing is silent: what ran before us did not start now.
  void begin_list(bool everything);
  bool is_known(const std::string& id, std::uint64_t fingerprint) const;
  void listed(ListEntry entry);
  void end_list(std::int64_t now_ns);

  // Only create and start make a container known: others are late news about one that is gone.
  void apply(const DockerEvent& event);

  // Whom to inspect next, at most `limit`; each then answers with one of the two below. A log path
  // that is not the container's own (is_container_log_path) is not passed on: that is reported, once,
  // as an event "container.log_refused".
  std::vector<std::string> take_inspections(std::size_t limit);
  void inspected(ObservedContainer container, std::int64_t now_ns);
  // Timeout, garbage or gone: what is known must do. One that `hung` is left alone for the next
  // kHungListings listings, for each attempt holds the others up.
  void inspect_failed(const std::string& id, std::int64_t now_ns, bool hung);
  static constexpr std::uint64_t kHungListings = 5;

  // Call it when nothing waits for inspection, until it gives nothing: a container that came and
  // went since the last call is reported first and removed in the next changes.
  ContainerChanges take_changes();

  bool waits_for_inspection() const { return !to_inspect_.empty(); }
  std::size_t size() const { return entries_.size(); }
  std::uint64_t over_limit() const { return over_limit_; }

 private:
  struct Entry {
    ObservedContainer container;
    std::uint64_t fingerprint = 0;
    std::uint64_t listing = 0;     // The last one that had it
    bool missed_once = false;      // By a listing
    std::uint64_t hung_until = 0;  // The listing before which it is not inspected
    bool inspected = false;
    bool watched = false;  // What a listing shows can be compared with what we knew
    bool to_inspect = false;
    bool compare = false;  // The next inspection is a listing's: look for missed runs
    bool queued = false;   // In queue_
    bool changed = false;  // Since it was last reported
    bool gone = false;
    // The run as it was reported; 0 = not yet.
    bool running = false;
    std::int64_t exit_ns = 0;
    bool oom_in_run = false;
    std::string refused_log_path;  // Told about
    // Reported from an inspection: the stream may still tell the same. 0 = nothing.
    std::int64_t derived_start_ns = 0;
    std::int64_t derived_exit_ns = 0;
    std::int64_t derived_oom_ns = 0;
    std::vector<wire::Event> pending;  // Waits for the inspection's details
  };

  Entry* find_or_add(const std::string& id);
  bool want_inspection(Entry& entry);
  void want_comparison(const std::string& id, Entry& entry);
  void mark_changed(Entry& entry);
  void enqueue(Entry& entry);
  void leave(Entry& entry, std::int64_t now_ns);
  // From the stream:
  void on_start(Entry& entry, std::int64_t ts_ns);
  void on_exit(Entry& entry, std::int64_t ts_ns, std::optional<std::int32_t> exit_code);
  void on_oom(Entry& entry, std::int64_t ts_ns);
  // From a comparison:
  void derive_runs(Entry& entry, const wire::Container& before);
  void derive_start(Entry& entry, std::int64_t ts_ns);
  void derive_exit(Entry& entry, std::int64_t ts_ns, std::optional<std::int32_t> exit_code);

  void report_start(Entry& entry, std::int64_t ts_ns);
  void report_exit(Entry& entry, std::int64_t ts_ns, std::optional<std::int32_t> exit_code);
  void report_restart(Entry& entry);
  void check_log_path(Entry& entry, ObservedContainer& container, std::int64_t now_ns);
  void settle_events(Entry& entry, std::vector<wire::Event>& out);

  std::unordered_map<std::string, Entry> entries_;
  std::deque<std::string> to_inspect_;
  std::vector<std::string> queue_;  // Ids with something to report
  std::uint64_t listing_ = 0;
  bool everything_ = false;
  bool full_ = false;
  std::uint64_t over_limit_ = 0;
};

}  // namespace observeai::agent
