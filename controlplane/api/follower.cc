#include "controlplane/api/follower.h"

namespace observeai::controlplane::api {
namespace {

std::size_t bytes_of(const model::LogRow& row) {
  return sizeof(row) + row.record.text.size() + row.record.target.size();
}

std::size_t bytes_of(const model::EventRow& row) {
  return sizeof(row) + row.event.message.size();
}

}  // namespace

bool LogFilter::matches(const wire::LogRecord& record) const {
  return (target.empty() || record.target == target) && (!stream || record.stream == *stream) &&
         (grep.empty() || record.text.find(grep) != std::string::npos);
}

bool EventFilter::matches(const wire::Event& event) const {
  return (target.empty() || event.target == target) && event.kind.starts_with(kind_prefix);
}

const AgentId& Follower::agent() const {
  const auto* logs = std::get_if<LogFilter>(&filter_);
  return logs != nullptr ? logs->agent : std::get<EventFilter>(filter_).agent;
}

Follower::~Follower() {
  MutexLock lock(mutex_);
  *all_ -= share_;
}

bool Follower::hold(std::size_t bytes) {
  if (all_->fetch_add(bytes) + bytes > kMaxBytesOfAll) {
    *all_ -= bytes;
    return false;
  }
  share_ += bytes;
  return true;
}

void Follower::give_back(std::size_t bytes) {
  *all_ -= bytes;
  share_ -= bytes;
}

template <class Row>
void Follower::hold_back(std::vector<std::vector<Row>>& held, std::vector<Row> rows) {
  std::size_t bytes = 0;
  for (const auto& row : rows) bytes += bytes_of(row);
  lagged_ = held_bytes_ + bytes > kMaxQueuedBytes || !hold(bytes);
  if (lagged_) return;
  held_bytes_ += bytes;
  held.push_back(std::move(rows));
}

void Follower::offer(std::vector<model::LogRow> rows, const RenderLog& render) {
  {
    MutexLock lock(mutex_);
    if (lagged_) return;
    if (begun_) {
      deliver(rows, render);
    } else {
      hold_back(held_logs_, std::move(rows));
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
      hold_back(held_events_, std::move(rows));
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

void Follower::deliver(std::vector<model::LogRow>& rows, const RenderLog& render) {
  for (const auto& row : rows) {
    if (row.position > reached_) push(render(row, true));
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
  if (!fits || !hold(frame.size())) {
    lagged_ = true;
    return;
  }
  queued_bytes_ += frame.size();
  frames_.push_back(std::move(frame));
}

// The past is bounded by its query, not by the queue: the reader has had no time to read it.
Result<void> Follower::fill_past(std::deque<std::string> frames) {
  std::size_t bytes = 0;
  for (const auto& frame : frames) bytes += frame.size();
  if (!hold(bytes))
    return Error(Errc::kLimit, "other streams hold too much that was not read from them yet");
  frames_ = std::move(frames);
  queued_bytes_ = bytes;
  begun_ = true;
  return {};
}

// Without a head nothing was published since the start: then the past reaches as far as it was read.
Result<void> Follower::begin(const LogPast& past, std::string head, const RenderLive& tail,
                             const RenderLog& render) {
  auto reached = head_ ? head_ : past.newest;
  if (past.after) reached = std::max(reached.value_or(*past.after), *past.after);
  std::deque<std::string> frames;
  frames.push_back(std::move(head));
  for (const auto& row : past.rows) {
    if (reached && row.position <= *reached) frames.push_back(render(row, false));
  }
  frames.push_back(tail(frames.size() - 1, reached.value_or(model::LogPosition())));
  {
    MutexLock lock(mutex_);
    reached_ = reached.value_or(model::LogPosition());
    TRY_VOID(fill_past(std::move(frames)));
    for (auto& rows : held_logs_) deliver(rows, render);
    held_logs_ = {};
    give_back(std::exchange(held_bytes_, 0));
  }
  notify();
  return {};
}

Result<void> Follower::begin(const EventPast& past, std::string head, std::string tail,
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
    TRY_VOID(fill_past(std::move(frames)));
    for (auto& rows : held_events_) deliver(rows, render);
    held_events_ = {};
    give_back(std::exchange(held_bytes_, 0));
  }
  notify();
  return {};
}

std::string Follower::take(std::size_t most) {
  MutexLock lock(mutex_);
  std::string out;
  while (begun_ && !frames_.empty() &&
         (out.empty() || out.size() + frames_.front().size() <= most)) {
    queued_bytes_ -= frames_.front().size();
    give_back(frames_.front().size());
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
