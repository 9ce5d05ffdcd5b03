#include "agent/app/remote_logs.h"

#include "agent/app/logs_loop.h"
#include "agent/app/sample_logs.h"
#include "agent/journal/journal_source.h"
#include "agent/logs/checkpoint_state.h"
#include "protocol/base/log.h"

namespace observeai::agent {

RemoteLogs::RemoteLogs(Loop& loop, AsyncClock& clock, std::shared_ptr<const Clock> shared_clock,
                       Spool& spool, Outbox& outbox, LogCollector& local, Options options,
                       Mounts mounts, const Shedding& shedding)
    : loop_(loop),
      clock_(clock),
      shared_clock_(std::move(shared_clock)),
      spool_(spool),
      outbox_(outbox),
      local_(local),
      options_(std::move(options)),
      mounts_(std::move(mounts)),
      shedding_(shedding),
      pool_(loop, clock, {kThreads, kThreads}) {}

// ---- which log lies where ----------------------------------------------------------------------

Result<void> RemoteLogs::begin() {
  mounted_ = mounts_();
  return reroute();
}

void RemoteLogs::set_containers(const std::vector<ObservedContainer>& containers) {
  containers_ = containers;
  if (left_alone_->empty()) return;
  for (const auto& [point, served] : places_) {
    RemotePlace::News news;
    news.containers = containers_;
    served->place->post(std::move(news));
  }
  want_places_of_containers();
}

void RemoteLogs::want_places_of_containers() {
  PlaceFinder finder(*left_alone_);
  for (const auto& container : containers_) {
    if (!container.log_path.empty()) want(finder.place_of(container.log_path));
  }
}

boost::asio::awaitable<void> RemoteLogs::run() {
  running_ = true;
  for (const auto& [point, served] : places_) spawn(loop_, "remote logs", serve(served));
  for (;;) {
    co_await clock_.sleep_for(kLookEvery);
    look();
  }
}

void RemoteLogs::look() {
  const auto now = mounts_();
  const bool moved = now != mounted_ || left_alone_->points() != now->with(absent_now()).points();
  mounted_ = now;
  if (moved) {
    if (const auto routed = reroute(); !routed) log::warning("logs: " + routed.error().message());
  }
  PatternsByPlace all = local_.patterns_elsewhere();
  for (const auto& [point, served] : places_) {
    for (const auto& [place, patterns] : served->elsewhere) {
      auto& known = all[place];
      known.insert(known.end(), patterns.begin(), patterns.end());
    }
  }
  for (auto& [point, patterns] : all) {
    const auto served = want(point);
    if (!served || served->patterns == patterns) continue;
    served->patterns = patterns;
    RemotePlace::News news;
    news.patterns = std::move(patterns);
    served->place->post(std::move(news));
  }
}

// Those that are waited for.
std::vector<std::string> RemoteLogs::absent_now() const {
  std::vector<std::string> points;
  for (const auto& [point, since] : absent_) {
    if (clock_.steady_now() - since < options_.absent_grace) points.push_back(point);
  }
  return points;
}

// Places that had logs when they were last there: each has a checkpoint of its own.
void RemoteLogs::note_absent(const std::vector<SourceCheckpoint>& checkpoints) {
  const auto now = clock_.steady_now();
  for (const auto& checkpoint : checkpoints) {
    const auto place = place_of_files(checkpoint.source);
    if (place && *place != kLocal) absent_.emplace(*place, now);
  }
  for (auto it = places_.begin(); it != places_.end();) {
    if (mounted_->contains(it->first)) {
      ++it;
      continue;
    }
    absent_.insert_or_assign(it->first, now);
    it->second->ended = true;
    it = places_.erase(it);
  }
  std::erase_if(absent_, [&](const auto& entry) { return mounted_->contains(entry.first); });
  std::erase_if(absent_told_, [&](const auto& point) { return mounted_->contains(point); });
}

Result<void> RemoteLogs::reroute() {
  TRY(auto checkpoints, spool_.checkpoints());
  take_journal_checkpoints(checkpoints);
  note_absent(checkpoints);
  left_alone_ = std::make_shared<const RemoteMounts>(mounted_->with(absent_now()));
  local_.set_mounts(left_alone_);
  local_.restore(checkpoints);
  local_.set_containers(containers_);
  PlaceFinder finder(*left_alone_);
  std::set<std::string> with_logs;
  for (const auto& checkpoint : checkpoints) {
    if (left_alone_->empty()) break;
    const auto state = parse_checkpoint(checkpoint.state);
    if (state) with_logs.insert(finder.place_of(state->path));
  }
  for (const auto& [point, served] : places_) {
    RemotePlace::News news;
    news.mounts = left_alone_;
    news.checkpoints = checkpoints;
    news.containers = containers_;
    served->place->post(std::move(news));
  }
  for (const auto& point : with_logs) want(point);
  tell_absent(with_logs);
  want_places_of_containers();
  return {};
}

// nullptr: it is local, not there now, or beyond the limit.
std::shared_ptr<RemoteLogs::Served> RemoteLogs::want(const std::string& point) {
  if (point == kLocal || !mounted_->contains(point)) return nullptr;
  if (const auto known = places_.find(point); known != places_.end()) return known->second;
  if (places_.size() >= kMaxPlaces) {
    if (beyond_told_.insert(point).second) {
      add_event(point, "logs on " + point + " are not collected: " + std::to_string(kMaxPlaces) +
                           " other mounts that may hang have logs, more are not looked after");
    }
    return nullptr;
  }
  auto checkpoints = spool_.checkpoints();
  if (!checkpoints) return nullptr;  // The next look is near
  auto served = std::make_shared<Served>();
  served->point = point;
  served->resource = "logs on " + point;
  if (times_served_++ > 0) served->resource += " (" + std::to_string(times_served_) + ")";
  auto options = options_.logs;
  options.files.place = point;
  served->place = std::make_shared<RemotePlace>(shared_clock_, std::move(options));
  RemotePlace::News news;
  news.mounts = left_alone_;
  news.checkpoints = std::move(*checkpoints);
  take_journal_checkpoints(*news.checkpoints);
  news.containers = containers_;
  served->place->post(std::move(news));
  places_.emplace(point, served);
  log::info("logs on " + log::printable(point) + " (" + mounted_->type_of(point) +
            "), which may hang, are read by a worker");
  if (running_) spawn(loop_, "remote logs", serve(served));
  return served;
}

// ---- reading -----------------------------------------------------------------------------------

boost::asio::awaitable<void> RemoteLogs::serve(std::shared_ptr<Served> served) {
  for (;;) {
    if (served->ended) {
      const bool closed = co_await close(served);
      if (closed) co_return;
      co_await clock_.sleep_for(kRetryPause);
      continue;
    }
    const bool more = co_await read_once(served);
    if (!more) co_await clock_.sleep_for(kPollEvery);
  }
}

boost::asio::awaitable<bool> RemoteLogs::read_once(std::shared_ptr<Served> served) {
  const bool paused = !shedding_.logs;
  if (!paused && !outbox_.takes_data()) co_return false;
  const std::size_t max_bytes = paused ? 0 : kReadBytes;
  std::function<Result<bool>()> work = [place = served->place, max_bytes]() -> Result<bool> {
    place->work(max_bytes);
    return true;
  };
  const auto answer =
      co_await pool_.run<bool>(served->resource, options_.deadline, std::move(work));
  if (!answer) {
    tell_unanswered(*served, answer.error());
    co_return false;
  }
  served->told = false;
  auto read = served->place->take();
  if (!read) co_return false;
  served->elsewhere = served->place->patterns_elsewhere();
  const bool more = served->place->more();
  const bool committed = commit(std::move(*read));
  RemotePlace::News news;
  news.committed = committed;
  served->place->post(std::move(news));
  co_return committed&& more;
}

// Closing a file may hang as well.
boost::asio::awaitable<bool> RemoteLogs::close(std::shared_ptr<Served> served) {
  std::function<Result<bool>()> work = [place = served->place]() -> Result<bool> {
    place->close();
    return true;
  };
  const auto answer =
      co_await pool_.run<bool>(served->resource, options_.deadline, std::move(work));
  co_return answer.has_value();
}

// False: the spool did not take it; the same lines come again.
bool RemoteLogs::commit(LogRead read) {
  if (read.empty()) return true;
  LogCommit commit = to_log_commit(std::move(read));
  sample_logs(commit, sampler_, shedding_.keep_one_log_in);
  const auto committed = outbox_.commit_logs(std::move(commit));
  if (committed) {
    problem_.clear();
    return true;
  }
  // The outbox tells of a spool that is full.
  if (committed.error().code() != Errc::kLimit && problem_ != committed.error().message()) {
    problem_ = committed.error().message();
    log::error("logs: " + problem_);
  }
  return false;
}

// ---- telling -----------------------------------------------------------------------------------

void RemoteLogs::tell_unanswered(Served& served, const Error& error) {
  const auto now = clock_.steady_now();
  if (served.told || (served.told_at && now - *served.told_at < kTellEvery)) return;
  served.told = true;
  served.told_at = now;
  const auto type = mounted_->type_of(served.point);
  add_event(served.point, "logs on " + served.point + (type.empty() ? "" : " (" + type + ")") +
                              " are not collected: " + error.message() +
                              "; a dead mount? They are read on as soon as it answers");
}

void RemoteLogs::tell_absent(const std::set<std::string>& with_logs) {
  for (const auto& point : absent_now()) {
    if (!with_logs.contains(point) || !absent_told_.insert(point).second) continue;
    const auto minutes =
        std::chrono::duration_cast<std::chrono::minutes>(options_.absent_grace).count();
    add_event(point, point + " is not mounted: its logs wait for it, for up to " +
                         std::to_string(minutes) + " minutes; after that they count as gone");
  }
}

void RemoteLogs::add_event(const std::string& point, const std::string& message) {
  log::warning(log::printable(message));
  outbox_.add_event({clock_.unix_ms(),
                     "logs.unreadable",
                     wire::kHostTarget,
                     wire::Severity::kWarning,
                     message,
                     {{"path", point}}});
  ignore(outbox_.flush(), "it waits for the next flush");
}

}  // namespace observeai::agent
