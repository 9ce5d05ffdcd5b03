#include "agent/executor/actions/docker_rollback.h"

#include <boost/json.hpp>

#include "agent/executor/actions/docker_actions.h"
#include "agent/executor/actions/docker_replace.h"
#include "agent/executor/actions/docker_target.h"
#include "agent/executor/docker_recreate.h"
#include "agent/executor/facts.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent::executor {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kStartMs = 2'000;
constexpr auto kTimeToTell = 1s;      // Kept of it after a verification that failed
constexpr auto kTimeToPutBack = 15s;  // Kept of the run's time for the way back

Error refuse(const Container& container, const std::string& why) {
  return Error(Errc::kUnavailable, container.name + " " + why);
}

Result<Image> find_image(DockerApi& api, const std::string& name) {
  TRY(const std::string answer, api.get("/images/" + percent_encoded(name) + "/json"));
  return parse_image(answer);
}

// Others that would lose something when the container gets another id.
Result<void> check_neighbours(DockerApi& api, const Container& container) {
  TRY(const std::string answer, api.get("/containers/json?all=1"));
  TRY(const auto all, parse_containers(answer));
  for (const auto& one : all) {
    if (one.id == container.id) {
      if (one.names.size() > 1) return refuse(container, "is linked to by another container");
    } else if (one.network_mode == "container:" + container.id ||
               one.network_mode == "container:" + container.name) {
      return refuse(container, "lends its network to another container");
    }
  }
  return {};
}

// What an orchestrator would undo or lose track of, or what has no way back.
Result<void> check_container(const Container& container) {
  if (container.phase != Phase::kUp && container.phase != Phase::kDown) {
    return refuse(container, "is " + container.status);
  }
  if (container.removed_when_stopped) {
    return refuse(container, "is removed when it stops (--rm): there is no way back");
  }
  const json::object& labels = object_at(object_at(container.document, "Config"), "Labels");
  for (const char* label : {"com.docker.swarm.task.id", "io.kubernetes.pod.name"}) {
    if (value_at(labels, label) != nullptr) {
      return refuse(container, "belongs to an orchestrator, which must do this itself");
    }
  }
  if (!is_container_name(name_while_replaced(container.name, container.id))) {
    return refuse(container, "has a name that is too long to be kept aside");
  }
  return {};
}

std::uint32_t stop_timeout_ms(const Container& container) {
  const std::int64_t seconds = integer_at(object_at(container.document, "Config"), "StopTimeout");
  return static_cast<std::uint32_t>(seconds > 0 && seconds < 3'600 ? seconds : kStopTimeoutS) *
         1'000U;
}

class RollbackImage final : public Action {
 public:
  explicit RollbackImage(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, resolve_container(api, text_parameter(parameters, "container")));
    TRY_VOID(check_container(container));
    TRY_VOID(check_neighbours(api, container));
    TRY(const Image to, image_to(api, parameters));
    TRY(const Recreation plan, plan_for(api, container, to, parameters));
    Assessment out;
    out.target = container_target(container);
    out.state = container_state(container,
                                {{"policy", restart_policy_json(container)}, {"to_image", to.id}});
    out.diff = changes_between(container.name, plan.before, plan.expected);
    if (out.diff.size() > wire::kMaxChanges) {
      return Error(Errc::kLimit, "more would change than can be shown for an approval");
    }
    out.downtime_ms = container.phase == Phase::kUp ? stop_timeout_ms(container) + kStartMs : 0;
    TRY(out.facts, container_facts(api, container, {{facts::kImageLocal, "true"}}));
    return out;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    DockerApi api(host_.docker_socket, run);
    made_.clear();
    TRY(const Container old, assessed_container(api, seen));
    TRY(const Image to, image_to(api, parameters));
    if (to.id != state_value(seen.state, "to_image")) {
      return Error(Errc::kUnavailable, "the image's name stands for another image by now");
    }
    TRY(plan_, plan_for(api, old, to, parameters));
    kept_ = mount_destinations(old.document);
    const auto replaced = replace(api, old, run);
    if (replaced) return {};
    run.step("put the old container back", replaced.error().message());
    const auto back = put_back(api, old_of(seen), made_);
    run.finish_step();
    return Error(
        replaced.error().code(),
        replaced.error().message() +
            (back ? "; the old container is back"
                  : "; the old container could not be put back: " + back.error().message()));
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment& seen,
                                           Run& run) override {
    DockerApi api(host_.docker_socket, run);
    const Replaced old = old_of(seen);
    const auto made = look_at_made(api, run);
    if (!made) {
      ignore(rename_container(api, old.id, name_when_kept(old.name, old.id)),
             "the name only says what it is");
      return made.error();
    }
    run.step("remove the old container", old.id);
    // Without its volumes: they are the new one's.
    const auto removed = api.remove("/containers/" + old.id);
    run.finish_step();
    if (!removed) run.output("the old container stays: " + removed.error().message() + "\n");
    return changes_between(old.name, plan_.before, *made);
  }

  Result<void> undo(const wire::Parameters&, const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    run.step("put the old container back", state_value(seen.state, "id"));
    TRY_VOID(put_back(api, old_of(seen), made_));
    run.finish_step();
    return {};
  }

 private:
  static Result<Image> image_to(DockerApi& api, const wire::Parameters& parameters) {
    const std::string name = text_parameter(parameters, "image");
    auto image = find_image(api, name);
    if (!image && image.error().code() == Errc::kNotFound) {
      return Error(Errc::kUnavailable, "the image is not on this host: " + name);
    }
    if (image && !is_named(*image, name)) {
      return Error(Errc::kInvalid,
                   "image: sha256:<id> in full, or a whole name; not \"" + name + "\"");
    }
    return image;
  }

  static Result<Recreation> plan_for(DockerApi& api, const Container& container, const Image& to,
                                     const wire::Parameters& parameters) {
    if (to.id == container.image_id) return refuse(container, "runs this image already");
    auto from = find_image(api, container.image_id);
    if (!from) {
      return refuse(container, "has an image that is gone, so what it says cannot be told apart: " +
                                   from.error().message());
    }
    if (from->platform != to.platform) {
      return refuse(container, "is made for " + from->platform + ", the image for " + to.platform);
    }
    return plan_recreation(container.document, *from, to, text_parameter(parameters, "image"));
  }

  static Replaced old_of(const Assessment& seen) {
    return {state_value(seen.state, "id"), state_value(seen.state, "container"),
            state_value(seen.state, "phase") == to_string(Phase::kUp),
            state_value(seen.state, "policy")};
  }

  // comparable() of the new container, well and as it was planned.
  Result<json::object> look_at_made(DockerApi& api, Run& run) const {
    run.step("wait until it is well", made_);
    TRY(const Container now, wait_until_well(api, made_, run, kTimeToTell));
    run.step("compare with the old container");
    json::object made = comparable(now.document, kept_);
    if (made == plan_.expected) return made;
    const auto unexpected = changes_between(now.name, plan_.expected, made);
    return Error(Errc::kUnavailable, "the new container is not what was simulated: " +
                                         (unexpected.empty() ? "?" : unexpected.front().what));
  }

  Result<void> replace(DockerApi& api, const Container& old, Run& run) {
    run.step("rename the old container", name_while_replaced(old.name, old.id));
    TRY_VOID(rename_container(api, old.id, name_while_replaced(old.name, old.id)));
    run.step("create the new container");
    TRY(const std::string answer,
        api.post("/containers/create?name=" + percent_encoded(old.name), plan_.create, 60s));
    TRY(const json::object created, parse_object(answer));
    made_ = std::string(text_at(created, "Id"));
    if (!is_container_id(made_)) return Error(Errc::kCorrupt, "the engine names no new container");
    TRY_VOID(join_networks(api, made_, plan_));
    if (old.phase == Phase::kUp) {
      const auto patience = run.left() - kTimeToPutBack;
      if (patience < std::chrono::milliseconds(stop_timeout_ms(old) + kStartMs)) {
        return Error(Errc::kTimeout, "too little time is left for stop, start and a way back");
      }
      run.step("stop the old container", old.id);
      TRY_VOID(api.post("/containers/" + old.id + "/stop", "", patience));
    }
    run.step("start the new container", made_);
    TRY_VOID(api.post("/containers/" + made_ + "/start", "",
                      std::max(run.left() - kTimeToPutBack, 1'000ms)));
    // Else the engine would start both after its own restart.
    TRY_VOID(set_restart_policy(api, old.id, kNeverRestart));
    run.finish_step();
    return {};
  }

  const Host& host_;
  Recreation plan_;
  std::vector<std::string> kept_;  // Where the old one has mounts
  std::string made_;               // Id of the new container
};

}  // namespace

void add_docker_rollback(const Host& host, Actions& actions) {
  actions["docker.rollback_image"] = std::make_unique<RollbackImage>(host);
}

}  // namespace observeai::agent::executor
