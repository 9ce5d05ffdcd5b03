// The safety list of a plan: every question that is asked before a host acts, each a small function of
// PlanFacts (catalogue of research 4.3). All run in simulation, and again before each wave; hosts ask their
// own again. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/model/plans.h"
#include "protocol/actions/manifest.h"

namespace observeai::controlplane::plan {

// Names of facts in dry-run results (the executor's facts.h).
namespace facts {
inline constexpr const char* kHasVolumes = "has_volumes";
inline constexpr const char* kImageLocal = "image_local";
inline constexpr const char* kKeys = "keys";
inline constexpr const char* kMemoryFree = "memory_free_bytes";
inline constexpr const char* kOpenFiles = "open_files";
inline constexpr const char* kProject = "project";
inline constexpr const char* kReplicas = "replicas";
inline constexpr const char* kRestartPolicy = "restart_policy";
inline constexpr const char* kRestarts = "restarts";
inline constexpr const char* kService = "service";
}  // namespace facts

// What one host says, and what is known of it. nullopt = not known, which never passes for a fact.
struct HostFacts {
  AgentId agent;
  std::string hostname;
  bool is_active = true;                    // In the registry, not revoked
  std::optional<std::int64_t> seen_ago_ms;  // Its newest sign of life
  std::string executor;                     // As its hello says: "ready", "disabled" ... "" = none
  std::optional<wire::Digest> policy;       // As hello or dry run says, whichever is newer
  std::optional<wire::Digest> simulated_policy;  // As the dry run saw it
  bool is_degraded = false;                      // The agent sheds load
  // The dry run.
  bool is_simulated = false;
  std::string target;   // "container/web"
  std::string refusal;  // "" = it would do it
  std::string refusal_message;
  std::size_t changes = 0;
  std::uint32_t downtime_ms = 0;
  bool has_state = false;  // The state to compare with and to undo to is known
  std::map<std::string, std::string> facts;
  // Names of what the target is, or runs, beside its own: process, image, service, project.
  std::vector<std::string> also_called;
  // What is next to it: the others of its compose project. Not known for what has none.
  struct Neighbour {
    std::string name;
    std::string trouble;  // "" = well; else "unhealthy", "restarting" ...
  };
  std::optional<std::vector<Neighbour>> neighbours;
  std::string project;  // Theirs
  // The past of this target.
  std::optional<std::uint32_t> restarts_30min;      // Of it, or of what holds the process
  std::optional<std::int64_t> last_attempt_ago_ms;  // Of this action on it
  std::uint32_t failures_in_a_row = 0;              // Of this action on it
  std::uint32_t attempts_24h = 0;
  bool is_busy = false;  // Another plan acts on it now
};

struct PlanFacts {
  model::PlanRecord plan;
  const actions::Manifest* manifest = nullptr;  // nullptr: not in the catalogue
  std::vector<HostFacts> hosts;
  model::MaintenanceFreeze freeze;
  std::int64_t now_ms = 0;
  std::uint32_t actions_last_hour = 0;    // Of the tenant
  std::vector<std::int64_t> failures_ms;  // When actions of the fleet failed, newest first
  std::vector<std::string> same_plans;    // Open plans of the same action on one of these targets
};

inline constexpr std::int64_t kFreshMs = 2LL * 60'000;
inline constexpr std::int64_t kCooldownMs = 15LL * 60'000;  // Doubles with each failure
inline constexpr std::int64_t kMaxCooldownMs = 24LL * 3'600'000;
inline constexpr std::uint32_t kMaxAttempts = 3;  // Of one action on one target, in a day
inline constexpr std::uint32_t kMaxActionsPerHour = 10;
inline constexpr std::uint32_t kBreakerFailures = 5;
inline constexpr std::int64_t kBreakerWindowMs = 5LL * 60'000;
inline constexpr std::int64_t kBreakerOpenMs = 15LL * 60'000;
inline constexpr std::uint32_t kFlapping = 3;
inline constexpr double kMaxShareOfService = 0.20;
inline constexpr double kMemoryMargin = 0.10;  // Of the limit, left free on the host
inline constexpr std::uint32_t kMaxStepMs = 300'000;

// One question. Findings name the host when only some hosts differ.
struct SafetyCheck {
  const char* name;
  model::CheckFinding (*ask)(const PlanFacts& facts);
};
std::span<const SafetyCheck> safety_checks();
std::vector<model::CheckFinding> run_checks(const PlanFacts& facts);
// Nothing fails. Warnings are for the approver.
bool may_go_on(const std::vector<model::CheckFinding>& findings);
// The names and sentences of what fails, for people.
std::string why_not(const std::vector<model::CheckFinding>& findings);

// Why a person must say yes: for the approval card.
std::vector<std::string> why_approval(const model::PlanRecord& plan);

// Until when the breaker is open; 0 = closed. `failures_ms` newest first.
std::int64_t breaker_open_until(const std::vector<std::int64_t>& failures_ms, std::int64_t now_ms);
std::int64_t cooldown_ms(std::uint32_t failures_in_a_row);
// What keeps ObserveAI itself alive on a host: never a target.
bool is_own_infrastructure(const HostFacts& host);

}  // namespace observeai::controlplane::plan
