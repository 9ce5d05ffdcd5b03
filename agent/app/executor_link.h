// Between the control plane and this host's executor: carries signed commands, root metadata and time
// to it, and
// signed results from it to the spool. It can withhold, never change: nothing is verified or believed here.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/app/executor_client.h"
#include "agent/app/outbox.h"
#include "agent/executor/frames.h"
#include "agent/runtime/co.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/messages.h"

namespace observeai::agent {

struct ExecutorLinkCounters {
  std::uint64_t commands = 0;    // Given to the executor
  std::uint64_t repeated = 0;    // Under way already
  std::uint64_t refused = 0;     // More than kMaxUnderWay: the control plane sends them again
  std::uint64_t unanswered = 0;  // The executor was not there, or ended meanwhile
  std::uint64_t results = 0;
};

// Loop thread only. Everything given must outlive it.
class ExecutorLink {
 public:
  // The executor may end when idle: it is not asked more often than this without a reason.
  static constexpr std::chrono::minutes kAskEvery{5};
  // One that is not there may be starting.
  static constexpr std::chrono::seconds kRetryEvery{5};
  static constexpr std::size_t kMaxUnderWay = 16;
  static constexpr std::chrono::seconds kPatience{5};
  // Above the longest that an action may take, twice: with its undoing.
  static constexpr std::chrono::seconds kCommandPatience{2 * wire::kMaxTimeoutMs / 1000 + 60};

  // `changed`: the next hello should tell what report() says now.
  ExecutorLink(Loop& loop, AsyncClock& clock, Outbox& outbox, std::string socket,
               std::function<void()> changed);

  // For ever; spawn it once.
  boost::asio::awaitable<void> run();

  void take_command(std::string envelope);
  void take_meta(const wire::Meta& meta);
  // The spool has results: the executor may forget them.
  void ask_soon() { wake_.notify(); }

  // Of the last answer; `state` says why there was none. The audit head in it is not known here.
  const wire::ExecutorReport& report() const { return report_; }
  const ExecutorLinkCounters& counters() const { return counters_; }

 private:
  boost::asio::awaitable<void> carry(std::string envelope);
  boost::asio::awaitable<void> give(executor::FrameKind kind, std::string body);
  boost::asio::awaitable<void> refresh();
  boost::asio::awaitable<void> collect_results();
  boost::asio::awaitable<void> tell_spooled();
  void start(std::string envelope);
  void take_result(std::string envelope);
  void take_status(const Result<std::string>& body);

  Loop& loop_;
  AsyncClock& clock_;
  Outbox& outbox_;
  ExecutorClient client_;
  const std::function<void()> changed_;
  Notifier wake_;
  std::set<wire::Digest> under_way_;  // Of envelopes
  std::size_t giving_ = 0;            // Roots and times that the executor has not answered yet
  std::vector<std::string> waiting_;  // Commands that came after them
  std::set<wire::Digest> given_;      // Results in the outbox, not told as spooled
  bool answers_ = false;
  wire::ExecutorReport report_;
  ExecutorLinkCounters counters_;
};

}  // namespace observeai::agent
