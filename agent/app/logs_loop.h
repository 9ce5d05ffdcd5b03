// Container logs into the spool: woken by inotify, gathered for a moment, committed with their
// offsets.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "agent/app/log_committer.h"
#include "agent/budget/shedding.h"
#include "agent/config/agent_config.h"
#include "agent/logs/log_collector.h"
#include "agent/runtime/co.h"

namespace observeai::agent {

// What of the configuration concerns logs.
LogCollectorOptions log_options(const AgentConfig& config);

// Loop thread only. Everything given must outlive it.
class LogsLoop {
 public:
  // May a read be committed? If not it was rolled back already; the same lines come again.
  using Admits = std::function<bool(const LogRead&)>;

  LogsLoop(Loop& loop, AsyncClock& clock, LogCollector& collector, Outbox& outbox,
           std::chrono::milliseconds flush, const Shedding& shedding, Admits admits = nullptr);

  // For ever, or, watch(), until there is nothing to watch; spawn both once.
  boost::asio::awaitable<void> run();
  boost::asio::awaitable<void> watch();
  // For ever, in safe mode as well: while logs are not read, what deleted files hold of the disk stays
  // within the collector's limits.
  boost::asio::awaitable<void> keep_limits();

  // Reads that ended well, with or without lines.
  std::uint64_t rounds() const { return rounds_; }

  void set_containers(const std::vector<ObservedContainer>& containers);

 private:
  // One commit: few fsyncs for much text, and below a message's limit once packed; what hardly
  // compresses is split.
  static constexpr std::size_t kReadBytes = 1U << 20;
  static constexpr std::chrono::milliseconds kPollEvery{250};  // For file systems without inotify
  // While inotify works and has told nothing for long: a look at a hundred quiet files four times a
  // second is a third of what an idle agent costs. What polling alone finds then waits so long.
  static constexpr std::chrono::milliseconds kQuietPollEvery{2'000};
  static constexpr std::chrono::seconds kQuietAfter{5};
  static constexpr std::chrono::milliseconds kFullPause{1'000};  // While the spool is full
  static constexpr std::chrono::milliseconds kLimitsEvery{1'000};

  bool read_once();

  AsyncClock& clock_;
  LogCollector& collector_;
  Outbox& outbox_;
  const std::chrono::milliseconds flush_;
  const Shedding& shedding_;
  const Admits admits_;
  LogCommitter committer_;
  SteadyTime last_news_{};
  std::uint64_t rounds_ = 0;
  Notifier wake_;
  boost::asio::posix::stream_descriptor inotify_;
};

}  // namespace observeai::agent
