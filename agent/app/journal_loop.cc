#include "agent/app/journal_loop.h"

#include <unistd.h>

#include "agent/app/sample_logs.h"
#include "agent/app/unreadable_logs.h"
#include "agent/discovery/cgroup_owner.h"
#include "agent/runtime/co.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::agent {
namespace {

constexpr const char* kResource = "journal";

}  // namespace

JournalOptions journal_options(const AgentConfig& config) {
  JournalOptions options;
  options.include = config.journal_include;
  options.exclude = config.journal_exclude;
  options.max_priority = static_cast<std::uint8_t>(config.journal_max_priority);
  options.backfill = config.journal_backfill;
  options.own_pid = static_cast<std::uint32_t>(::getpid());
  const auto cgroup = files::read("/proc/self/cgroup");
  if (cgroup) options.own_unit = owner_from_cgroup(*cgroup).unit;
  // Started by another service (a login, a test): the process alone is ours.
  if (!options.own_unit.starts_with("observeai")) options.own_unit.clear();
  return options;
}

JournalLoop::JournalLoop(Loop& loop, AsyncClock& clock, BlockingPool& pool, Outbox& outbox,
                         JournalSource& source, std::shared_ptr<JournalReader> reader,
                         std::chrono::milliseconds flush, const Shedding& shedding)
    : clock_(clock),
      pool_(pool),
      outbox_(outbox),
      source_(source),
      reader_(std::move(reader)),
      flush_(flush),
      shedding_(shedding),
      news_(loop.context()) {}

boost::asio::awaitable<void> JournalLoop::run() {
  for (;;) {
    Outcome outcome = co_await read_some();
    while (outcome == Outcome::kMore) outcome = co_await read_some();
    if (outcome == Outcome::kSpoolFull) {
      co_await wait_for_room();
      continue;
    }
    if (outcome == Outcome::kFailed) co_await clock_.sleep_for(kRetryPause);
    const bool woken = co_await wait_for_news();
    // What follows within a moment is taken in one commit.
    if (woken) co_await clock_.sleep_for(flush_);
  }
}

boost::asio::awaitable<bool> JournalLoop::wait_for_news() {
  using namespace boost::asio::experimental::awaitable_operators;
  watch_descriptor();
  if (!news_.is_open()) {
    co_await clock_.sleep_for(kPollEvery);
    co_return false;
  }
  const auto first =
      co_await (news_.async_wait(boost::asio::posix::stream_descriptor::wait_read, nothrow) ||
                clock_.sleep_for(kPollEvery));
  co_return first.index() == 0;
}

void JournalLoop::watch_descriptor() {
  const auto opened = reader_->opened();
  const int own = reader_->duplicate_wake_fd();
  if (opened == watched_ && (own >= 0) == news_.is_open()) {
    if (own >= 0) ::close(own);
    return;
  }
  watched_ = opened;
  boost::system::error_code failed;
  news_.close(failed);
  if (own < 0) return;
  news_.assign(own, failed);
  if (failed) ::close(own);
}

boost::asio::awaitable<JournalLoop::Outcome> JournalLoop::read_some() {
  if (!shedding_.logs || !outbox_.takes_data()) co_return Outcome::kSpoolFull;
  auto read = co_await this->read();
  if (read && source_.wants_second_look(*read)) {
    const std::string met = read->damage;
    co_await close_reader();
    read = co_await this->read();
    if (read && read->damage.empty()) read->damage = met;
  }
  if (!read) {
    tell(read.error().message());
    co_return Outcome::kFailed;
  }
  co_return commit(*read);
}

boost::asio::awaitable<Result<JournalRead>> JournalLoop::read() {
  std::function<Result<JournalRead>()> work = [reader = reader_, from = source_.position(),
                                               limits = source_.limits()] {
    return reader->read(from, limits);
  };
  co_return co_await pool_.run<JournalRead>(kResource, kReadDeadline, std::move(work));
}

boost::asio::awaitable<void> JournalLoop::close_reader() {
  std::function<Result<bool>()> work = [reader = reader_]() -> Result<bool> {
    reader->close();
    return true;
  };
  const auto closed = co_await pool_.run<bool>(kResource, kReadDeadline, std::move(work));
  ignore(closed, "a call that hangs keeps what it holds; the next read tells");
}

JournalLoop::Outcome JournalLoop::commit(const JournalRead& read) {
  auto batch = source_.take(read);
  if (!batch.empty()) {
    sample_logs(batch, sampler_, shedding_.keep_one_log_in);
    const auto committed = outbox_.commit_logs(std::move(batch));
    if (!committed) {
      source_.rollback();
      if (committed.error().code() == Errc::kLimit) return Outcome::kSpoolFull;
      tell(committed.error().message());
      return Outcome::kFailed;
    }
  }
  source_.committed();
  ++rounds_;
  problem_.clear();
  told_ = false;
  full_since_.reset();
  return read.at_end ? Outcome::kDone : Outcome::kMore;
}

// A spool that is full is asked again every few seconds, for which the journal is opened.
boost::asio::awaitable<void> JournalLoop::wait_for_room() {
  if (!full_since_) full_since_ = clock_.steady_now();
  bool closed = false;
  do {
    if (!closed && clock_.steady_now() - *full_since_ >= kCloseAfter) {
      closed = true;
      co_await close_reader();
    }
    co_await clock_.sleep_for(kFullPause);
  } while (!shedding_.logs || !outbox_.takes_data());
}

void JournalLoop::tell(const std::string& problem) {
  if (problem_ != problem) log::warning(log::printable(problem));
  problem_ = problem;
  const auto now = clock_.steady_now();
  if (told_ || (told_at_ && now - *told_at_ < kTellEvery)) return;
  told_ = true;
  told_at_ = now;
  outbox_.add_event(
      unreadable_logs(clock_.unix_ms(), wire::Severity::kError,
                      "the journal is not collected: " + problem + "; it is tried again",
                      {{"source", kJournalSource}}));
  ignore(outbox_.flush(), "it waits for the next flush");
}

}  // namespace observeai::agent
