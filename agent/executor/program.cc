#include "agent/executor/program.h"

#include <fcntl.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <functional>
#include <iostream>

#include <CLI/CLI.hpp>

#include "agent/executor/actions/registry.h"
#include "agent/executor/client.h"
#include "agent/executor/executor.h"
#include "agent/executor/executor_config.h"
#include "agent/executor/gateway.h"
#include "agent/executor/server.h"
#include "agent/runtime/process_limits.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/config/command_line.h"
#include "protocol/config/program.h"
#include "protocol/sql/directory_lock.h"

namespace observeai::agent::executor {
namespace {

constexpr const char* kProgram = "observeai-executor";
constexpr const char* kDefaultConfigFile = "/etc/observeai/executor.toml";
constexpr unsigned kStateMode = 0700;

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = config::kUsageExitCode };

int fail(const Error& error, int code = kFailed) {
  std::cerr << kProgram << ": " << error.message()
            << (error.code() == Errc::kDenied && ::geteuid() != 0 ? "; run it as root" : "")
            << "\n";
  return code;
}

struct Options {
  const config::Program& program;  // Which settings file
  std::string policy_directory{};

  Result<ExecutorConfig> load() const {
    return load_executor_config(program.settings_file(), program.must_exist());
  }
};

// The socket that systemd listens at: sd_listen_fds(3) without its library.
std::optional<UniqueFd> inherited_socket() {
  constexpr int kFirst = 3;
  const char* process = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  if (process == nullptr || count == nullptr || std::to_string(::getpid()) != process ||
      std::string_view(count) != "1")
    return std::nullopt;
  ::fcntl(kFirst, F_SETFD, FD_CLOEXEC);
  ::fcntl(kFirst, F_SETFL, O_NONBLOCK);
  return UniqueFd(kFirst);
}

// One heap, no dump with a key in it, and no more descriptors than connections, ledger and pipes need; the
// hard limit stays, for the programs that actions start.
void limit_process() {
  constexpr rlim_t kOpenFiles = 256;
  ::mallopt(M_ARENA_MAX, 1);
  const struct rlimit none { 0, 0 };
  ::setrlimit(RLIMIT_CORE, &none);
  struct rlimit open_files {};
  if (::getrlimit(RLIMIT_NOFILE, &open_files) != 0) return;
  open_files.rlim_cur = std::min(kOpenFiles, open_files.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &open_files);
}

Result<UniqueFd> stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  // For every thread that comes; programs that are started get theirs back.
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  UniqueFd descriptor(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!descriptor) return files::from_errno("signalfd", errno);
  return descriptor;
}

// What each phase of a start, and of a command, needed is the kernel's again when it is over.
void give_back() {
  give_back_free_memory();
  give_back_unused_code();
}

Result<void> serve_until_stopped(const ExecutorConfig& config) {
  limit_process();
  give_back();
  TRY(const auto stop, stop_signals());
  TRY_VOID(files::make_directories(config.state_dir, kStateMode));
  TRY(const auto lock, sql::DirectoryLock::acquire(config.state_dir));
  ServerOptions options;
  options.allowed = {::geteuid()};
  uid_t asker = ::geteuid();
  if (const auto agent = user_id(config.agent_user)) {
    options.allowed.push_back(*agent);
    if (::geteuid() == 0) asker = *agent;
  } else if (::geteuid() == 0) {
    log::warning(agent.error().message() + ": only root may ask");
  }
  auto listener = inherited_socket();
  if (listener) {
    options.idle_exit = config.idle_exit;
  } else {
    TRY(listener, listen_at(config.socket, asker));
  }
  const SystemClock clock;
  const SystemHostTime time;
  Host host = host_of(config);
  host.clock = &clock;
  options.rest = give_back;
  Executor executor(places_of(config), clock, time, host, make_actions(host), give_back);
  give_back();  // Or settings and users' names stay beneath what the trust needs
  executor.open();
  give_back();
  log::info("ready");
  return serve(executor, listener->get(), stop.get(), clock, options);
}

// Another process than the executor proper: it stays as long as the agent listens to the engine's events.
Result<void> gateway_until_stopped(const ExecutorConfig& config) {
  limit_process();
  TRY(const auto stop, stop_signals());
  GatewayOptions options;
  options.docker_socket = config.docker_socket;
  options.allowed = {::geteuid()};
  gid_t group = ::getegid();
  const struct passwd* agent = ::getpwnam(config.agent_user.c_str());
  if (agent != nullptr) {
    options.allowed.push_back(agent->pw_uid);
    if (::geteuid() == 0) group = agent->pw_gid;
  } else {
    log::warning("no user " + config.agent_user + ": only root may ask the gateway");
  }
  auto listener = inherited_socket();
  if (!listener) {
    TRY(listener, listen_for_group(config.gateway_socket, group));
  }
  const SystemClock clock;
  give_back_unused_code();  // It stays for long and needs a small part of what a start touches
  return run_gateway(listener->get(), stop.get(), clock, options);
}

int gateway(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  log::setup(kProgram, log::parse_level(config->log_level).value_or(log::Level::kInfo));
  const auto ended = gateway_until_stopped(*config);
  return ended ? kOk : fail(ended.error());
}

int run(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  log::setup(kProgram, log::parse_level(config->log_level).value_or(log::Level::kInfo));
  const auto ended = serve_until_stopped(*config);
  return ended ? kOk : fail(ended.error());
}

int print_config(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  std::cout << config::print_toml(*config);
  return kOk;
}

int check_policy(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  const std::string directory =
      options.policy_directory.empty() ? config->policy_dir : options.policy_directory;
  const bool there = files::exists(directory);
  if (!there && !options.policy_directory.empty())
    return fail(Error(Errc::kNotFound, "there is no folder " + directory));
  const auto policy = load_policy(directory, trusted_owner(*config));
  if (!policy) return fail(policy.error());
  std::cout << "folder     " << directory << (there ? "" : " (not there: only dry runs)") << "\n"
            << "policy     " << text::to_hex(policy->hash) << "\n"
            << "commands   "
            << (is_disabled(directory)
                    ? "switched off by " + kill_switch_path(directory)
                    : std::string(policy->enabled ? "enabled" : "dry runs only (enabled = false)"))
            << "\n"
            << "tiers      up to " << policy->max_tier
            << "; persons who approve: " << policy->approvals[0] << ", " << policy->approvals[1]
            << ", " << policy->approvals[2] << "\n"
            << "limits     " << policy->max_per_hour << " in an hour, one for each target in "
            << text::format_duration_ms(policy->cooldown.count()) << "\n";
  for (const auto& rule : policy->allow) {
    std::cout << "allows     " << rule.action;
    for (const auto& target : rule.targets) std::cout << " " << target;
    std::cout << (rule.windows.empty() ? "" : " (at certain times)") << "\n";
  }
  for (const auto& one : policy->lists.vacuum_directories)
    std::cout << "vacuum     " << one << "\n";
  for (const auto& [name, cache] : policy->lists.caches)
    std::cout << "cache      " << name << " at " << cache.address << "\n";
  for (const auto& [name, runbook] : policy->lists.runbooks)
    std::cout << "runbook    " << name << " is " << runbook.path << "\n";
  return kOk;
}

int status(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  const auto reply = ask(config->socket, {FrameKind::kStatus, ""}, std::chrono::seconds(10));
  if (!reply) return fail(reply.error());
  const auto status = decode_status(reply->body);
  if (!status) return fail(status.error());
  std::cout << "state      " << status->state << "\n"
            << "session    " << text::to_hex(status->session) << "\n"
            << "command    " << status->command_seq << " was the last\n"
            << "root       version " << status->root_version << "\n"
            << "policy     " << (status->policy_hash.empty() ? "-" : status->policy_hash) << "\n";
  return kOk;
}

}  // namespace

int run_executor_program(int argc, char** argv) {
  // Binding the libraries touched 5 MiB of them, next to none of which is needed again.
  give_back_unused_code();
  config::Program program({kProgram,
                           "Does on this host what was approved, after checking every signature "
                           "and this host's policy.",
                           kDefaultConfigFile});
  Options options{.program = program};
  const auto command = [&](const char* name, const char* help, int (*what)(const Options&)) {
    return &program.command(name, help, [&options, what] { return what(options); });
  };
  command("run", "Check and execute commands until stopped", run);
  command("gateway", "Let the agent read from the Docker engine, and nothing more", gateway);
  command("status", "What the running executor says of itself", status);
  command("check-policy", "Read the policy as the executor does, and say what it allows",
          check_policy)
      ->add_option("FOLDER", options.policy_directory, "Another folder than that of the settings");
  command("print-config", "All settings with their defaults, as TOML", print_config);
  return program.run(argc, argv);
}

}  // namespace observeai::agent::executor
