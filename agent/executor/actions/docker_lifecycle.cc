// docker.restart, docker.start, docker.stop
#include <boost/json.hpp>

#include "agent/executor/actions/docker_actions.h"
#include "agent/executor/actions/docker_target.h"
#include "agent/executor/actions/values.h"

namespace observeai::agent::executor {

namespace {

constexpr const char* kRestarted = "up, restarted";
constexpr std::uint32_t kStartMs = 1'000;  // What a start takes where there is nothing to wait for

Error not_so(const Container& container, std::string_view wanted) {
  return Error(Errc::kUnavailable, container.name + " is " +
                                       std::string(to_string(container.phase)) + " (" +
                                       container.status + "), not " + std::string(wanted));
}

std::string subject(const std::string& name) {
  return "container " + name;
}

class LifecycleAction : public Action {
 public:
  explicit LifecycleAction(const Host& host) : host_(host) {}

 protected:
  // The one that is meant, in the phase that the action needs.
  Result<Container> find(DockerApi& api, const wire::Parameters& parameters, Phase needed) const {
    TRY(Container container, resolve_target(api, text_parameter(parameters, "container")));
    if (container.phase != needed) return not_so(container, to_string(needed));
    return container;
  }
  Result<Assessment> assessment(DockerApi& api, const Container& container,
                                const std::string& after, std::uint32_t downtime_ms) const {
    Assessment out;
    out.target = container_target(container);
    out.state = container_state(container);
    out.diff = {{subject(container.name), std::string(to_string(container.phase)), after}};
    out.downtime_ms = downtime_ms;
    TRY(out.facts, container_facts(api, container));
    return out;
  }
  std::vector<wire::Change> change(const Assessment& seen, std::string after) const {
    return {{subject(state_value(seen.state, "container")), state_value(seen.state, "phase"),
             std::move(after)}};
  }

  const Host& host_;
};

class Restart final : public LifecycleAction {
 public:
  using LifecycleAction::LifecycleAction;

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, find(api, parameters, Phase::kUp));
    const std::int64_t stop_s = parameter<std::int64_t>(parameters, "stop_timeout_s");
    return assessment(api, container, kRestarted,
                      static_cast<std::uint32_t>(stop_s) * 1000U + kStartMs);
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, assessed_container(api, seen));
    started_before_ = container.started_at;
    run.step("restart", container.id);
    const std::int64_t stop_s = parameter<std::int64_t>(parameters, "stop_timeout_s");
    TRY_VOID(api.post("/containers/" + container.id + "/restart?t=" + std::to_string(stop_s), "",
                      std::chrono::seconds(stop_s + 60)));
    run.finish_step();
    return {};
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment& seen,
                                           Run& run) override {
    DockerApi api(host_.docker_socket, run);
    run.step("wait until it is well");
    TRY(const Container now, wait_until_well(api, state_value(seen.state, "id"), run));
    run.finish_step();
    if (now.started_at == started_before_) {
      return Error(Errc::kUnavailable, now.name + " was not restarted");
    }
    return change(seen, kRestarted);
  }

 private:
  std::string started_before_;
};

class Start final : public LifecycleAction {
 public:
  using LifecycleAction::LifecycleAction;

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, find(api, parameters, Phase::kDown));
    return assessment(api, container, "up", 0);
  }

  Result<void> execute(const wire::Parameters&, const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, assessed_container(api, seen));
    run.step("start", container.id);
    TRY_VOID(start_container(api, container.id));
    run.finish_step();
    return {};
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment& seen,
                                           Run& run) override {
    DockerApi api(host_.docker_socket, run);
    run.step("wait until it is well");
    TRY(const Container now, wait_until_well(api, state_value(seen.state, "id"), run));
    run.finish_step();
    return change(seen, std::string(to_string(now.phase)));
  }

  Result<void> undo(const wire::Parameters&, const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    run.step("stop");
    TRY_VOID(stop_container(api, state_value(seen.state, "id"), kStopTimeoutS));
    run.finish_step();
    return {};
  }
};

class Stop final : public LifecycleAction {
 public:
  using LifecycleAction::LifecycleAction;

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, find(api, parameters, Phase::kUp));
    if (container.removed_when_stopped) {
      return Error(Errc::kUnavailable,
                   container.name + " is removed when it stops (--rm): there is no way back");
    }
    return assessment(api, container, "down", 0);
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                       Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container container, assessed_container(api, seen));
    run.step("stop", container.id);
    TRY_VOID(
        stop_container(api, container.id, parameter<std::int64_t>(parameters, "stop_timeout_s")));
    run.finish_step();
    return {};
  }

  // By its policy the engine might start it again: it must stay down for a while.
  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment& seen,
                                           Run& run) override {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container first, assessed_container(api, seen));
    if (first.phase != Phase::kDown) return not_so(first, "down");
    pause_for(kStableFor, run);
    TRY(const Container now, assessed_container(api, seen));
    if (now.phase != Phase::kDown) return not_so(now, "down");
    return change(seen, std::string(to_string(now.phase)));
  }

  Result<void> undo(const wire::Parameters&, const Assessment& seen, Run& run) override {
    DockerApi api(host_.docker_socket, run);
    run.step("start");
    TRY_VOID(start_container(api, state_value(seen.state, "id")));
    TRY_VOID(wait_until_well(api, state_value(seen.state, "id"), run));
    run.finish_step();
    return {};
  }
};

}  // namespace

void add_docker_lifecycle(const Host& host, Actions& actions) {
  actions["docker.restart"] = std::make_unique<Restart>(host);
  actions["docker.start"] = std::make_unique<Start>(host);
  actions["docker.stop"] = std::make_unique<Stop>(host);
}

}  // namespace observeai::agent::executor
