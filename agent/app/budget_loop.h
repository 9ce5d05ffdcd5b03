// Keeps the agent within its budget and notices when it stands still: measures what the program costs,
// climbs the ladder, tells of hung resources and stalls, and ends the program when only a restart helps.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "agent/app/outbox.h"
#include "agent/budget/degrade_ladder.h"
#include "agent/budget/own_usage.h"
#include "agent/budget/restart_history.h"
#include "agent/budget/stall_detector.h"
#include "agent/runtime/async_clock.h"
#include "agent/runtime/loop_watchdog.h"
#include "agent/runtime/service_manager.h"

namespace observeai::agent {

// What the rest of the agent answers when it is asked.
struct BudgetSources {
  std::function<Result<OwnUsage>(SteadyTime now)> usage;
  // What could stand still, see StallDetector.
  std::function<std::vector<StallDetector::Progress>()> progress;
  // Names of resources whose call hangs: a mount, /proc, systemd.
  std::function<std::vector<std::string>()> stuck;
  std::function<void()> collect;             // Safe mode is over: start what it left out
  std::function<void(std::string)> restart;  // End the program, to be started again
  std::function<void()> changed;             // The step: tell the control plane soon
};

// Loop thread only. Everything given must outlive it.
class BudgetLoop {
 public:
  static constexpr std::chrono::seconds kTick{1};
  static constexpr int kTicksPerMeasurement = 2;
  static constexpr int kTicksPerTrim = 30;
  static constexpr int kTicksPerCodeTrim = 600;  // The first time after half a minute

  // `restarts_path` names the file of RestartHistory. `shedding` is written here and read by all
  // collectors.
  BudgetLoop(AsyncClock& clock, Outbox& outbox, Shedding& shedding, BudgetLimits limits,
             std::string restarts_path, BudgetSources sources);

  // Once, before collectors start: reads the history, tells of a restart by ourselves, and decides on
  // safe mode. `told_ms`: up to which restart that was told before; the newest one is returned.
  std::int64_t begin(std::int64_t told_ms);
  bool safe_mode() const { return shedding_.step == DegradeStep::kSafeMode; }

  // Until a restart; spawn it once. `watchdog` is told that the loop turns.
  boost::asio::awaitable<void> run(LoopWatchdog& watchdog, ServiceManager manager);

  // For hello.
  std::size_t stalled_parts() const { return stalls_.stalled(); }
  std::size_t stuck_resources() const { return stuck_.size(); }
  std::size_t restarts_last_hour() const { return restarts_.in_last_hour(clock_.unix_ms()); }

 private:
  void bring_back_restarts();
  void measure();
  void step_to(DegradeStep step, const std::string& reason);
  void look_for_stalls();
  void look_for_stuck();
  void leave_safe_mode();
  void restart(const std::string& reason);
  void tell(const char* kind, wire::Severity severity, std::string message, wire::Labels more = {});

  AsyncClock& clock_;
  Outbox& outbox_;
  Shedding& shedding_;
  const std::string restarts_path_;
  const BudgetSources sources_;
  DegradeLadder ladder_;
  std::string reason_;  // Of its newest step
  StallDetector stalls_;
  RestartHistory restarts_;
  std::set<std::string> stuck_;  // Told
  bool ending_ = false;          // The restart is on its way
  std::string problem_;          // Of storing the history, the last one told
};

// For LoopWatchdog, on its thread: remembers the reason for the next start and ends the process with
// exit code 75. Does nothing when that cannot be remembered, for then nothing would bound restarts.
void end_blocked_process(const std::string& restarts_path, std::chrono::seconds silent);

}  // namespace observeai::agent
