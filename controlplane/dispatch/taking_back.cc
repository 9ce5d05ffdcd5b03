#include "controlplane/dispatch/taking_back.h"

#include <algorithm>

#include "controlplane/dispatch/results.h"
#include "controlplane/plan/way_back.h"
#include "protocol/actions/catalogue.h"

namespace observeai::controlplane::dispatch {

Result<bool> takes_back(World& world, const model::PlanRecord& plan,
                        const model::Attempt& earlier) {
  TRY(const auto before, world.plans.find(earlier.plan));
  if (!before || before->tenant != plan.tenant) return false;
  TRY(const auto targets, world.plans.targets(before->id));
  const auto found = std::find_if(targets.begin(), targets.end(),
                                  [&](const auto& one) { return one.agent == earlier.agent; });
  if (found == targets.end()) return false;
  TRY(const auto commands, world.commands.of_plan(before->id));
  model::TargetView view;
  view.record = *found;
  if (const auto* asked = newest_command(commands, earlier.agent, wire::CommandMode::kDryRun)) {
    TRY(view.dry_run, valid_result(world, asked->id));
  }
  if (const auto* asked = newest_command(commands, earlier.agent, wire::CommandMode::kExecute)) {
    TRY(view.result, valid_result(world, asked->id));
  }
  const auto way = plan::way_back(*before, view);
  if (!way || way->action != plan.action) return false;
  std::map<std::string, std::string> wanted;
  for (const auto& [name, value] : plan.parameters)
    wanted.emplace(name, actions::format_value(value));
  return wanted == way->parameters;
}

}  // namespace observeai::controlplane::dispatch
