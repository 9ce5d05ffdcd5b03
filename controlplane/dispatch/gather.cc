#include "controlplane/dispatch/gather.h"

#include <algorithm>
#include <map>
#include <set>

#include "controlplane/approval/state_machine.h"
#include "controlplane/dispatch/results.h"
#include "controlplane/dispatch/taking_back.h"
#include "controlplane/dispatch/target_names.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::dispatch {
namespace {

using T = model::TargetState;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kDayMs = 24 * kHourMs;
constexpr std::int64_t kFlappingWindowMs = 30LL * 60'000;
constexpr std::int64_t kDegradedStep = 2;  // From here on the agent leaves things out
constexpr std::size_t kMostEvents = 100;

// What one container or unit is asked twice is the same, whatever the other parameters.
bool is_workload(const std::string& target) {
  return target.starts_with("container/") || target.starts_with("unit/");
}

const wire::Container* find_container(const model::HostInventory& inventory,
                                      const std::string& target) {
  constexpr std::string_view kPrefix = "container/";
  if (!target.starts_with(kPrefix)) return nullptr;
  return container_named(inventory.containers, std::string_view(target).substr(kPrefix.size()));
}

const wire::SystemdUnit* find_unit(const model::HostInventory& inventory,
                                   const std::string& target) {
  constexpr std::string_view kPrefix = "unit/";
  if (!target.starts_with(kPrefix)) return nullptr;
  for (const auto& one : inventory.units) {
    if (one.name == std::string_view(target).substr(kPrefix.size())) return &one;
  }
  return nullptr;
}

// The target as telemetry names it: containers by their whole id.
std::string telemetry_target(const std::optional<model::HostInventory>& inventory,
                             const std::string& target) {
  const auto* container = inventory ? find_container(*inventory, target) : nullptr;
  return container == nullptr ? target : "container/" + container->id;
}

const wire::ProcessGroup* find_process(const model::HostInventory& inventory,
                                       const std::string& target) {
  constexpr std::string_view kPrefix = "process/";
  if (!target.starts_with(kPrefix)) return nullptr;
  const auto pid = text::parse_u64(std::string_view(target).substr(kPrefix.size()));
  if (!pid) return nullptr;
  for (const auto& group : inventory.processes) {
    if (std::find(group.pids.begin(), group.pids.end(), *pid) != group.pids.end()) return &group;
  }
  return nullptr;
}

// Who starts the target again, as events call it: itself, or what holds the process. "" = not known.
std::string restarted_target(const std::optional<model::HostInventory>& inventory,
                             const std::string& target) {
  if (is_workload(target)) return telemetry_target(inventory, target);
  const auto* process = inventory ? find_process(*inventory, target) : nullptr;
  if (process == nullptr) return "";
  if (!process->container_id.empty()) return "container/" + process->container_id;
  return process->unit.empty() ? "" : "unit/" + process->unit;
}

// How often one "unit.restart" says that it was: units are looked at every 30 s.
std::uint32_t times(const wire::Event& event) {
  for (const auto& attribute : event.attributes) {
    if (attribute.name != "restarts") continue;
    const auto count = text::parse_u64(attribute.value);
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(count.value_or(1), 1, 1'000));
  }
  return 1;
}

Result<std::optional<std::uint32_t>> restarts_of(World& world, const AgentId& agent,
                                                 const std::string& target, std::int64_t now_ms) {
  using Count = std::optional<std::uint32_t>;
  if (target.empty()) return Count();
  model::EventQuery query;
  query.agent = agent;
  query.target = target;
  query.kind_prefix = target.starts_with("unit/") ? "unit.restart" : "container.start";
  query.range = {now_ms - kFlappingWindowMs, 0};
  query.limit = kMostEvents;
  TRY(const auto events, world.telemetry.events(query));
  std::uint32_t count = 0;
  for (const auto& one : events) count += times(one.event);
  return Count(count);
}

std::string trouble_of(const wire::Container& container) {
  if (container.health == "unhealthy") return container.health;
  if (container.state == "running" || container.state == "created") return "";
  // One that did its work and ended well is in no trouble.
  if (container.state != "exited") return container.state;
  return container.exit_code == 0 ? "" : "exited with " + std::to_string(container.exit_code);
}

// What the target is called beside its own name, and who is next to it.
void add_inventory(plan::HostFacts& host, const model::HostInventory& inventory) {
  const auto add_processes = [&](auto belongs) {
    for (const auto& group : inventory.processes) {
      if (belongs(group)) host.also_called.push_back(group.name);
    }
  };
  if (const auto* process = find_process(inventory, host.target)) {
    host.also_called = {process->name, process->unit};
  } else if (const auto* unit = find_unit(inventory, host.target)) {
    add_processes([&](const auto& group) { return group.unit == unit->name; });
  } else if (const auto* container = find_container(inventory, host.target)) {
    host.also_called = {container->image, container->service, container->project};
    add_processes([&](const auto& group) { return group.container_id == container->id; });
    host.project = container->project;
    if (container->project.empty()) return;
    host.neighbours.emplace();
    for (const auto& one : inventory.containers) {
      if (one.project == container->project && one.id != container->id)
        host.neighbours->push_back({one.name, trouble_of(one)});
    }
  }
}

std::optional<wire::Digest> digest_of_hex(const std::string& hex) {
  const auto bytes = text::from_hex(hex);
  wire::Digest out{};
  if (!bytes || bytes->size() != out.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

void add_registry(plan::HostFacts& host, const model::AgentRecord& agent, std::int64_t now_ms) {
  host.hostname = agent.hostname;
  host.is_active = agent.state == model::AgentState::kActive;
  if (agent.last_seen_ms > 0)
    host.seen_ago_ms = std::max<std::int64_t>(0, now_ms - agent.last_seen_ms);
  if (!agent.last_hello) return;
  if (const auto& executor = agent.last_hello->executor) {
    host.executor = executor->state;
    host.policy = digest_of_hex(executor->policy_hash);
  }
  const auto step = agent.last_hello->counters.find("budget_step");
  host.is_degraded = step != agent.last_hello->counters.end() && step->second >= kDegradedStep;
}

// The executor numbers what it has seen: a report of the same session below the dry run's number was made
// before the executor read its policy for the dry run.
bool is_older(const wire::ExecutorReport& report, const wire::CommandResult& dry_run) {
  return report.session == dry_run.session && report.command_seq < dry_run.seq;
}

// After add_registry.
void add_dry_run(plan::HostFacts& host, const wire::CommandResult& result,
                 const std::optional<wire::Hello>& hello) {
  host.is_simulated = true;
  host.target = result.target;
  if (result.outcome != wire::ResultOutcome::kDryRun) {
    host.refusal =
        result.reason.empty() ? std::string(wire::to_string(result.outcome)) : result.reason;
    host.refusal_message = result.message;
  }
  host.changes = result.diff.size();
  host.downtime_ms = result.downtime_ms;
  host.has_state = result.state_before != wire::Digest{};
  if (result.policy != wire::Digest{}) {
    host.simulated_policy = result.policy;
    if (hello && hello->executor && is_older(*hello->executor, result)) host.policy = result.policy;
  }
  for (const auto& fact : result.facts) host.facts[fact.name] = fact.value;
}

bool is_failure(T state) {
  return state == T::kFailed || state == T::kRolledBack;
}

// `attempts` newest first, none of this plan.
Result<void> add_past(World& world, plan::HostFacts& host, const model::PlanRecord& plan,
                      const std::vector<model::Attempt>& attempts, std::int64_t now_ms) {
  bool counting = true;
  for (const auto& one : attempts) {
    if (one.agent != host.agent || one.target != host.target) continue;
    if (!approval::is_over(one.state)) host.is_busy = true;
    if (one.action != plan.action || one.state == T::kRefused) continue;
    ++host.attempts_24h;
    // Only the newest can be taken back: what is there now is its doing.
    if (host.attempts_24h == 1) {
      TRY(const bool is_way_back, takes_back(world, plan, one));
      if (is_way_back) continue;
    }
    if (!host.last_attempt_ago_ms) host.last_attempt_ago_ms = now_ms - one.since_ms;
    counting = counting && is_failure(one.state);
    if (counting) ++host.failures_in_a_row;
  }
  return {};
}

Result<std::vector<std::string>> same_plans(World& world, const model::PlanRecord& plan,
                                            const std::vector<model::PlanTargetRecord>& targets) {
  std::map<AgentId, std::string> acted_on;  // As the hosts call it, once they were asked
  for (const auto& target : targets) acted_on[target.agent] = target.target;
  std::vector<std::string> out;
  TRY(const auto open, world.plans.unfinished());
  for (const auto& other : open) {
    // Of two, the later one is the duplicate.
    if (other.id == plan.id || other.tenant != plan.tenant || other.action != plan.action ||
        other.created_ms > plan.created_ms ||
        (other.created_ms == plan.created_ms && plan.id < other.id))
      continue;
    TRY(const auto theirs, world.plans.targets(other.id));
    const bool same_wish = other.parameters == plan.parameters;
    if (std::any_of(theirs.begin(), theirs.end(), [&](const auto& one) {
          const auto found = acted_on.find(one.agent);
          return found != acted_on.end() &&
                 (same_wish || (is_workload(one.target) && one.target == found->second));
        }))
      out.push_back(other.id.value());
  }
  return out;
}

}  // namespace

Result<plan::PlanFacts> gather_facts(World& world, const model::PlanRecord& plan,
                                     const std::vector<model::PlanTargetRecord>& targets) {
  plan::PlanFacts facts;
  facts.plan = plan;
  facts.manifest = actions::find(plan.action);
  facts.now_ms = world.clock.unix_ms();
  TRY(facts.freeze, world.plans.freeze(plan.tenant));
  TRY(auto attempts, world.plans.attempts(plan.tenant, facts.now_ms - kDayMs));
  TRY(const auto everywhere, world.plans.attempts(TenantId(), facts.now_ms - kHourMs));
  for (const auto& one : everywhere) {
    if (is_failure(one.state)) facts.failures_ms.push_back(one.since_ms);
  }
  std::erase_if(attempts, [&](const auto& one) { return one.plan == plan.id; });
  std::set<wire::PlanId> lately;
  for (const auto& one : attempts) {
    if (one.since_ms > facts.now_ms - kHourMs) lately.insert(one.plan);
  }
  facts.actions_last_hour = static_cast<std::uint32_t>(lately.size());
  TRY(facts.same_plans, same_plans(world, plan, targets));

  TRY(const auto commands, world.commands.of_plan(plan.id));
  for (const auto& target : targets) {
    plan::HostFacts host;
    host.agent = target.agent;
    TRY(const auto agent, world.agents.find(target.agent));
    if (agent) {
      add_registry(host, *agent, facts.now_ms);
    } else {
      host.is_active = false;
    }
    if (const auto* asked = newest_command(commands, target.agent, wire::CommandMode::kDryRun)) {
      TRY(const auto result, valid_result(world, asked->id));
      if (result) add_dry_run(host, *result, agent ? agent->last_hello : std::nullopt);
    }
    TRY(const auto inventory, world.telemetry.inventory(target.agent));
    if (inventory) add_inventory(host, *inventory);
    TRY(host.restarts_30min,
        restarts_of(world, target.agent, restarted_target(inventory, host.target), facts.now_ms));
    TRY_VOID(add_past(world, host, plan, attempts, facts.now_ms));
    facts.hosts.push_back(std::move(host));
  }
  return facts;
}

Result<std::optional<plan::TargetSignals>> signals_of(World& world, const AgentId& agent,
                                                      const std::string& target) {
  using Signals = std::optional<plan::TargetSignals>;
  if (!is_workload(target)) return Signals();
  TRY(const auto inventory, world.telemetry.inventory(agent));
  if (!inventory) return Signals();
  plan::TargetSignals out;
  if (const auto* container = find_container(*inventory, target)) {
    out.exists = true;
    out.state = container->state;
    out.health = container->health;
    out.started_ms = container->started_ms;
    out.restarts = container->restart_count;
    out.memory_limit_bytes = container->memory_limit_bytes;
    out.image = container->image;
    out.image_id = container->image_id;
  } else if (const auto* unit = find_unit(*inventory, target)) {
    out.exists = true;
    out.state = unit->active_state;
    out.restarts = unit->restarts;
    out.main_pid = unit->main_pid;
  }
  return Signals(out);
}

model::Baseline baseline_of(const std::optional<plan::TargetSignals>& signals) {
  if (!signals) return {};
  return {signals->state, signals->health, signals->started_ms, signals->restarts,
          signals->main_pid};
}

Result<plan::VerificationInput> gather_signals(World& world, const model::PlanRecord& plan,
                                               const model::PlanTargetRecord& target) {
  plan::VerificationInput input;
  input.plan = plan;
  input.target = target;
  input.now_ms = world.clock.unix_ms();
  input.host_says_done = target.state == T::kVerifying;
  TRY(const auto agent, world.agents.find(target.agent));
  if (agent) input.host_seen_ms = agent->last_seen_ms;
  TRY(input.now, signals_of(world, target.agent, target.target));
  TRY(const auto inventory, world.telemetry.inventory(target.agent));
  if (inventory && target.target.starts_with("process/"))
    input.process_runs = find_process(*inventory, target.target) != nullptr;
  if (plan.symptom.metric.empty()) return input;
  model::SeriesQuery query;
  query.agent = target.agent;
  const auto named = telemetry_target(inventory, target.target);
  query.target = named.starts_with("container/") || named.starts_with("unit/")
                     ? named
                     : std::string(wire::kHostTarget);
  query.name = plan.symptom.metric;
  query.range = {target.done_ms, 0};
  TRY(const auto series, world.telemetry.points(query));
  if (series.size() == 1) input.symptom = series.front().points;
  return input;
}

}  // namespace observeai::controlplane::dispatch
