#include "agent/budget/shedding.h"

#include <iterator>

namespace observeai::agent {

namespace {

struct Row {
  std::string_view name;
  std::string_view description;
};

// In the order of DegradeStep.
constexpr Row kRows[] = {
    {"none", "everything is collected"},
    {"slow_metrics", "metrics every 30 s, processes and ports every 15 s"},
    {"slowest_metrics", "metrics, processes and ports every 60 s"},
    {"no_process_detail", "no metrics of process groups"},
    {"sample_logs", "of debug and info log lines only one in ten; the others are counted"},
    {"pause_logs", "logs wait in their files"},
    {"restart", "the agent ends and is started again"},
    {"safe_mode", "after too many restarts only heartbeat and events"},
};
static_assert(std::size(kRows) == static_cast<std::size_t>(kLastStep) + 1);

}  // namespace

Shedding shedding_at(DegradeStep step) {
  using std::chrono::seconds;
  Shedding out;
  out.step = step;
  if (step >= DegradeStep::kSlowMetrics) {
    out.least_metrics_interval = seconds(30);
    out.least_scan_interval = seconds(15);
  }
  if (step >= DegradeStep::kSlowestMetrics) {
    out.least_metrics_interval = out.least_scan_interval = seconds(60);
  }
  out.process_detail = step < DegradeStep::kNoProcessDetail;
  out.keep_one_log_in = step < DegradeStep::kSampleLogs ? 1 : 10;
  out.logs = step < DegradeStep::kPauseLogs;
  out.metrics = out.scans = step < DegradeStep::kSafeMode;
  return out;
}

std::string_view to_string(DegradeStep step) {
  return kRows[static_cast<std::size_t>(step)].name;
}

std::string_view description(DegradeStep step) {
  return kRows[static_cast<std::size_t>(step)].description;
}

}  // namespace observeai::agent
