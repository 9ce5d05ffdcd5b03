#include "controlplane/api/follower.h"

namespace observeai::controlplane::api {
namespace {

std::uint64_t hash_of(const model::LogRow& row) {
  const auto& record = row.record;
  std::uint64_t hash = std::hash<std::int64_t>()(record.ts_ns);
  const auto mix = [&hash](std::uint64_t value) {
    hash ^= value + 0x9E3779B97F4A7C15ULL + (hash << 6U) + (hash >> 2U);
  };
  mix(std::hash<std::string>()(row.agent.value()));
  mix(std::hash<std::string>()(record.target));
  mix(std::hash<std::string>()(record.text));
  mix(static_cast<std::uint64_t>(record.stream));
  return hash;
}

std::size_t bytes_of(const model::LogRow& row) {
  return sizeof(row) + row.record.text.size() + row.record.target.size();
}

}  // namespace

bool LogFilter::matches(const wire::LogRecord& record) const {
  return (target.empty() || record.target == target) && (!stream || record.stream == *stream) &&
         record.ts_ns / 1'000'000 >= since_ms &&
         (grep.empty() || record.text.find(grep) != std::string::npos);
}

bool EventFilter::matches(const wire::Event& event) const {
  return (target.empty() || event.target == target) && event.kind.starts_with(kind_prefix);
}

const AgentId& Follower::agent() const {
  const auto* logs = std::get_if<LogFilter>(&filter_);
  return logs != nullptr ? logs->agent : std::get<EventFilter>(filter_).agent;
}

void Follower::offer(std::vector<model::LogRow> rows, const RenderLog& render) {
  {
    MutexLock lock(mutex_);
    if (lagged_) return;
    if (begun_) {
      deliver(rows, render);
    } else {
      for (const auto& row : rows) held_bytes_ += bytes_of(row);
      held_logs_.push_back(std::move(rows));
      lagged_ = held_bytes_ > kMaxQueuedBytes;
    }
  }
  notify();
}

void Follower::offer(std::vector<model::EventRow> rows, const RenderEvent& render) {
  {
    MutexLock lock(mutex_);
    if (lagged_) return;
    if (begun_) {
      deliver(rows, render);
    } else {
      for (const auto& row : rows) held_bytes_ += sizeof(row) + row.event.message.size();
      held_events_.push_back(std::move(rows));
      lagged_ = held_bytes_ > kMaxQueuedBytes;
    }
  }
  notify();
}

void Follower::mark_lagged() {
  {
    MutexLock lock(mutex_);
    lagged_ = true;
  }
  notify();
}

// Unclear: all of the commit's rows are older than what the past can tell about.
Follower::Seen Follower::was_seen(const std::vector<model::LogRow>& rows) {
  std::unordered_map<std::uint64_t, std::uint32_t> wanted;
  for (const auto& row : rows) {
    if (row.record.ts_ns > complete_after_ns_) ++wanted[hash_of(row)];
  }
  for (const auto& [hash, count] : wanted) {
    const auto found = past_rows_.find(hash);
    if (found == past_rows_.end() || found->second < count) return Seen::kNo;
  }
  return wanted.empty() ? Seen::kUnclear : Seen::kYes;
}

void Follower::deliver(std::vector<model::LogRow>& rows, const RenderLog& render) {
  if (!past_rows_.empty() && clock_.steady_now() >= overlap_end_) past_rows_.clear();
  const Seen seen = past_rows_.empty() ? Seen::kNo : was_seen(rows);
  for (const auto& row : rows) {
    const auto found = seen == Seen::kNo ? past_rows_.end() : past_rows_.find(hash_of(row));
    if (found != past_rows_.end()) {
      if (--found->second == 0) past_rows_.erase(found);
    } else if (seen != Seen::kYes) {
      push(render(row));  // A seen row that is not in the past was cut off it.
    }
  }
}

void Follower::deliver(std::vector<model::EventRow>& rows, const RenderEvent& render) {
  for (const auto& row : rows) {
    if (row.id > unwanted_to_id_ && past_events_.erase(row.id) == 0) push(render(row));
  }
}

void Follower::push(std::string frame) {
  if (lagged_) return;
  const bool fits = frames_.empty() || (queued_bytes_ + frame.size() <= kMaxQueuedBytes &&
                                        frames_.size() < kMaxQueuedFrames);
  if (!fits) {
    lagged_ = true;
    return;
  }
  queued_bytes_ += frame.size();
  frames_.push_back(std::move(frame));
}

// The past is bounded by its query, not by the queue: the reader has had no time to read it.
void Follower::fill_past(std::deque<std::string> frames) {
  frames_ = std::move(frames);
  queued_bytes_ = 0;
  for (const auto& frame : frames_) queued_bytes_ += frame.size();
  begun_ = true;
  overlap_end_ = clock_.steady_now() + kOverlap;
}

void Follower::begin(const LogPast& past, std::string head, std::string tail,
                     const RenderLog& render) {
  std::deque<std::string> frames;
  frames.push_back(std::move(head));
  for (const auto& row : past.rows) {
    if (row.record.ts_ns > past.show_after_ns) frames.push_back(render(row));
  }
  frames.push_back(std::move(tail));
  {
    MutexLock lock(mutex_);
    complete_after_ns_ = past.complete_after_ns;
    for (const auto& row : past.rows) ++past_rows_[hash_of(row)];
    fill_past(std::move(frames));
    for (auto& rows : held_logs_) deliver(rows, render);
    held_logs_ = {};
  }
  notify();
}

void Follower::begin(const EventPast& past, std::string head, std::string tail,
                     const RenderEvent& render) {
  std::deque<std::string> frames;
  frames.push_back(std::move(head));
  for (const auto& row : past.rows) frames.push_back(render(row));
  frames.push_back(std::move(tail));
  {
    MutexLock lock(mutex_);
    unwanted_to_id_ = past.after_id;
    if (past.cut && !past.rows.empty())
      unwanted_to_id_ = std::max(unwanted_to_id_, past.rows.front().id - 1);
    for (const auto& row : past.rows) past_events_.insert(row.id);
    fill_past(std::move(frames));
    for (auto& rows : held_events_) deliver(rows, render);
    held_events_ = {};
  }
  notify();
}

std::string Follower::take(std::size_t most) {
  MutexLock lock(mutex_);
  std::string out;
  while (begun_ && !frames_.empty() &&
         (out.empty() || out.size() + frames_.front().size() <= most)) {
    queued_bytes_ -= frames_.front().size();
    out += frames_.front();
    frames_.pop_front();
  }
  return out;
}

bool Follower::lagged() {
  MutexLock lock(mutex_);
  return lagged_;
}

void Follower::on_ready(std::function<void()> wakeup) {
  MutexLock lock(mutex_);
  wakeup_ = std::move(wakeup);
}

void Follower::notify() {
  MutexLock lock(mutex_);
  if (wakeup_) wakeup_();
}

}  // namespace observeai::controlplane::api
