#include "agent/budget/degrade_ladder.h"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace observeai::agent {

namespace {

constexpr double kMib = 1 << 20;

// How far up a lack of each resource may lead, and how long it may last before the next step. A
// restart gives memory and descriptors back, but no processor time. Log files are a better place than
// a full spool, so no line is left out for its sake (reading pauses by itself when it is full). A
// backlog may take the processor for a while.
struct Reach {
  const char* resource;
  DegradeStep last;
  std::chrono::seconds patience;
};
constexpr auto kPatience = DegradeLadder::kPatience;
constexpr Reach kCpu{"processor", DegradeStep::kPauseLogs, DegradeLadder::kCpuPatience};
constexpr Reach kMemory{"memory", DegradeStep::kRestart, kPatience};
constexpr Reach kSpool{"spool", DegradeStep::kNoProcessDetail, kPatience};
constexpr Reach kOpenFiles{"open files", DegradeStep::kRestart, kPatience};

DegradeStep next(DegradeStep step, int by) {
  return static_cast<DegradeStep>(static_cast<int>(step) + by);
}

std::string told(const Reach& reach, double used, double limit, const char* unit) {
  char text[96];
  std::snprintf(text, sizeof text, "%s: %.0f of %.0f%s", reach.resource, used, limit, unit);
  return text;
}

}  // namespace

DegradeLadder::Pressure DegradeLadder::pressure(const OwnUsage& usage) const {
  Pressure highest;
  const auto consider = [&](const Reach& reach, double used, double limit, double scale,
                            const char* unit) {
    if (limit <= 0 || !(used > 0)) return;
    // What has done all it may for this resource keeps the step, but climbs no further for it.
    const double share = step_ >= reach.last ? std::min(used / limit, 0.99) : used / limit;
    const bool urgent = share >= kUrgent && reach.patience == kPatience;
    const auto patience = urgent ? kUrgentPatience : reach.patience;
    if (share >= 1) highest.patience = std::min(highest.patience, patience);
    if (share <= highest.share) return;
    highest.share = share;
    highest.what = told(reach, used / scale, limit / scale, unit);
  };
  consider(kCpu, usage.cpu_percent, limits_.cpu_percent, 1, " % of a core");
  consider(kMemory, static_cast<double>(usage.memory_bytes),
           static_cast<double>(limits_.memory_bytes), kMib, " MiB");
  consider(kSpool, static_cast<double>(usage.spool_bytes), static_cast<double>(limits_.spool_bytes),
           kMib, " MiB");
  consider(kOpenFiles, static_cast<double>(usage.open_files),
           static_cast<double>(limits_.open_files), 1, "");
  return highest;
}

std::optional<DegradeLadder::Change> DegradeLadder::measure(const OwnUsage& usage, SteadyTime now) {
  const Pressure found = pressure(usage);
  const auto change = [&](DegradeStep to, std::string reason) {
    const Change out{step_, to, std::move(reason)};
    step_ = to;
    over_since_.reset();
    calm_since_.reset();
    return out;
  };
  if (found.share >= 1) {
    calm_since_.reset();
    if (!over_since_) over_since_ = now;
    if (now - *over_since_ < found.patience || step_ >= DegradeStep::kRestart) return std::nullopt;
    return change(next(step_, 1), found.what);
  }
  over_since_.reset();
  if (found.share > kRecovered || step_ == DegradeStep::kNone) {
    calm_since_.reset();
    return std::nullopt;
  }
  if (!calm_since_) calm_since_ = now;
  if (now - *calm_since_ < kRelief) return std::nullopt;
  return change(next(step_, -1), "");
}

}  // namespace observeai::agent
