// What hosts have that can be exhausted, now and before: the store's samples through predict::readings().
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "controlplane/model/repositories.h"
#include "controlplane/predict/resources.h"

namespace observeai::controlplane::outlook {

inline constexpr std::int64_t kMostAheadMs = 86'400'000;

class ResourceReader {
 public:
  // Called for each time at which something was measured, ascending, with what was known then.
  using Visit = std::function<void(std::int64_t ts_ms, std::span<const predict::Reading> readings)>;

  // Beside what predict::readings() tells, services that log: of kErrors `used` is the error lines so far,
  // `limit` the others so far; only their growth means something.
  explicit ResourceReader(model::TelemetryReader& telemetry) : telemetry_(telemetry) {}

  // From memory; no chunk is decoded. Without what is dated before 1970 or more than kMostAheadMs after
  // `now_ms`: a clock that was wrong once must not hide what comes when it is right.
  Result<std::vector<predict::Reading>> newest(const AgentId& agent, std::int64_t now_ms);

  // From stored samples, of these targets of a host (empty: of all). `step_ms` = 0: every sample, else the
  // last of each step. Decodes every chunk of the range: for gaps, not for each look. Answers how much of
  // the range was passed over, for it held more samples than an answer may have: 0 ms nearly always.
  Result<std::int64_t> past(const AgentId& agent, std::span<const wire::Target> targets,
                            const model::TimeRange& range, std::int64_t step_ms,
                            const Visit& visit);

 private:
  // At once in memory: 10 minutes of a host with thousands of series are hundreds of thousands of points.
  static constexpr std::int64_t kWindowMs = 10 * 60'000;
  static constexpr std::int64_t kLeastWindowMs = 10'000;

  struct Known;
  Result<void> read_window(const AgentId& agent, std::span<const wire::Target> targets,
                           const model::TimeRange& range, std::int64_t step_ms, Known& known,
                           const Visit& visit);

  model::TelemetryReader& telemetry_;
};

}  // namespace observeai::controlplane::outlook
