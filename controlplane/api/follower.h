// One reader of live rows: the past first, then what is committed, nothing twice and nothing left
// out.
//
// How: every log row and event has a place in one order of arrival (model::LogPosition, event id). The
// follower is registered with the hub first; what the hub had published by then, its head, ends the
// past: it is visible to every query that begins now. Then the caller reads the past from the store
// and hands it to begin(). Rows up to the head come from there, later ones as they are committed, each
// under its position; a reader resumes after the last position that it got. Times of rows say nothing
// about it: hosts are late and clocks differ.
//
// A reader that is slower than its bounded queue gets what is queued, then the word "lagged", and
// ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "controlplane/model/records.h"
#include "protocol/base/result.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::api {

struct LogFilter {
  AgentId agent;        // Empty = every agent of the tenant
  wire::Target target;  // Empty = all
  std::string grep;     // Substring; "" = all
  std::optional<wire::LogStream> stream;
  bool matches(const wire::LogRecord& record) const;
};
struct EventFilter {
  AgentId agent;
  wire::Target target;
  std::string kind_prefix;
  bool matches(const wire::Event& event) const;
};

// What was read from the store before going live.
struct LogPast {
  std::vector<model::LogRow> rows;  // Oldest first
  // The greatest position that the query met, kept or not; nothing when it met no row.
  std::optional<model::LogPosition> newest;
  // A resumed reader has everything up to here.
  std::optional<model::LogPosition> after;
};
struct EventPast {
  std::vector<model::EventRow> rows;  // Ascending ids
  std::uint64_t after_id = 0;         // Nothing up to this id is wanted
  bool cut = false;                   // Only the newest were kept
};

// A row with the names that people know.
using RenderLog = std::function<std::string(const model::LogRow&, bool with_id)>;
using RenderEvent = std::function<std::string(const model::EventRow&)>;
// What follows the past: how many rows it had, and the position it reaches to.
using RenderLive = std::function<std::string(std::size_t rows, const model::LogPosition& reached)>;

// Thread-safe: the hub offers, a worker begins, the connection takes.
class Follower {
 public:
  // What waits for a slow reader. One frame larger than all of it still passes an empty queue.
  static constexpr std::size_t kMaxQueuedBytes = 8U << 20;
  static constexpr std::size_t kMaxQueuedFrames = 20'000;
  // What all followers of a hub may hold together, their pasts included.
  static constexpr std::size_t kMaxBytesOfAll = 64U << 20;
  using Memory = std::atomic<std::size_t>;
  using Filter = std::variant<LogFilter, EventFilter>;
  // `head`: of the hub at this moment; nothing before its first commit.
  // `all`: what the followers of a hub hold, shared by them.
  Follower(TenantId tenant, Filter filter, std::optional<model::LogPosition> head,
           std::shared_ptr<Memory> all = std::make_shared<Memory>(0))
      : tenant_(std::move(tenant)), filter_(std::move(filter)), head_(head), all_(std::move(all)) {}
  ~Follower();
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;

  const TenantId& tenant() const { return tenant_; }
  const Filter& filter() const { return filter_; }
  const AgentId& agent() const;  // Empty = all

  // Hub: one commit's matching rows, of this follower's tenant and agent.
  void offer(std::vector<model::LogRow> rows, const RenderLog& render);
  void offer(std::vector<model::EventRow> rows, const RenderEvent& render);
  void mark_lagged();

  // Worker: once. `head` are frames that go before the past's rows, `tail` after them. Rows of the
  // past carry no id, since they come by time: only the tail's id is safe to resume from.
  // kLimit when the past does not fit beside what other followers hold.
  Result<void> begin(const LogPast& past, std::string head, const RenderLive& tail,
                     const RenderLog& render);
  Result<void> begin(const EventPast& past, std::string head, std::string tail,
                     const RenderEvent& render);

  // Connection: takes up to `most` bytes of frames (at least one frame when there is one); empty
  // when nothing waits. `wakeup` is called from any thread when something waits; it must only post,
  // and is not running any more once on_ready(nullptr) has returned.
  std::string take(std::size_t most);
  bool lagged();  // No more frames will come than take() still gives
  void on_ready(std::function<void()> wakeup);

 private:
  void deliver(std::vector<model::LogRow>& rows, const RenderLog& render) REQUIRES(mutex_);
  void deliver(std::vector<model::EventRow>& rows, const RenderEvent& render) REQUIRES(mutex_);
  void push(std::string frame) REQUIRES(mutex_);
  Result<void> fill_past(std::deque<std::string> frames) REQUIRES(mutex_);
  bool hold(std::size_t bytes) REQUIRES(mutex_);  // False when all together hold too much
  void give_back(std::size_t bytes) REQUIRES(mutex_);
  template <class Row>
  void hold_back(std::vector<std::vector<Row>>& held, std::vector<Row> rows) REQUIRES(mutex_);
  void notify();

  const TenantId tenant_;
  const Filter filter_;
  const std::optional<model::LogPosition> head_;
  const std::shared_ptr<Memory> all_;

  Mutex mutex_;
  bool begun_ GUARDED_BY(mutex_) = false;
  bool lagged_ GUARDED_BY(mutex_) = false;
  std::deque<std::string> frames_ GUARDED_BY(mutex_);
  std::size_t queued_bytes_ GUARDED_BY(mutex_) = 0;
  std::function<void()> wakeup_ GUARDED_BY(mutex_);

  // Before begin(): whole commits, in order.
  std::vector<std::vector<model::LogRow>> held_logs_ GUARDED_BY(mutex_);
  std::vector<std::vector<model::EventRow>> held_events_ GUARDED_BY(mutex_);
  std::size_t held_bytes_ GUARDED_BY(mutex_) = 0;
  std::size_t share_ GUARDED_BY(mutex_) = 0;  // Of *all_

  // After begin(): what the past held.
  model::LogPosition reached_ GUARDED_BY(mutex_);  // Nothing up to this is wanted live
  std::set<std::uint64_t> past_events_ GUARDED_BY(mutex_);
  std::uint64_t unwanted_to_id_ GUARDED_BY(mutex_) = 0;
};

}  // namespace observeai::controlplane::api
