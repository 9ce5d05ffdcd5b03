#include "agent/executor/actions/docker_replace.h"

#include <algorithm>
#include <boost/json.hpp>

#include "protocol/base/text.h"

namespace observeai::agent::executor {

namespace json = boost::json;

namespace {

constexpr std::string_view kMark = ".before-";
constexpr std::size_t kShortIdLength = 12;
constexpr std::int64_t kEndNewS = 5;  // It has failed, or nobody knows how it is

// The engine's "0001-01-01T00:00:00Z".
bool never_started(const Container& container) {
  return container.started_at.empty() || container.started_at.substr(0, 4) == "0001";
}

// Names of its volumes that the other has not.
std::string own_volumes(const Container& container, const Container& other) {
  std::string out;
  const json::array& others = array_at(other.document, "Mounts");
  for (const auto& value : array_at(container.document, "Mounts")) {
    if (!value.is_object() || text_at(value.get_object(), "Type") != "volume") continue;
    const std::string_view name = text_at(value.get_object(), "Name");
    const bool shared = std::any_of(others.begin(), others.end(), [&](const json::value& one) {
      return one.is_object() && text_at(one.get_object(), "Name") == name;
    });
    if (!shared) out.append(out.empty() ? "" : ", ").append(name);
  }
  return out;
}

// Empty: there is none of this id, or `id` is empty.
Result<std::optional<Container>> find_container(DockerApi& api, const std::string& id) {
  if (id.empty()) return std::optional<Container>();
  auto found = inspect_container(api, id);
  if (!found && found.error().code() == Errc::kNotFound) return std::optional<Container>();
  if (!found) return found.error();
  return std::optional<Container>(std::move(*found));
}

Result<void> start_if_down(DockerApi& api, const Replaced& old, const Container& now) {
  if (!old.was_up || now.phase != Phase::kDown) return {};
  return start_container(api, old.id);
}

// Which volumes of it stay, for people.
Result<std::string> remove_made(DockerApi& api, const Container& made, const Container& old) {
  if (never_started(made)) {
    // v=1: its volumes without a name are empty, but for those that are the old one's too, which stay.
    TRY_VOID(api.remove("/containers/" + made.id + "?force=1&v=1"));
    return std::string();
  }
  // It may have begun to write to the volumes: it gets the time to end.
  ignore(stop_container(api, made.id, kEndNewS), "it is removed by force");
  TRY_VOID(api.remove("/containers/" + made.id + "?force=1"));
  const std::string volumes = own_volumes(made, old);
  return volumes.empty() ? "" : "volumes that only the new one had stay: " + volumes;
}

// Whether any container has the name now.
Result<bool> is_taken(DockerApi& api, const std::string& name) {
  const auto answer = api.get("/containers/" + percent_encoded(name) + "/json");
  if (!answer && answer.error().code() == Errc::kNotFound) return false;
  if (!answer) return answer.error();
  TRY(const Container container, parse_container(*answer));
  return container.name == name;
}

// Beyond its own time: the engine kills it and tidies up.
constexpr std::int64_t kStopSlackMs = 3'000;

// Waits until `now` is down, or a stop that came with the making of `made` is over.
Result<Container> wait_for_stop(DockerApi& api, Container now, const Container& made,
                                const Run& run) {
  const auto began = text::parse_rfc3339_ns(text_at(made.document, "Created"));
  if (!began) return Error(Errc::kCorrupt, "the engine does not say when it made a container");
  const std::int64_t over_ms = *began / 1'000'000 + stop_timeout_ms(now) + kStopSlackMs;
  while (now.phase == Phase::kUp && run.unix_ms() < over_ms) {
    if (run.left() == std::chrono::milliseconds(0)) {
      return Error(Errc::kTimeout, now.name + " may still be ending");
    }
    pause_for(kLookEvery, run);
    TRY(now, inspect_container(api, now.id));
  }
  return now;
}

// Longer than any command takes: what ran for so long was ended by somebody who meant it.
constexpr std::int64_t kInUseNs = 15 * 60 * 1'000'000'000LL;

bool ran_for_long(const Container& container) {
  const auto began = text::parse_rfc3339_ns(container.started_at);
  const auto ended =
      text::parse_rfc3339_ns(text_at(object_at(container.document, "State"), "FinishedAt"));
  return began && ended && *ended - *began > kInUseNs;
}

// Whether the new container is somebody's by now, so that only a person can say which of the two is right.
bool is_in_use(const Container& made, const Replaced& old) {
  if (made.phase != Phase::kDown || made.name != old.name) return true;
  if (never_started(made)) return false;
  return !old.was_up || ran_for_long(made);
}

Result<void> keep_aside(DockerApi& api, const Container& old, const std::string& name) {
  if (old.phase == Phase::kDown && old.restart_policy != "no") {
    TRY_VOID(set_restart_policy(api, old.id, kNeverRestart));
  }
  if (old.name != name_when_kept(name, old.id)) {
    TRY_VOID(rename_container(api, old.id, name_when_kept(name, old.id)));
  }
  return {};
}

}  // namespace

std::string name_while_replaced(const std::string& name, const std::string& id) {
  return name + std::string(kMark) + id.substr(0, kShortIdLength);
}

std::string name_when_kept(const std::string& name, const std::string& id) {
  return name + ".kept-" + id.substr(0, kShortIdLength);
}

std::uint32_t stop_timeout_ms(const Container& container) {
  const std::int64_t seconds = integer_at(object_at(container.document, "Config"), "StopTimeout");
  return static_cast<std::uint32_t>(seconds > 0 && seconds < 3'600 ? seconds : kStopTimeoutS) *
         1'000U;
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

Result<std::optional<Container>> find_made(DockerApi& api, const Replaced& old,
                                           const std::string& command) {
  json::object wanted;
  std::string mark = kMadeByLabel;
  mark.append("=").append(command);
  wanted["label"] = json::array{mark};
  TRY(const std::string answer,
      api.get("/containers/json?all=1&filters=" + percent_encoded(json::serialize(wanted))));
  TRY(const auto all, parse_containers(answer));
  std::optional<Container> found;
  for (const auto& one : all) {
    TRY(Container container, inspect_container(api, one.id));
    const json::object& labels = object_at(object_at(container.document, "Config"), "Labels");
    // An image that was made from the new container has its labels too.
    if (text_at(labels, kMadeByLabel) != command || container.image_id != old.to_image) continue;
    if (found) return Error(Errc::kUnavailable, "two containers claim to be made by one command");
    found = std::move(container);
  }
  return found;
}

Result<std::string> put_back(DockerApi& api, const Replaced& old, const std::string& made,
                             bool stop_asked, const Run& run) {
  TRY(Container now, inspect_container(api, old.id));
  TRY(const auto beside, find_container(api, made));
  // One that never ran holds nothing that the old one needs: the old one is up before it is removed.
  if (beside && never_started(*beside)) {
    if (old.was_up && stop_asked) {
      TRY(now, wait_for_stop(api, now, *beside, run));
    }
    TRY_VOID(start_if_down(api, old, now));
    TRY(now, inspect_container(api, old.id));
  }
  std::string left;
  if (beside) {
    TRY(left, remove_made(api, *beside, now));
  }
  TRY_VOID(start_if_down(api, old, now));
  if (restart_policy_json(now) != old.policy) {
    TRY_VOID(set_restart_policy(api, old.id, old.policy));
  }
  if (now.name != old.name) {
    TRY_VOID(rename_container(api, old.id, old.name));
  }
  return left;
}

Result<std::string> recover_replaced(DockerApi& api, const Replaced& old, const Run& run) {
  const std::string is = "container " + old.name + ": ";
  const auto now = inspect_container(api, old.id);
  if (!now && now.error().code() == Errc::kNotFound) {
    return is + "what it was before is gone, and nothing is put back";
  }
  if (!now) return now.error();
  if (now->name == old.name) return is + "it is the one that was there before";
  const std::string kept = name_when_kept(old.name, old.id);
  if (now->name != kept && now->name != name_while_replaced(old.name, old.id)) {
    return is + "somebody called what it was before " + now->name + ", and nothing is put back";
  }
  TRY(const auto made, find_made(api, old, run.command()));
  TRY(const bool taken, is_taken(api, old.name));
  if (made ? is_in_use(*made, old) : taken) {
    TRY_VOID(keep_aside(api, *now, old.name));
    return is + (made ? "the new one is in use, unverified" : "another one has the name by now") +
           "; what it was before is kept as " + kept;
  }
  // Whether the program came as far as the stop, nobody knows.
  TRY(const std::string left, put_back(api, old, made ? made->id : "", true, run));
  return is + "what it was before is back" + (left.empty() ? "" : "; " + left);
}

}  // namespace observeai::agent::executor
