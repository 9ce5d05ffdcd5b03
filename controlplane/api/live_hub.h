// Fans committed log rows and events out to live followers. The committing thread only looks
// whether anyone follows and, if so, puts a copy into a bounded queue; one thread of the hub does
// the rest.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "controlplane/api/follower.h"
#include "controlplane/api/name_book.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/bounded_queue.h"

namespace observeai::controlplane::api {

// Thread-safe. The references must outlive it. Followers may outlive it; they get nothing more.
class LiveHub {
 public:
  static constexpr std::size_t kMaxFollowers = 200;
  // Commits that wait for the hub's thread; more means that followers miss rows and are told so.
  static constexpr std::size_t kMaxQueuedCommits = 1024;
  static constexpr std::size_t kMaxQueuedBytes = 64U << 20;

  LiveHub(model::AgentRegistry& agents, model::TelemetryReader& telemetry, const Clock& clock);
  ~LiveHub();
  LiveHub(const LiveHub&) = delete;
  LiveHub& operator=(const LiveHub&) = delete;

  // For TelemetryWriter::on_committed: in the order of commits, each visible to queries by then. Never
  // blocks on the store or on a follower.
  void publish(const model::Committed& committed);

  // kLimit at kMaxFollowers. Gives the place back when the last pointer goes.
  Result<std::shared_ptr<Follower>> follow(const TenantId& tenant, Follower::Filter filter);

  NameBook& names() { return names_; }
  RenderLog log_renderer();
  RenderEvent event_renderer();

  struct Counters {
    std::uint64_t followers = 0;
    std::uint64_t refused = 0;    // At kMaxFollowers
    std::uint64_t overflows = 0;  // Commits that did not fit the hub's queue
  };
  Counters counters();

 private:
  struct Item {
    AgentId agent;
    wire::LogBatch logs;
    model::LogPosition first_log;
    std::vector<wire::InventoryUpdate> inventory;  // For the names
    std::vector<wire::Event> events;
    std::vector<std::uint64_t> event_ids;
    std::size_t bytes = 0;
  };
  // Shared with the deleters of followers, which may run after the hub.
  struct Places {
    std::atomic<std::size_t> taken = 0;
  };

  void enqueue(Item item);
  void run();
  void fan_out(const Item& item);
  std::vector<std::shared_ptr<Follower>> followers();
  void mark_all_lagged();

  NameBook names_;
  std::shared_ptr<Places> places_ = std::make_shared<Places>();
  std::shared_ptr<Follower::Memory> memory_ = std::make_shared<Follower::Memory>(0);
  BoundedQueue<Item> queue_{kMaxQueuedCommits};
  std::atomic<bool> stopping_ = false;
  std::atomic<std::size_t> queued_bytes_ = 0;
  std::atomic<std::uint64_t> overflows_ = 0;
  std::atomic<std::uint64_t> refused_ = 0;
  Mutex head_mutex_;
  std::optional<model::LogPosition> head_ GUARDED_BY(head_mutex_);  // Of the newest published row
  Mutex mutex_;
  std::vector<std::weak_ptr<Follower>> followers_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace observeai::controlplane::api
