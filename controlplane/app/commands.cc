#include "controlplane/app/commands.h"

#include <signal.h>

#include <functional>
#include <iostream>

#include "controlplane/app/admin_socket.h"
#include "controlplane/app/control_plane.h"
#include "controlplane/broker/supervisor.h"
#include "controlplane/config/controlplane_config.h"
#include "protocol/base/log.h"
#include "protocol/config/program.h"

namespace observeai::controlplane {
namespace {

constexpr const char* kDefaultConfigFile = "/etc/observeai/controlplane.toml";
constexpr const char* kProgram = "observeai-controlplane";

int fail(const Error& error, int code = kFailed) {
  std::cerr << kProgram << ": " << error.message() << "\n";
  return code;
}

int run(const ControlPlaneConfig& config) {
  auto control_plane = ControlPlane::create(config);
  if (!control_plane) return fail(control_plane.error());
  (*control_plane)->run();
  return kOk;
}

// For the signal handler: set once, before the handler is.
BrokerSupervisor* running_supervisor = nullptr;

int run_broker(const ControlPlaneConfig& config) {
  BrokerSupervisor::Options options;
  options.state_directory = config.state_dir;
  auto supervisor = BrokerSupervisor::create(options);
  if (!supervisor) return fail(supervisor.error());
  running_supervisor = supervisor->get();
  struct sigaction action {};
  action.sa_handler = [](int) { running_supervisor->stop(); };
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGINT, &action, nullptr);
  (*supervisor)->run();
  return kOk;
}

int ask(const ControlPlaneConfig& config, const char* request) {
  const auto answer = ask_controlplane(config.state_dir, request, std::chrono::seconds(10));
  if (!answer) return fail(answer.error());
  std::cout << *answer << "\n";
  return kOk;
}

int ping(const ControlPlaneConfig& config) {
  const auto answer = ask_controlplane(config.state_dir, "ping", std::chrono::seconds(2));
  if (!answer) return fail(answer.error());
  return *answer == "pong" ? kOk : kFailed;
}

int print_config(const ControlPlaneConfig& config) {
  std::cout << config::print_toml(config);
  return kOk;
}

}  // namespace

int run_controlplane_program(int argc, char** argv) {
  config::Program program({kProgram, "Enrolls hosts, stores what they report, answers the console.",
                           kDefaultConfigFile});
  ControlPlaneConfig settings;
  const auto command = [&](const char* name, const char* help,
                           std::function<int(const ControlPlaneConfig&)> what) {
    program.command(name, help, [&settings, what = std::move(what)] { return what(settings); });
  };
  command("run", "The control plane: API, ingest, store", run);
  command("broker", "Keep the broker running beside it", run_broker);
  command("login-code", "A one-time login for an administrator (for the owner of the state folder)",
          [](const ControlPlaneConfig& config) { return ask(config, "login-code"); });
  command("ping", "Succeeds when the control plane of this state folder is ready", ping);
  command("print-config", "All settings with their defaults, as TOML", print_config);
  return program.run(argc, argv, [&] {
    auto loaded = load_controlplane_config(program.settings_file(), program.must_exist());
    if (!loaded) return fail(loaded.error(), kUsage);
    settings = *std::move(loaded);
    log::setup(kProgram, log::parse_level(settings.log_level).value_or(log::Level::kInfo));
    return static_cast<int>(kOk);
  });
}

}  // namespace observeai::controlplane
