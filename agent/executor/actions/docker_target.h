// What the actions on a container share: which one it is, what an approval of it covers, and when it is
// well again.
//
// Two names for one thing are how a command reaches the wrong container. So a name is resolved once, in
// assess(); from then on only the full id counts, and a name that could mean two containers is refused.
//
// What voids an approval: another id, name or image, another configuration (limits, environment, mounts,
// networks, restart policy: a hash of all of it), and whether it is up, down or paused. What does not,
// because it changes by itself: restarts by the policy, health, addresses that the engine chose, times.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "agent/executor/action.h"
#include "agent/executor/docker_answers.h"
#include "agent/executor/docker_api.h"

namespace observeai::agent::executor {

// How long a container must stay up after it came up, before it counts as up. Shorter than the first
// back-off steps of a crash loop together.
inline constexpr std::chrono::milliseconds kStableFor{2'000};

// kNotFound; kInvalid: the name is another container's short id too, or a short id of less than 12 digits.
Result<Container> resolve_container(DockerApi& api, const std::string& given);
// kCorrupt when the engine describes another one.
Result<Container> inspect_container(DockerApi& api, const std::string& id);

// The same, for who changes it. kDenied: a part of ObserveAI.
Result<Container> resolve_target(DockerApi& api, const std::string& given);

// "name=value" lines, sorted. `more` is the action's own.
std::string container_state(const Container& container,
                            std::map<std::string, std::string> more = {});
// As Assessment::target: by its name, which the engine gives to one container only and which it keeps when it
// is made anew from another image.
std::string container_target(const Container& container);
// The value in a state text, "" when there is none.
std::string state_value(std::string_view state, std::string_view name);
// The container that was assessed, as it is now. kCorrupt when `state` names none.
Result<Container> assessed_container(DockerApi& api, const Assessment& seen);

// facts.h: has_volumes, project, replicas, restart_policy, restarts, service, and `more`.
Result<wire::Labels> container_facts(DockerApi& api, const Container& container,
                                     std::map<std::string, std::string> more = {});

// Waits until it runs, is healthy where it has a health check, and has stayed up for kStableFor. kTimeout
// when only `keep` is left of the run's time, kUnavailable when it ended or became unhealthy.
Result<Container> wait_until_well(DockerApi& api, const std::string& id, const Run& run,
                                  std::chrono::milliseconds keep = {});

// Start and stop; fine when it is so already. The engine is given `stop_timeout_s` before it kills.
Result<void> start_container(DockerApi& api, const std::string& id);
Result<void> stop_container(DockerApi& api, const std::string& id, std::int64_t stop_timeout_s);

inline constexpr std::int64_t kStopTimeoutS = 10;
inline constexpr std::chrono::milliseconds kLookEvery{200};  // While something is waited for
std::string text_parameter(const wire::Parameters& parameters, const std::string& name);

// Sleeps, but not beyond the run's deadline.
void pause_for(std::chrono::milliseconds time, const Run& run);

}  // namespace observeai::agent::executor
