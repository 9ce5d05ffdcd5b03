#include "agent/executor/actions/diagnostics_actions.h"

#include <unistd.h>

#include <thread>

#include "agent/executor/actions/diagnostics_report.h"
#include "agent/executor/actions/docker_target.h"
#include "agent/executor/actions/values.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBetweenLooks{500};
constexpr std::size_t kMaxCgroupBytes = 16U << 10;

std::string bytes(std::int64_t count) {
  return text::format_bytes(static_cast<double>(count));
}

class CollectDiagnostics final : public Action {
 public:
  explicit CollectDiagnostics(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    Assessment seen;
    std::map<std::string, std::string> facts = {{"target", "host"}};
    const auto name = parameter<std::string>(parameters, "container", "");
    if (!name.empty()) {
      DockerApi api(host_.docker_socket, run);
      TRY(const Container container, resolve_container(api, name));
      facts["container"] = container.id;
    }
    seen.state = state_text(facts);
    return seen;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment&, Run& run) override {
    run.step("read");
    // A container first: it is what was asked for, and output keeps its beginning.
    const auto name = parameter<std::string>(parameters, "container", "");
    if (!name.empty()) {
      TRY_VOID(container(name, run));
    }
    run.output(report_load(host_.proc_root));
    run.output(report_memory(host_.proc_root));
    run.output(report_pressure(host_.proc_root));
    run.output(report_disks(host_.proc_root));
    TRY_VOID(processes(run));
    run.output(report_oom("/dev/kmsg"));
    return run.check();
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment&,
                                           Run&) override {
    return std::vector<wire::Change>{};
  }

 private:
  Result<void> container(const std::string& name, Run& run) const {
    DockerApi api(host_.docker_socket, run);
    TRY(const Container one, resolve_container(api, name));
    run.output("container: " + one.name + " " + one.id + "\ncontainer: image " + one.image_id +
               "\ncontainer: " + one.status + (one.health.empty() ? "" : ", " + one.health) +
               ", exit code " + std::to_string(one.exit_code) + ", started " +
               text::escape_unprintable(one.started_at, 64) + ", " + std::to_string(one.restarts) +
               " restarts, policy " + text::escape_unprintable(one.restart_policy, 32) +
               "\ncontainer: memory limit " +
               (one.memory_bytes == 0 ? "none" : bytes(one.memory_bytes)) + "\n");
    const auto pid = integer_at(object_at(one.document, "State"), "Pid");
    if (pid <= 1) return {};
    auto cgroup =
        files::read(host_.proc_root + "/" + std::to_string(pid) + "/cgroup", kMaxCgroupBytes);
    run.output(cgroup ? report_cgroup(host_.cgroup_root, *cgroup)
                      : "cgroup: " + cgroup.error().message() + "\n");
    return {};
  }

  Result<void> processes(Run& run) const {
    TRY_VOID(run.check());
    const auto began = std::chrono::steady_clock::now();
    const auto before = look_at_processes(host_.proc_root);
    std::this_thread::sleep_for(std::min(kBetweenLooks, run.left() / 2));
    const auto after = look_at_processes(host_.proc_root);
    const std::chrono::duration<double> between = std::chrono::steady_clock::now() - began;
    run.output(report_processes(before, after, between.count(),
                                static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE)),
                                static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK))));
    return {};
  }

  const Host& host_;
};

}  // namespace

void add_diagnostics_actions(const Host& host, Actions& actions) {
  actions.emplace("collect.diagnostics", std::make_unique<CollectDiagnostics>(host));
}

}  // namespace observeai::agent::executor
