// One reader of live rows: the past first, then what is committed, nothing twice and nothing left
// out.
//
// How: the follower is registered with the hub first and only holds what comes; then the caller
// reads the past from the store and hands it to begin(). Rows that were committed in between are in
// both; begin() and the offers after it drop them from the live side:
//   - events by their id;
//   - log rows by commit: a commit is atomic, so either all of its rows that lie in the range of
//   the
//     past are among the rows read (then the reader saw the commit, and they are dropped) or the
//     commit came later (then all are delivered).
// A reader that is slower than its bounded queue gets what is queued, then the word "lagged", and
// ends.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "controlplane/model/records.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::api {

struct LogFilter {
  AgentId agent;        // Empty = every agent of the tenant
  wire::Target target;  // Empty = all
  std::string grep;     // Substring; "" = all
  std::optional<wire::LogStream> stream;
  std::int64_t since_ms = 0;
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
  // Every matching row after this time that the store held is in `rows`: one before the start of
  // the query's range, or the time of the first row when only the newest were kept.
  std::int64_t complete_after_ns = 0;
  std::int64_t show_after_ns = 0;  // Rows up to this time were sent to the reader before
};
struct EventPast {
  std::vector<model::EventRow> rows;  // Ascending ids
  std::uint64_t after_id = 0;         // Nothing up to this id is wanted
  bool cut = false;                   // Only the newest were kept
};

// A row with the names that people know.
using RenderLog = std::function<std::string(const model::LogRow&)>;
using RenderEvent = std::function<std::string(const model::EventRow&)>;

// Thread-safe: the hub offers, a worker begins, the connection takes.
class Follower {
 public:
  // What waits for a slow reader. One frame larger than all of it still passes an empty queue.
  static constexpr std::size_t kMaxQueuedBytes = 8U << 20;
  static constexpr std::size_t kMaxQueuedFrames = 20'000;
  // A commit that the past already held is offered at most this much later.
  static constexpr std::chrono::seconds kOverlap{60};

  using Filter = std::variant<LogFilter, EventFilter>;
  Follower(TenantId tenant, Filter filter, const Clock& clock)
      : tenant_(std::move(tenant)), filter_(std::move(filter)), clock_(clock) {}

  const TenantId& tenant() const { return tenant_; }
  const Filter& filter() const { return filter_; }
  const AgentId& agent() const;  // Empty = all

  // Hub: one commit's matching rows, of this follower's tenant and agent.
  void offer(std::vector<model::LogRow> rows, const RenderLog& render);
  void offer(std::vector<model::EventRow> rows, const RenderEvent& render);
  void mark_lagged();

  // Worker: once. `head` are frames that go before the past's rows, `tail` after them.
  void begin(const LogPast& past, std::string head, std::string tail, const RenderLog& render);
  void begin(const EventPast& past, std::string head, std::string tail, const RenderEvent& render);

  // Connection: takes up to `most` bytes of frames (at least one frame when there is one); empty
  // when nothing waits. `wakeup` is called from any thread when something waits; it must only post,
  // and is not running any more once on_ready(nullptr) has returned.
  std::string take(std::size_t most);
  bool lagged();  // No more frames will come than take() still gives
  void on_ready(std::function<void()> wakeup);

 private:
  enum class Seen { kYes, kNo, kUnclear };
  Seen was_seen(const std::vector<model::LogRow>& rows) REQUIRES(mutex_);
  void deliver(std::vector<model::LogRow>& rows, const RenderLog& render) REQUIRES(mutex_);
  void deliver(std::vector<model::EventRow>& rows, const RenderEvent& render) REQUIRES(mutex_);
  void push(std::string frame) REQUIRES(mutex_);
  void fill_past(std::deque<std::string> frames) REQUIRES(mutex_);
  void notify();

  const TenantId tenant_;
  const Filter filter_;
  const Clock& clock_;

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

  // After begin(): what the past held.
  std::unordered_map<std::uint64_t, std::uint32_t> past_rows_
      GUARDED_BY(mutex_);  // Hash -> how often
  std::int64_t complete_after_ns_ GUARDED_BY(mutex_) = 0;
  SteadyTime overlap_end_ GUARDED_BY(mutex_);
  std::set<std::uint64_t> past_events_ GUARDED_BY(mutex_);
  std::uint64_t unwanted_to_id_ GUARDED_BY(mutex_) = 0;
};

}  // namespace observeai::controlplane::api
