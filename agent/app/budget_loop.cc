#include "agent/app/budget_loop.h"

#include <unistd.h>

#include "agent/runtime/process_limits.h"
#include "protocol/base/log.h"

namespace observeai::agent {

namespace {

constexpr int kStartAgain = 75;  // EX_TEMPFAIL: as for a bug that was noticed

std::string since(std::chrono::seconds lasted) {
  return std::to_string(lasted.count()) + " s";
}

}  // namespace

BudgetLoop::BudgetLoop(AsyncClock& clock, Outbox& outbox, Shedding& shedding, BudgetLimits limits,
                       std::string restarts_path, BudgetSources sources)
    : clock_(clock),
      outbox_(outbox),
      shedding_(shedding),
      restarts_path_(std::move(restarts_path)),
      sources_(std::move(sources)),
      ladder_(limits) {}

std::int64_t BudgetLoop::begin(std::int64_t told_ms) {
  auto loaded = load_restarts(restarts_path_);
  if (loaded) {
    restarts_ = std::move(*loaded);
  } else {
    log::warning("restarts of the last hour are not known: " + loaded.error().message());
  }
  if (restarts_.all().empty()) return told_ms;
  const bool is_new = restarts_.all().back().at_ms != told_ms;
  bring_back_restarts();
  const Restart& newest = restarts_.all().back();
  if (is_new) {
    tell("agent.restarted", wire::Severity::kError,
         "the agent ended itself to be started again: " + newest.reason,
         {{"reason", newest.reason}});
  }
  if (!restarts_.may_restart(clock_.unix_ms())) {
    step_to(DegradeStep::kSafeMode, std::to_string(restarts_last_hour()) +
                                        " restarts within an hour, the last one: " + newest.reason);
  }
  return newest.at_ms;
}

// Stored at once, or the next start would move them to its own now, again and again.
void BudgetLoop::bring_back_restarts() {
  if (!restarts_.bring_back(clock_.unix_ms())) return;
  log::warning("restarts were dated in the future, the clock was ahead: they count as of now");
  const auto stored = store_restarts(restarts_path_, restarts_);
  if (!stored) log::warning("restarts keep their time in the future: " + stored.error().message());
}

boost::asio::awaitable<void> BudgetLoop::run(LoopWatchdog& watchdog, ServiceManager manager) {
  const auto alive_every = manager.alive_every();
  SteadyTime next_alive = clock_.steady_now();
  for (std::uint64_t tick = 0;; ++tick) {
    if (const auto stalled = watchdog.turned()) {
      tell("agent.stalled", wire::Severity::kError,
           "the agent's loop was blocked for " + since(*stalled),
           {{"part", "loop"}, {"seconds", std::to_string(stalled->count())}});
    }
    if (alive_every && clock_.steady_now() >= next_alive) {
      next_alive = clock_.steady_now() + *alive_every;
      manager.alive();
    }
    if (safe_mode()) {
      leave_safe_mode();
    } else {
      if (tick % kTicksPerMeasurement == 0) measure();
      look_for_stalls();
    }
    look_for_stuck();
    if (ending_) co_return;
    if (tick % kTicksPerTrim == 0) give_back_free_memory();
    if (tick % kTicksPerCodeTrim == kTicksPerTrim) give_back_unused_code();
    co_await clock_.sleep_for(kTick);
  }
}

void BudgetLoop::measure() {
  const auto usage = sources_.usage(clock_.steady_now());
  if (!usage) return;  // Without /proc there is nothing to go by.
  const auto change = ladder_.measure(*usage, clock_.steady_now());
  if (change) reason_ = change->reason;
  if (ladder_.step() == DegradeStep::kRestart) {
    restart(reason_);
  } else if (change) {
    step_to(change->to, change->reason);
  }
}

void BudgetLoop::step_to(DegradeStep step, const std::string& reason) {
  const bool worse = step > shedding_.step;
  shedding_ = shedding_at(step);
  const std::string name(to_string(step));
  std::string message =
      std::string(worse ? "saves: " : "saves less: ") + std::string(description(step));
  if (!reason.empty()) message += " (" + reason + ")";
  wire::Labels more;  // Sorted by name
  if (!reason.empty()) more.push_back({"reason", reason});
  more.push_back({"step", name});
  tell(worse ? "agent.degraded" : "agent.recovered",
       worse ? wire::Severity::kWarning : wire::Severity::kInfo, std::move(message),
       std::move(more));
  sources_.changed();
}

void BudgetLoop::look_for_stalls() {
  const auto now = clock_.steady_now();
  for (const auto& change : stalls_.look(sources_.progress(), now)) {
    const std::string what =
        change.part + (change.detail.empty() ? "" : " (" + change.detail + ")");
    tell(change.stalled ? "agent.stalled" : "agent.resumed",
         change.stalled ? wire::Severity::kError : wire::Severity::kInfo,
         change.stalled ? "stands still for " + since(change.lasted) + ": " + what
                        : "goes on after " + since(change.lasted) + ": " + what,
         {{"part", change.part}, {"seconds", std::to_string(change.lasted.count())}});
    sources_.changed();
  }
  if (const std::string part = stalls_.hopeless(now); !part.empty() && !ending_) {
    restart(part + " stands still for " + since(StallDetector::kHopelessAfter));
  }
}

void BudgetLoop::look_for_stuck() {
  const auto names = sources_.stuck();
  const std::set<std::string> now(names.begin(), names.end());
  for (const auto& name : now) {
    if (stuck_.contains(name)) continue;
    tell("agent.resource_stuck", wire::Severity::kWarning,
         name + " does not answer; it is left alone until it does", {{"resource", name}});
  }
  for (const auto& name : stuck_) {
    if (now.contains(name)) continue;
    tell("agent.resource_returned", wire::Severity::kInfo, name + " answers again",
         {{"resource", name}});
  }
  stuck_ = now;
}

void BudgetLoop::leave_safe_mode() {
  bring_back_restarts();  // The clock may be set right meanwhile
  if (!restarts_.may_restart(clock_.unix_ms())) return;
  step_to(DegradeStep::kNone, "");
  sources_.collect();
}

// Unless that cannot be remembered: nothing would bound the number of restarts then.
void BudgetLoop::restart(const std::string& reason) {
  auto history = restarts_;
  history.add({clock_.unix_ms(), reason});
  const auto stored = store_restarts(restarts_path_, history);
  if (!stored) {
    if (problem_ != stored.error().message()) {
      problem_ = stored.error().message();
      log::error("no restart, though needed (" + reason + "): " + problem_);
    }
    return;
  }
  restarts_ = std::move(history);
  ending_ = true;
  sources_.restart(reason);
}

void BudgetLoop::tell(const char* kind, wire::Severity severity, std::string message,
                      wire::Labels more) {
  const std::string text = log::printable(message);
  severity >= wire::Severity::kWarning ? log::warning("agent: " + text)
                                       : log::info("agent: " + text);
  wire::Event event;
  event.ts_ms = clock_.unix_ms();
  event.kind = kind;
  event.target = wire::kHostTarget;
  event.severity = severity;
  event.message = std::move(message);
  event.attributes = std::move(more);
  outbox_.add_event(std::move(event));
  ignore(outbox_.flush(), "it waits for the next flush");
}

void end_blocked_process(const std::string& restarts_path, std::chrono::seconds silent) {
  const std::string reason = "the loop was blocked for " + since(silent);
  const auto remember = [&]() -> Result<void> {
    TRY(auto history, load_restarts(restarts_path));
    history.add({SystemClock().unix_ms(), reason});
    return store_restarts(restarts_path, history);
  };
  const auto stored = remember();
  if (!stored) {
    log::error("no restart, though " + reason + ": " + stored.error().message());
    return;
  }
  log::error("ending to be started again: " + reason);
  ::_exit(kStartAgain);
}

}  // namespace observeai::agent
