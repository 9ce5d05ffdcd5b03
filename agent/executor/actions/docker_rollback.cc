// docker.rollback_image: the same container once more from an earlier image, so that at every moment one of
// the two can be had.
//
//   rename old -> create new, with the command's mark -> join networks -> stop old -> start new
//       -> old's policy "no" -> verify: well, and equal but for the image -> rename old: kept
//
// A container that does not run is made anew without being started, and stays so.
//
// The old one is kept, stopped, as "<name>.kept-<12 digits of its id>", for whoever wants it back after all;
// the diff says so. The next rollback of the same workload that succeeds removes it, which its diff says, so
// that there is one at most; the last one is for a person to remove (docker rm).
//
// An error on the way puts the old one back at once: start, policy, name. Where that fails, or the executor
// dies on the way, recover() does it, from the ledger's word of what was there before.
#include <boost/json.hpp>

#include "agent/executor/actions/docker_actions.h"
#include "agent/executor/actions/docker_replace.h"
#include "agent/executor/actions/docker_target.h"
#include "agent/executor/docker_recreate.h"
#include "agent/executor/facts.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent::executor {

namespace json = boost::json;
using namespace std::chrono_literals;

namespace {

constexpr std::uint32_t kStartMs = 2'000;
constexpr auto kTimeToTell = 1s;      // Kept of it after a verification that failed
constexpr auto kTimeToPutBack = 15s;  // Kept of the run's time for the way back

constexpr const char* kKept = "kept, stopped";

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

// What the container took the place of, and what that did, while they are kept aside: ids with a " " behind
// each.
Result<std::string> kept_before(DockerApi& api, const Container& container) {
  constexpr int kAtMost =
      8;  // One, and one more for each rollback since that failed and was not undone
  std::string out;
  Container last = container;
  for (int i = 0; i < kAtMost; ++i) {
    const json::object& labels = object_at(object_at(last.document, "Config"), "Labels");
    const std::string id(text_at(labels, kReplacesLabel));
    if (!is_container_id(id)) break;
    auto kept = inspect_container(api, id);
    if (!kept && kept.error().code() == Errc::kNotFound) break;
    if (!kept) return kept.error();
    if (kept->phase != Phase::kDown || kept->name != name_when_kept(container.name, id)) break;
    out += id + " ";
    last = std::move(*kept);
  }
  return out;
}

std::vector<std::string> ids_of(std::string_view list) {
  std::vector<std::string> out;
  for (const auto id : text::split(list, ' ')) {
    if (!id.empty()) out.emplace_back(id);
  }
  return out;
}

void add_kept(std::vector<wire::Change>& changes, const Replaced& old, const std::string& as) {
  const char* const was = old.was_up ? "up" : "down";
  if (!old.was_up) changes.push_back({"container " + old.name, was, "made anew, not started"});
  std::string after = kKept;
  after.append(", as ").append(as);
  changes.push_back({"container of " + old.name + " until now", was, std::move(after)});
}
wire::Change removing(const Replaced& old, const std::string& kept) {
  return {"container " + name_when_kept(old.name, kept), kKept, "removed"};
}

class RollbackImage final : public Action {
 public:
  explicit RollbackImage(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, resolve_target(api, text_parameter(parameters, "container")));
    TRY_VOID(check_container(container));
    TRY_VOID(check_neighbours(api, container));
    TRY(const Image to, image_to(api, parameters));
    TRY(const Recreation plan, plan_for(api, container, to, parameters));
    Assessment out;
    out.target = container_target(container);
    TRY(const std::string kept, kept_before(api, container));
    out.state = container_state(
        container,
        {{"kept", kept}, {"policy", restart_policy_json(container)}, {"to_image", to.id}});
    out.diff = changes_between(container.name, plan.before, plan.expected);
    const Replaced old = replaced_of(out.state);
    add_kept(out.diff, old, name_when_kept(old.name, old.id));
    for (const auto& id : ids_of(kept)) out.diff.push_back(removing(old, id));
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
    stop_asked_ = false;
    if (run.command().empty()) return Error(Errc::kInternal, "no command is named for this run");
    TRY(const Container old, assessed_container(api, seen));
    TRY(const Image to, image_to(api, parameters));
    if (to.id != state_value(seen.state, "to_image")) {
      return Error(Errc::kUnavailable, "the image's name stands for another image by now");
    }
    TRY(plan_, plan_for(api, old, to, parameters, run.command()));
    mounts_ = mount_destinations(old.document);
    const auto replaced = replace(api, old, run);
    if (replaced) return {};
    const auto back = go_back(api, seen, run);
    const std::string& why = replaced.error().message();
    return Error(replaced.error().code(),
                 why + (back ? "; the old container is back"
                             : "; the old container could not be put back: " +
                                   back.error().message() + "; this is tried again"));
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment& seen,
                                           Run& run) override {
    DockerApi api(host_.docker_socket, run);
    const Replaced old = replaced_of(seen.state);
    const auto made = look_at_made(api, old, run);
    const std::string kept = name_when_kept(old.name, old.id);
    run.step("keep the old container", kept);
    const auto renamed = rename_container(api, old.id, kept);
    if (!made) return made.error();
    auto changes = changes_between(old.name, plan_.before, *made);
    add_kept(changes, old, renamed ? kept : name_while_replaced(old.name, old.id));
    for (const auto& before : ids_of(state_value(seen.state, "kept"))) {
      run.step("remove the one that was kept before", before);
      // Without its volumes, and not by force: the others have them too, and they are as they were shown.
      const auto removed = api.remove("/containers/" + before);
      if (removed) changes.push_back(removing(old, before));
      if (!removed) run.output("it stays: " + removed.error().message() + "\n");
    }
    run.finish_step();
    return changes;
  }

  Result<void> undo(const wire::Parameters&, const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    return go_back(api, seen, run);
  }

  Result<std::string> recover(const std::string& state, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    const Replaced old = replaced_of(state);
    if (!is_container_id(old.id)) return Error(Errc::kCorrupt, "the ledger names no container");
    return recover_replaced(api, old, run);
  }

 private:
  Result<void> go_back(DockerApi& api, const Assessment& seen, Run& run) {
    const Replaced old = replaced_of(seen.state);
    run.step("put the old container back", old.id);
    const auto back = try_to_go_back(api, old, run);
    run.finish_step();
    if (back) return {};
    if (back.error().code() != Errc::kNotFound) run.recover_later();
    return back.error();
  }
  Result<void> try_to_go_back(DockerApi& api, const Replaced& old, Run& run) {
    if (made_.empty()) {
      // Creating it may have been done even so.
      TRY(const auto made, find_made(api, old, run.command()));
      if (made) made_ = made->id;
    }
    TRY(const std::string left, put_back(api, old, made_, stop_asked_, run));
    if (!left.empty()) run.output(left + "\n");
    return {};
  }

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
                                     const wire::Parameters& parameters,
                                     const std::string& command = kThisCommand) {
    if (to.id == container.image_id) return refuse(container, "runs this image already");
    auto from = find_image(api, container.image_id);
    if (!from) {
      return refuse(container, "has an image that is gone, so what it says cannot be told apart: " +
                                   from.error().message());
    }
    if (from->platform != to.platform) {
      return refuse(container, "is made for " + from->platform + ", the image for " + to.platform);
    }
    return plan_recreation(container.document, *from, to, text_parameter(parameters, "image"),
                           command);
  }

  static Replaced replaced_of(const std::string& state) {
    return {state_value(state, "id"), state_value(state, "container"),
            state_value(state, "phase") == to_string(Phase::kUp), state_value(state, "policy"),
            state_value(state, "to_image")};
  }

  // comparable() of the new container, well where it is to run, and as it was planned.
  Result<json::object> look_at_made(DockerApi& api, const Replaced& old, Run& run) const {
    if (old.was_up) {
      run.step("wait until it is well", made_);
      TRY_VOID(wait_until_well(api, made_, run, kTimeToTell));
    }
    run.step("compare with the old container");
    TRY(const Container now, inspect_container(api, made_));
    json::object made = comparable(now.document, mounts_, run.command());
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
      stop_asked_ = true;
      TRY_VOID(api.post("/containers/" + old.id + "/stop", "", patience));
      run.step("start the new container", made_);
      TRY_VOID(api.post("/containers/" + made_ + "/start", "",
                        std::max(run.left() - kTimeToPutBack, 1'000ms)));
    }
    // Else the engine would start it too after its own restart.
    TRY_VOID(set_restart_policy(api, old.id, kNeverRestart));
    run.finish_step();
    return {};
  }

  const Host& host_;
  Recreation plan_;
  std::vector<std::string> mounts_;  // Where the old one has them
  std::string made_;                 // Id of the new container
  bool stop_asked_ = false;          // Of the old one
};

}  // namespace

void add_docker_rollback(const Host& host, Actions& actions) {
  actions["docker.rollback_image"] = std::make_unique<RollbackImage>(host);
}

}  // namespace observeai::agent::executor
