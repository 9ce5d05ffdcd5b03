#include "agent/executor/actions/docker_replace.h"

#include <boost/json.hpp>

#include "agent/executor/actions/docker_rollback.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::string_view kMark = ".before-";
constexpr std::size_t kShortIdLength = 12;
constexpr std::int64_t kEndNewS = 5;  // It has failed, or has never run

Result<void> remove_made(DockerApi& api, const std::string& made) {
  const auto exists = inspect_container(api, made);
  if (!exists && exists.error().code() == Errc::kNotFound) return {};
  // It may have begun to write to the volumes: it gets the time to end.
  ignore(stop_container(api, made, kEndNewS), "it is removed by force");
  // v=1 removes only volumes without a name, and none that the old container has.
  TRY_VOID(api.remove("/containers/" + made + "?force=1&v=1"));
  return {};
}

// The one that has the name now. kNotFound.
Result<Container> named(DockerApi& api, const std::string& name) {
  TRY(const std::string answer, api.get("/containers/" + percent_encoded(name) + "/json"));
  TRY(Container container, parse_container(answer));
  if (container.name != name) return Error(Errc::kNotFound, "no container " + name);
  return container;
}

Result<std::string> recover(DockerApi& api, const std::string& id, const std::string& name) {
  const std::string is = "container " + name + ", whose rollback was interrupted: ";
  const auto other = named(api, name);
  if (!other && other.error().code() != Errc::kNotFound) return other.error();
  if (other && other->phase != Phase::kDown) {
    TRY_VOID(set_restart_policy(api, id, kNeverRestart));
    return is + "the new one runs, unverified; the old one is kept as " +
           name_while_replaced(name, id);
  }
  Replaced old{id, name, true, ""};
  if (other) old.policy = restart_policy_json(*other);
  TRY_VOID(put_back(api, old, other ? other->id : ""));
  return is + "the old one is back";
}

}  // namespace

std::string name_while_replaced(const std::string& name, const std::string& id) {
  return name + std::string(kMark) + id.substr(0, kShortIdLength);
}

std::string name_when_kept(const std::string& name, const std::string& id) {
  return name + ".kept-" + id.substr(0, kShortIdLength);
}

std::string name_before_replaced(const std::string& name, const std::string& id) {
  const std::size_t mark = name.rfind(kMark);
  if (mark == std::string::npos || mark == 0) return {};
  const std::string before = name.substr(0, mark);
  return name == name_while_replaced(before, id) ? before : std::string();
}

Result<void> rename_container(DockerApi& api, const std::string& id, const std::string& name) {
  TRY_VOID(api.post("/containers/" + id + "/rename?name=" + percent_encoded(name)));
  return {};
}

std::string restart_policy_json(const Container& container) {
  return canonical_json(
      json::value(object_at(object_at(container.document, "HostConfig"), "RestartPolicy")));
}

Result<void> set_restart_policy(DockerApi& api, const std::string& id, const std::string& policy) {
  TRY_VOID(api.post("/containers/" + id + "/update", R"({"RestartPolicy":)" + policy + "}"));
  return {};
}

Result<void> join_networks(DockerApi& api, const std::string& id, const Recreation& plan) {
  const auto path = [](const std::string& network, const char* verb) {
    return "/networks/" + percent_encoded(network) + "/" + verb;
  };
  if (!plan.leave.empty()) {
    json::object body;
    body["Container"] = id;
    TRY_VOID(api.post(path(plan.leave, "disconnect"), json::serialize(body)));
  }
  for (const auto& network : plan.join) {
    TRY(json::object endpoint, parse_object(network.endpoint));
    json::object body;
    body["Container"] = id;
    body["EndpointConfig"] = std::move(endpoint);
    TRY_VOID(api.post(path(network.name, "connect"), json::serialize(body)));
  }
  return {};
}

Result<void> put_back(DockerApi& api, const Replaced& old, const std::string& made) {
  TRY(const Container now, inspect_container(api, old.id));
  if (!made.empty()) {
    TRY_VOID(remove_made(api, made));
  }
  if (now.name != old.name) {
    TRY_VOID(rename_container(api, old.id, old.name));
  }
  if (!old.policy.empty() && restart_policy_json(now) != old.policy) {
    TRY_VOID(set_restart_policy(api, old.id, old.policy));
  }
  if (old.was_up && now.phase == Phase::kDown) return start_container(api, old.id);
  return {};
}

Result<std::vector<std::string>> recover_rollbacks(const Host& host, Run& run) {
  DockerApi api(host.docker_socket, run);
  TRY(const std::string answer, api.get("/containers/json?all=1"));
  TRY(const auto all, parse_containers(answer));
  std::vector<std::string> out;
  for (const auto& one : all) {
    for (const auto& shown : one.names) {
      const std::string name = name_before_replaced(shown.substr(shown.find('/') + 1), one.id);
      if (!is_container_name(name)) continue;
      TRY(std::string line, recover(api, one.id, name));
      out.push_back(std::move(line));
    }
  }
  return out;
}

}  // namespace observeai::agent::executor
