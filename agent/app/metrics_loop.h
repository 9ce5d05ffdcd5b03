// A scrape every few seconds, on a worker so that a dead mount or a slow file never stops the loop.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/app/outbox.h"
#include "agent/budget/shedding.h"
#include "agent/discovery/proc_scanner.h"
#include "agent/metrics/metrics_engine.h"
#include "agent/runtime/blocking_pool.h"

namespace observeai::agent {

// What a scrape is taken of, copied for the worker.
struct ScrapeSubjects {
  std::vector<ObservedContainer> containers;
  std::vector<ProcessUsage> processes;
  std::vector<SelfValue> self;
  std::vector<LogLines> log_lines;
};

std::vector<ProcessUsage> process_usage(const std::vector<GroupUsage>& groups);

// Loop thread only. Everything given must outlive it.
class MetricsLoop {
 public:
  MetricsLoop(AsyncClock& clock, BlockingPool& pool, Outbox& outbox, Spool& spool,
              std::shared_ptr<MetricsEngine> engine, std::chrono::milliseconds interval,
              std::function<ScrapeSubjects()> subjects, const Shedding& shedding);

  // For ever; spawn it once.
  boost::asio::awaitable<void> run();

  std::uint64_t missed() const { return missed_; }  // Scrapes that did not end in time
  std::uint64_t finished() const { return finished_; }
  std::uint64_t samples_left_out() const { return samples_left_out_; }  // Of the newest scrape
  bool is_late() const;  // The next scrape should have ended long ago

 private:
  static constexpr std::chrono::milliseconds kPatience{8'000};

  std::chrono::milliseconds interval() const {
    return std::max(interval_, shedding_.least_metrics_interval);
  }

  boost::asio::awaitable<void> scrape();
  void report_problems(const std::vector<CollectorReport>& reports);
  void commit(ScrapeResult result);

  AsyncClock& clock_;
  BlockingPool& pool_;
  Outbox& outbox_;
  Spool& spool_;
  const std::shared_ptr<MetricsEngine> engine_;  // Shared with a scrape that may hang
  const std::chrono::milliseconds interval_;
  const std::function<ScrapeSubjects()> subjects_;
  const Shedding& shedding_;
  SteadyTime due_{};  // When the next scrape begins
  std::uint64_t missed_ = 0;
  std::uint64_t finished_ = 0;
  std::uint64_t samples_left_out_ = 0;
  bool told_ = false;
  std::vector<std::uint32_t> to_forget_;  // The spool could not yet; a restart finds them by age
  std::map<std::string, std::string> problems_;  // By collector, the last one told
};

}  // namespace observeai::agent
