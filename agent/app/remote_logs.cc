#include "agent/app/remote_logs.h"

#include <algorithm>

#include "agent/app/unreadable_logs.h"
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
      pool_(loop, clock, {kThreads, kThreads}),
      committer_(outbox, shedding) {}

// ---- which log lies where ----------------------------------------------------------------------

Result<void> RemoteLogs::begin() {
  auto now = mounts_();
  if (!now) return Error(Errc::kUnavailable, "the table of mounts cannot be read");
  mounted_ = std::move(now);
  return plan();
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
  if (!containers_) return;
  PlaceFinder finder(*left_alone_);
  for (const auto& container : *containers_) {
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
  forget_absent();
  const bool moved = now != mounted_ || left_alone_->points() != now->with(absent_now()).points();
  mounted_ = now;
  if (moved || plan_due_) reroute();
  post_patterns();
  end_idle();
}

// What each place is to look for: what the others met. One that nobody met any more gets none.
void RemoteLogs::post_patterns() {
  PatternsByPlace all = local_.patterns_elsewhere();
  for (const auto& [point, served] : places_) {
    for (const auto& [place, patterns] : served->elsewhere) {
      auto& known = all[place];
      known.insert(known.end(), patterns.begin(), patterns.end());
    }
    all.try_emplace(point);
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

void RemoteLogs::end_idle() {
  const auto now = clock_.steady_now();
  std::vector<std::string> idle;
  for (const auto& [point, served] : places_) {
    if (!served->patterns.empty() || !served->idle) served->used_at = now;
    if (now - served->used_at >= options_.idle_grace) idle.push_back(point);
  }
  for (const auto& point : idle) end(point);
}

// The one way in which a place ends: what it read and nobody committed is read by who comes next.
void RemoteLogs::end(const std::string& point) {
  const auto found = places_.find(point);
  if (found == places_.end()) return;
  found->second->ended = true;
  invalid_checkpoints_ += found->second->invalid_checkpoints;
  places_.erase(found);
  plan_due_ = plan_due_ || !beyond_told_.empty();  // There is room for another one
  beyond_told_.clear();
}

// Those that are waited for.
std::vector<std::string> RemoteLogs::absent_now() const {
  std::vector<std::string> points;
  for (const auto& [point, since] : absent_) {
    if (clock_.steady_now() - since < options_.absent_grace) points.push_back(point);
  }
  return points;
}

// Those that were waited for long enough: the next start does not wait for them either.
void RemoteLogs::forget_absent() {
  LogCommit commit;
  std::vector<std::string> over;
  for (const auto& [point, since] : absent_) {
    if (clock_.steady_now() - since < options_.absent_grace) continue;
    commit.forgotten_sources.push_back(kLogFilesSource + point);
    over.push_back(point);
  }
  if (over.empty() || !outbox_.commit_logs(std::move(commit))) return;  // The next look is near
  for (const auto& point : over) {
    absent_.erase(point);
    absent_told_.erase(point);
  }
}

// Places that had logs when they were last there: each has a checkpoint of its own.
void RemoteLogs::note_absent(const std::vector<SourceCheckpoint>& checkpoints) {
  const auto now = clock_.steady_now();
  for (const auto& checkpoint : checkpoints) {
    const auto place = place_of_files(checkpoint.source);
    if (place && *place != kLocal) absent_.emplace(*place, now);
  }
  std::vector<std::string> gone;
  for (const auto& [point, served] : places_) {
    if (!mounted_->contains(point)) gone.push_back(point);
  }
  for (const auto& point : gone) {
    absent_.insert_or_assign(point, now);
    end(point);
  }
  std::erase_if(absent_, [&](const auto& entry) { return mounted_->contains(entry.first); });
  std::erase_if(absent_told_, [&](const auto& point) { return mounted_->contains(point); });
  std::erase_if(beyond_told_, [&](const auto& point) { return !mounted_->contains(point); });
}

void RemoteLogs::reroute() {
  const auto planned = plan();
  plan_due_ = !planned;
  if (!planned) log::warning("logs: " + planned.error().message());
}

Result<void> RemoteLogs::plan() {
  TRY(auto checkpoints, spool_.checkpoints());
  take_journal_checkpoints(checkpoints);
  ++plan_;
  note_absent(checkpoints);
  left_alone_ = std::make_shared<const RemoteMounts>(mounted_->with(absent_now()));
  local_.set_mounts(left_alone_);
  local_.restore(checkpoints, containers_ ? *containers_ : std::vector<ObservedContainer>());
  if (containers_) local_.set_containers(*containers_);
  PlaceFinder finder(*left_alone_);
  std::set<std::string> with_logs;
  for (const auto& checkpoint : checkpoints) {
    if (left_alone_->empty()) break;
    const auto state = parse_checkpoint(checkpoint.state);
    if (state) with_logs.insert(finder.place_of(state->path));
  }
  for (const auto& [point, served] : places_) served->place->post(everything(checkpoints));
  for (const auto& point : with_logs) want(point);
  tell_absent(with_logs);
  want_places_of_containers();
  return {};
}

RemotePlace::News RemoteLogs::everything(std::vector<SourceCheckpoint> checkpoints) const {
  RemotePlace::News news;
  news.mounts = left_alone_;
  news.checkpoints = std::move(checkpoints);
  news.containers = containers_;
  news.plan = plan_;
  return news;
}

// Sources that began anew although the spool knows how far they were read.
std::vector<std::string> RemoteLogs::contested(const LogRead& read) {
  std::vector<std::string> out;
  if (read.begun.empty()) return out;
  const auto checkpoints = spool_.checkpoints();
  if (!checkpoints) return read.begun;  // Not known: later
  const std::set<std::string> begun(read.begun.begin(), read.begun.end());
  for (const auto& checkpoint : *checkpoints) {
    if (begun.contains(checkpoint.source) && parse_checkpoint(checkpoint.state))
      out.push_back(checkpoint.source);
  }
  return out;
}

bool RemoteLogs::admits_local(const LogRead& read) {
  const auto others = contested(read);
  if (others.empty()) return true;
  local_.rollback();
  for (const auto& source : others) local_.let_go(source);
  reroute();
  return false;
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
  served->used_at = clock_.steady_now();
  take_journal_checkpoints(*checkpoints);
  served->place->post(everything(std::move(*checkpoints)));
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
  const bool limits_only = !shedding_.logs || !outbox_.takes_data();
  const std::size_t max_bytes = limits_only ? 0 : kReadBytes;
  if (limits_only) {
    const auto now = clock_.steady_now();
    if (now - served->limits_at < kLimitsEvery) co_return false;
    served->limits_at = now;
  }
  std::function<Result<bool>()> work = [place = served->place, max_bytes]() -> Result<bool> {
    return place->work(max_bytes);
  };
  const auto answer =
      co_await pool_.run<bool>(served->resource, options_.deadline, std::move(work));
  if (served->ended) co_return false;
  const bool broken = answer ? !*answer : answer.error().code() == Errc::kInternal;
  if (broken) {
    log::error("logs on " + log::printable(served->point) + ": " +
               (answer ? "an earlier call failed" : answer.error().message()) +
               "; reading begins again at the last commit");
    end(served->point);
    plan_due_ = true;
    co_return false;
  }
  if (!answer) {
    served->idle = false;
    tell_unanswered(*served, answer.error());
    co_return false;
  }
  served->told = false;
  auto read = served->place->take();
  if (!read) co_return false;
  served->elsewhere = served->place->patterns_elsewhere();
  served->idle = served->place->source_count() == 0;
  served->invalid_checkpoints = served->place->invalid_checkpoints();
  const bool more = served->place->more();
  const bool committed = settle(*served, *read);
  co_return committed&& more;
}

// Commits a read, if it may be, and posts the answer.
bool RemoteLogs::settle(Served& served, LogRead& read) {
  RemotePlace::News news;
  const bool by_this_plan = served.place->plan() == plan_;
  if (by_this_plan) news.let_go = contested(read);
  const bool mine = by_this_plan && news.let_go.empty();
  const bool others = !news.let_go.empty();
  const bool committed = mine && commit(read);
  served.refused = mine && !committed;
  if (committed) ++rounds_;
  news.committed = committed;
  served.place->post(std::move(news));
  if (others) reroute();
  return committed;
}

bool RemoteLogs::waits() const {
  return std::any_of(places_.begin(), places_.end(),
                     [](const auto& entry) { return entry.second->refused; });
}

std::uint64_t RemoteLogs::invalid_checkpoints() const {
  auto sum = invalid_checkpoints_;
  for (const auto& [point, served] : places_) sum += served->invalid_checkpoints;
  return sum;
}

// Closing a file may hang as well.
boost::asio::awaitable<bool> RemoteLogs::close(std::shared_ptr<Served> served) {
  std::function<Result<bool>()> work = [place = served->place]() -> Result<bool> {
    place->close();
    return true;
  };
  const auto answer =
      co_await pool_.run<bool>(served->resource, options_.deadline, std::move(work));
  const bool closed = answer || answer.error().code() == Errc::kInternal;
  if (!closed) co_return false;
  if (auto last = served->place->take()) commit(*last);
  co_return true;
}

// False: the spool did not take it; the same lines come again.
bool RemoteLogs::commit(LogCommit& logs) {
  return logs.empty() || committer_.commit(logs);
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
  outbox_.add_event(
      unreadable_logs(clock_.unix_ms(), wire::Severity::kWarning, message, {{"path", point}}));
  ignore(outbox_.flush(), "it waits for the next flush");
}

}  // namespace observeai::agent
