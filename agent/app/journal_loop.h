// The systemd journal into the spool: woken by its descriptor, read on a worker, committed with its
// place.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "agent/app/outbox.h"
#include "agent/budget/log_sampler.h"
#include "agent/budget/shedding.h"
#include "agent/config/agent_config.h"
#include "agent/journal/journal_source.h"
#include "agent/runtime/blocking_pool.h"

namespace observeai::agent {

// What the configuration asks for, and who this process is.
JournalOptions journal_options(const AgentConfig& config);

// Loop thread only. Everything given must outlive it, but the reader, which a call that hangs keeps.
class JournalLoop {
 public:
  JournalLoop(Loop& loop, AsyncClock& clock, BlockingPool& pool, Outbox& outbox,
              JournalSource& source, std::shared_ptr<JournalReader> reader,
              std::chrono::milliseconds flush, const Shedding& shedding);

  // For ever; spawn it once.
  boost::asio::awaitable<void> run();

  // Reads that ended well, with or without entries.
  std::uint64_t rounds() const { return rounds_; }
  // Why the last one did not; empty when it did. Told as well: as an event, once until one ends well.
  const std::string& problem() const { return problem_; }

 private:
  // Descriptors are not reliable everywhere (network file systems), and journald itself tells of new
  // entries up to 250 ms late.
  static constexpr std::chrono::seconds kPollEvery{5};
  static constexpr std::chrono::seconds kReadDeadline{10};
  static constexpr std::chrono::seconds kFullPause{1};
  static constexpr std::chrono::seconds kRetryPause{1};
  // While nothing can be read, files that journald deletes are held open this long.
  static constexpr std::chrono::seconds kCloseAfter{60};
  // At most one event so often, when reads fail and succeed in turn.
  static constexpr std::chrono::seconds kTellEvery{60};

  enum class Outcome { kDone, kMore, kSpoolFull, kFailed };

  boost::asio::awaitable<bool> wait_for_news();
  boost::asio::awaitable<Outcome> read_some();
  boost::asio::awaitable<Result<JournalRead>> read();
  boost::asio::awaitable<void> close_reader();
  boost::asio::awaitable<void> wait_for_room();
  Outcome commit(const JournalRead& read);
  void watch_descriptor();
  void tell(const std::string& problem);

  AsyncClock& clock_;
  BlockingPool& pool_;
  Outbox& outbox_;
  JournalSource& source_;
  const std::shared_ptr<JournalReader> reader_;
  const std::chrono::milliseconds flush_;
  const Shedding& shedding_;
  LogSampler sampler_;
  boost::asio::posix::stream_descriptor news_;
  std::uint64_t watched_ = 0;  // Which opening of the journal news_ belongs to
  std::uint64_t rounds_ = 0;
  std::string problem_;  // In the agent's own log
  bool told_ = false;    // As an event
  std::optional<SteadyTime> told_at_;
  std::optional<SteadyTime> full_since_;
};

}  // namespace observeai::agent
