#include "controlplane/plan/way_back.h"

#include "protocol/base/text.h"

namespace observeai::controlplane::plan {
namespace {

using T = model::TargetState;

constexpr const char* kNoLimit = "0 bytes";

// Done as approved, and not well: by the host's own check or by what was seen later. A host that failed on
// the way has put it right or says that it could not; one that was interrupted does so when it starts again.
bool is_done_and_not_well(const model::TargetView& target) {
  constexpr const char* kPostCondition = "post_condition";
  if (!target.result || target.result->started_ms == 0) return false;
  if (target.record.state != T::kFailed && target.record.state != T::kInconclusive) return false;
  const auto outcome = target.result->outcome;
  return outcome == wire::ResultOutcome::kSucceeded ||
         (outcome == wire::ResultOutcome::kFailed && target.result->reason == kPostCondition);
}

// The value from before, of the approved difference. "" = it says none.
std::string before(const model::TargetView& target, std::string_view what) {
  if (!target.dry_run) return "";
  for (const auto& change : target.dry_run->diff) {
    if (change.what.starts_with(what)) return change.before;
  }
  return "";
}

struct Opposite {
  const char* action;
  const char* opposite;
  const char* changed;    // What the difference calls it; "": nothing has to be known
  const char* parameter;  // That is given the value from before
};
constexpr Opposite kOpposites[] = {
    {"docker.start", "docker.stop", "", ""},
    {"docker.stop", "docker.start", "", ""},
    {"docker.update_memory", "docker.update_memory", "memory limit of ", "memory_bytes"},
    {"docker.rollback_image", "docker.rollback_image", "Image of ", "image"},
};

}  // namespace

std::optional<model::WayBack> way_back(const model::PlanRecord& plan,
                                       const model::TargetView& target) {
  const auto container = plan.parameters.find("container");
  if (!is_done_and_not_well(target) || container == plan.parameters.end()) return std::nullopt;
  const auto* name = std::get_if<std::string>(&container->second);
  for (const auto& one : kOpposites) {
    if (plan.action != one.action || name == nullptr) continue;
    model::WayBack out{target.record.agent, one.opposite, {{"container", *name}}};
    if (*one.parameter == '\0') return out;
    const auto value = before(target, one.changed);
    // Nothing to go back to; or no limit, which cannot be asked for.
    if (value.empty() || value == kNoLimit) return std::nullopt;
    out.parameters.emplace(one.parameter, value.substr(0, value.find(' ')));
    return out;
  }
  return std::nullopt;
}

}  // namespace observeai::controlplane::plan
