#include "agent/app/logs_loop.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "protocol/base/log.h"

namespace observeai::agent {

LogCollectorOptions log_options(const AgentConfig& config) {
  LogCollectorOptions options;
  options.join_traces = config.logs_join_traces;
  options.files.plain = config.logs_files;
  options.files.exclude = config.logs_exclude;
  options.files.read_existing = config.logs_read_existing;
  options.files.cri = config.logs_pods;
  return options;
}

LogsLoop::LogsLoop(Loop& loop, AsyncClock& clock, LogCollector& collector, Outbox& outbox,
                   std::chrono::milliseconds flush, const Shedding& shedding, Admits admits)
    : clock_(clock),
      collector_(collector),
      outbox_(outbox),
      flush_(flush),
      shedding_(shedding),
      admits_(std::move(admits)),
      committer_(outbox, shedding),
      wake_(loop),
      inotify_(loop.context()) {
  if (collector.wake_fd() < 0) return;
  // A descriptor of its own: the collector closes the one it gave out.
  const int own = ::fcntl(collector.wake_fd(), F_DUPFD_CLOEXEC, 0);
  boost::system::error_code failed;
  if (own >= 0) inotify_.assign(own, failed);
  if (own >= 0 && !failed) return;
  const std::string why = own < 0 ? std::strerror(errno) : failed.message();
  if (own >= 0) ::close(own);
  log::warning("logs: new lines are found by polling only: " + why);
}

void LogsLoop::set_containers(const std::vector<ObservedContainer>& containers) {
  collector_.set_containers(containers);
  wake_.notify();
}

boost::asio::awaitable<void> LogsLoop::watch() {
  if (!inotify_.is_open()) co_return;
  for (;;) {
    const auto [error] =
        co_await inotify_.async_wait(boost::asio::posix::stream_descriptor::wait_read, nothrow);
    if (error) co_return;
    collector_.on_wake();
    wake_.notify();
    // What follows within a moment is taken in one commit; the notification is kept meanwhile.
    co_await clock_.sleep_for(flush_);
  }
}

boost::asio::awaitable<void> LogsLoop::run() {
  for (;;) {
    const auto now = clock_.steady_now();
    const bool quiet = inotify_.is_open() && now - last_news_ >= kQuietAfter;
    const bool woken =
        co_await wake_.wait_until(clock_, now + (quiet ? kQuietPollEvery : kPollEvery));
    if (woken) {
      last_news_ = clock_.steady_now();
      co_await clock_.sleep_for(flush_);
    }
    bool taken = read_once();
    while (taken && collector_.more()) {
      // Others on the loop get their turn between two commits.
      co_await boost::asio::post(boost::asio::use_awaitable);
      taken = read_once();
    }
    if (!taken) co_await clock_.sleep_for(kFullPause);
  }
}

boost::asio::awaitable<void> LogsLoop::keep_limits() {
  for (;;) {
    co_await clock_.sleep_for(kLimitsEvery);
    if (!shedding_.logs) collector_.enforce_limits();
  }
}

// False: the spool did not take it; the same lines come again.
bool LogsLoop::read_once() {
  if (!shedding_.logs || !outbox_.takes_data()) return false;
  LogRead read = collector_.read(kReadBytes);
  if (read.empty()) {
    collector_.committed();
    ++rounds_;
    return true;
  }
  if (admits_ && !admits_(read)) return false;
  const bool committed = committer_.commit(read);
  collector_.reuse(std::move(read.records));
  if (!committed) {
    collector_.rollback();
    return false;
  }
  collector_.committed();
  ++rounds_;
  return true;
}

}  // namespace observeai::agent
