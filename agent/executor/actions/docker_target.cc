#include "agent/executor/actions/docker_target.h"

#include <algorithm>
#include <boost/json.hpp>
#include <thread>

#include "agent/executor/facts.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMinShortId = 12;
constexpr auto kStopSlack = 15s;  // Beyond the stop's own time: the engine tidies up

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string filters(const json::object& wanted) {
  return "filters=" + percent_encoded(json::serialize(wanted));
}

bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

// Whether a name is at the same time the beginning of some container's id.
Result<bool> is_some_short_id(DockerApi& api, const std::string& name) {
  if (!is_hex(name)) return false;
  json::object wanted;
  wanted["id"] = json::array{name};
  TRY(const std::string answer, api.get("/containers/json?all=1&" + filters(wanted)));
  TRY(const auto containers, parse_containers(answer));
  return std::any_of(containers.begin(), containers.end(),
                     [&](const auto& one) { return begins_with(one.id, name); });
}

// False while its health check has not said anything yet.
Result<bool> is_well(const Container& now) {
  if (now.phase == Phase::kDown) {
    return Error(Errc::kUnavailable,
                 now.name + " has ended with exit code " + std::to_string(now.exit_code));
  }
  if (now.status == "restarting") {
    return Error(Errc::kUnavailable, now.name + " ends at once, with exit code " +
                                         std::to_string(now.exit_code) +
                                         ", and is being restarted");
  }
  if (now.health == "unhealthy") {
    return Error(Errc::kUnavailable, now.name + " runs but its health check fails");
  }
  if (now.status != "running") {
    return Error(Errc::kUnavailable, now.name + " is " + now.status);
  }
  return now.health.empty() || now.health == "healthy";
}

}  // namespace

Result<Container> inspect_container(DockerApi& api, const std::string& id) {
  TRY(const std::string answer, api.get("/containers/" + percent_encoded(id) + "/json"));
  TRY(Container container, parse_container(answer));
  if (container.id != id) return Error(Errc::kCorrupt, "the engine described another container");
  return container;
}

Result<Container> resolve_container(DockerApi& api, const std::string& given) {
  // Anything else could be understood as another path.
  if (!is_container_name(given)) {
    return Error(Errc::kInvalid, "container: a name without \"/\", or an id");
  }
  TRY(const std::string answer, api.get("/containers/" + percent_encoded(given) + "/json"));
  TRY(const Container found, parse_container(answer));
  if (found.name == given && found.id != given) {
    TRY(const bool ambiguous, is_some_short_id(api, given));
    if (ambiguous) {
      return Error(Errc::kInvalid, "container: \"" + given +
                                       "\" is one container's name and the beginning of another "
                                       "one's id; say the full id");
    }
  } else if (given.size() < kMinShortId || !begins_with(found.id, given)) {
    return Error(Errc::kInvalid, "container: \"" + given +
                                     "\" is no container's name; as an id it needs 12 digits at "
                                     "least");
  }
  return inspect_container(api, found.id);
}

Result<Container> resolve_target(DockerApi& api, const std::string& given) {
  TRY(Container container, resolve_container(api, given));
  if (!container.is_ours) return container;
  return Error(Errc::kDenied,
               container.name + " is a part of ObserveAI: it does not act on itself");
}

std::string container_state(const Container& container, std::map<std::string, std::string> more) {
  more["configuration"] = container.configuration_hash;
  more["container"] = container.name;
  more["id"] = container.id;
  more["image"] = container.image_id;
  more["phase"] = std::string(to_string(container.phase));
  std::string out;
  for (const auto& [name, value] : more) out.append(name).append("=").append(value).append("\n");
  return out;
}

std::string container_target(const Container& container) {
  return "container/" + container.name;
}

std::string state_value(std::string_view state, std::string_view name) {
  for (const auto line : text::split(state, '\n')) {
    if (line.size() > name.size() && begins_with(line, name) && line[name.size()] == '=') {
      return std::string(line.substr(name.size() + 1));
    }
  }
  return {};
}

Result<Container> assessed_container(DockerApi& api, const Assessment& seen) {
  const std::string id = state_value(seen.state, "id");
  if (!is_container_id(id)) return Error(Errc::kCorrupt, "the assessment names no container");
  return inspect_container(api, id);
}

Result<wire::Labels> container_facts(DockerApi& api, const Container& container,
                                     std::map<std::string, std::string> more) {
  std::uint64_t replicas = container.phase == Phase::kUp ? 1 : 0;
  if (!container.service_label.empty()) {
    json::object wanted;
    wanted["label"] = json::array{container.service_label};
    wanted["status"] = json::array{"running"};
    TRY(const std::string answer, api.get("/containers/json?" + filters(wanted)));
    TRY(const auto containers, parse_containers(answer));
    replicas = 0;
    for (const auto& one : containers) replicas += one.status == "running" ? 1U : 0U;
    more[facts::kService] = container.service;
    if (!container.project.empty()) more[facts::kProject] = container.project;
  }
  more[facts::kReplicas] = std::to_string(replicas);
  more[facts::kHasVolumes] = container.holds_state ? "true" : "false";
  more[facts::kRestartPolicy] = container.restart_policy;
  more[facts::kRestarts] = std::to_string(container.restarts);
  wire::Labels out;
  for (auto& [name, value] : more) out.push_back({name, std::move(value)});
  return out;
}

void pause_for(std::chrono::milliseconds time, const Run& run) {
  std::this_thread::sleep_for(std::min(time, run.left()));
}

Result<Container> wait_until_well(DockerApi& api, const std::string& id, const Run& run,
                                  std::chrono::milliseconds keep) {
  TRY(Container first, inspect_container(api, id));
  auto up_for = 0ms;
  for (;;) {
    TRY(Container now, inspect_container(api, id));
    TRY(const bool well, is_well(now));
    if (now.started_at != first.started_at || now.restarts != first.restarts) {
      return Error(Errc::kUnavailable, now.name + " has restarted by itself, last exit code " +
                                           std::to_string(now.exit_code));
    }
    if (well && up_for >= kStableFor) return now;
    if (run.left() <= keep) {
      return Error(Errc::kTimeout,
                   now.name + (well ? " has not been up for long enough to tell"
                                    : " runs; its health check has not said anything yet"));
    }
    pause_for(kLookEvery, run);
    up_for += kLookEvery;
  }
}

Result<void> start_container(DockerApi& api, const std::string& id) {
  TRY_VOID(api.post("/containers/" + id + "/start", "", 60s));
  return {};
}

Result<void> stop_container(DockerApi& api, const std::string& id, std::int64_t stop_timeout_s) {
  TRY_VOID(api.post("/containers/" + id + "/stop?t=" + std::to_string(stop_timeout_s), "",
                    std::chrono::seconds(stop_timeout_s) + kStopSlack));
  return {};
}

std::string text_parameter(const wire::Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  const auto* text = found == parameters.end() ? nullptr : std::get_if<std::string>(&found->second);
  return text == nullptr ? std::string() : *text;
}

}  // namespace observeai::agent::executor
