#include "controlplane/plan/alternatives.h"

#include <algorithm>
#include <iterator>

namespace observeai::controlplane::plan {
namespace {

using T = model::TargetState;

struct Passed {
  const char* action;
  const char* instead;
  const char* why_not;
};

// Of one action the nearest first. docker.start, systemd.reset_failed, docker.update_memory and
// disk.vacuum_journal are the least that changes anything of their kind.
constexpr Passed kPassed[] = {
    {"docker.restart", "docker.update_memory", "helps only where the memory limit is too low"},
    {"docker.stop", "docker.restart", "it would run again; a stop is for what must not run"},
    {"docker.rollback_image", "docker.restart", "starts the same image again"},
    {"docker.rollback_image", "docker.update_memory", "the same image, with more memory"},
    {"docker.prune", "disk.vacuum_journal", "frees what archived journals take, no more"},
    {"systemd.restart", "systemd.reset_failed", "forgets a failure and starts nothing"},
    {"process.terminate", "systemd.restart",
     "where a unit holds the process: in order, and watched until it is back"},
    {"process.terminate", "docker.restart",
     "where a container holds the process: in order, and watched until it is back"},
    {"disk.vacuum_files", "disk.vacuum_journal", "frees what archived journals take, no more"},
};

std::string past_of(const char* action, const std::vector<model::PlanTargetRecord>& targets,
                    const std::vector<model::Attempt>& attempts) {
  std::size_t tried = 0;
  std::size_t worked = 0;
  for (const auto& one : attempts) {
    const bool is_same = std::any_of(targets.begin(), targets.end(), [&](const auto& target) {
      return target.agent == one.agent && target.target == one.target;
    });
    if (!is_same || one.action != action || one.state == T::kRefused) continue;
    ++tried;
    if (one.state == T::kSucceeded) ++worked;
  }
  if (tried == 0) return "";
  return "; tried here in the last day: " + std::to_string(worked) + " of " +
         std::to_string(tried) + " worked";
}

}  // namespace

std::vector<model::Alternative> alternatives(const model::PlanRecord& plan,
                                             const std::vector<model::PlanTargetRecord>& targets,
                                             const std::vector<model::Attempt>& attempts) {
  std::vector<model::Alternative> out;
  if (plan.tier == 0) return out;
  for (const auto& one : kPassed) {
    if (plan.action != one.action) continue;
    out.push_back({one.instead, one.why_not + past_of(one.instead, targets, attempts)});
  }
  out.push_back({"collect.diagnostics", "only reads: it finds causes and mends nothing"});
  return out;
}

std::string undo_of(const std::string& action) {
  if (action == "docker.start") return "stops it again";
  if (action == "docker.stop") return "starts it again and waits until it is well";
  if (action == "docker.update_memory") return "sets the limit from before";
  if (action == "docker.rollback_image")
    return "brings the container back with the image from before";
  return "";
}

}  // namespace observeai::controlplane::plan
