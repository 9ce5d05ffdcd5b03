#include "agent/app/commands.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include <CLI/CLI.hpp>

#include "agent/app/agent.h"
#include "agent/app/executor_handover.h"
#include "agent/config/agent_config.h"
#include "agent/enroll/enroller.h"
#include "agent/runtime/process_limits.h"
#include "agent/runtime/syscall_guard.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/config/program.h"

namespace observeai::agent {
namespace {

constexpr const char* kDefaultConfigFile = "/etc/observeai/agent.toml";
// One for each followed log and a few for each container; the usual soft limit is 1024.
constexpr std::uint64_t kOpenFiles = 65'536;
constexpr std::uint64_t kFewOpenFiles = 4'096;  // Not enough for a few hundred containers
constexpr const char* kProgram = "observeai-agent";

int fail(const Error& error, int code = kFailed) {
  std::cerr << kProgram << ": " << error.message() << "\n";
  return code;
}

std::string hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

std::string identity_folder(const AgentConfig& config) {
  return config.state_dir + "/identity";
}

struct Options {
  const config::Program& program;  // Which settings file
  std::string server{};
  std::string token{};
  std::string token_file{};
  bool explain = false;
  bool quiet = false;
  bool force = false;

  Result<AgentConfig> load() const {
    return load_agent_config(program.settings_file(), program.must_exist());
  }
};

// "host:port", "[::1]:8443", "host" (port 8443)
Result<std::pair<std::string, std::uint16_t>> parse_server(const std::string& text) {
  const auto bad = [&] {
    return Error(Errc::kInvalid, "the server must be HOST or HOST:PORT, got \"" +
                                     text::escape_unprintable(text, 100) + "\"");
  };
  std::string host = text;
  std::uint64_t port = 8443;
  const auto colon = text.rfind(':');
  const bool bracketed = text.starts_with('[');
  if (colon != std::string::npos &&
      (bracketed ? text.find(']') < colon : text.find(':') == colon)) {
    host = text.substr(0, colon);
    const auto number = text::parse_u64(text.substr(colon + 1));
    if (!number || *number == 0 || *number > 65'535) return bad();
    port = *number;
  }
  if (bracketed) {
    if (!host.ends_with(']')) return bad();
    host = host.substr(1, host.size() - 2);
  }
  if (host.empty()) return bad();
  return std::pair(host, static_cast<std::uint16_t>(port));
}

void print_step(const Step& step) {
  const char* state = step.state == StepState::kOk       ? "ok     "
                      : step.state == StepState::kFailed ? "FAILED "
                                                         : "skipped";
  std::cout << state << "  " << step.name;
  if (!step.detail.empty()) std::cout << ": " << step.detail;
  std::cout << "\n";
  if (!step.next.empty()) std::cout << "         -> " << step.next << "\n";
  std::cout.flush();
}

// An enrollment is whole without an executor: what is missing is said, and can be made up for. True when the
// executor got the identity now.
bool prepare_executor(const AgentConfig& config, IdentityStore& store) {
  if (config.executor_trust_dir.empty()) return false;
  const auto handed = hand_over_to_executor(config.executor_trust_dir, store);
  if (handed) return *handed;
  std::cerr << kProgram << ": this host executes no commands yet: " << handed.error().message()
            << "\n  run as root: observeai-agent enroll\n";
  return false;
}

// Enrolled by root, run by the agent's user, who renews the certificate. False: it is said.
bool give_to_agent(const AgentConfig& config, const IdentityStore& store) {
  const auto given = store.give_to_owner_of(config.state_dir);
  if (!given) fail(given.error());
  return given.has_value();
}

int enroll(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  const auto server = parse_server(options.server.empty() ? config->server : options.server);
  if (!server) return fail(server.error(), kUsage);
  IdentityStore store(identity_folder(*config));
  // An enrollment that was interrupted before its confirmation goes on; a finished one is not
  // repeated.
  if (const auto identity = store.load(); identity && identity->confirmed && !options.force) {
    if (!give_to_agent(*config, store)) return kFailed;
    if (prepare_executor(*config, store)) {
      if (!options.quiet) std::cout << "The executor of this host knows its identity now.\n";
      return kOk;
    }
    return fail(Error(Errc::kInvalid, "this host is already enrolled as " +
                                          identity->agent.value() + " (" + store.folder() +
                                          "); --force gives it a new identity"));
  }
  EnrollOptions enrollment;
  enrollment.server_host = server->first;
  enrollment.server_port = server->second;
  enrollment.token.argument = options.token;
  enrollment.token.named_file = options.token_file;
  if (const char* variable = std::getenv(kTokenVariable)) enrollment.token.environment = variable;
  enrollment.hostname = hostname();
  enrollment.machine_id_sha256 = read_machine_id_sha256();
  enrollment.agent_version = OBSERVEAI_VERSION;
  enrollment.force = options.force;
  const SystemClock clock;
  Enroller enroller(enrollment, store, http::make_https_client, clock,
                    options.explain ? print_step : std::function<void(const Step&)>());
  const EnrollReport report = enroller.run();
  if (report.error) {
    std::cerr << kProgram << ": " << report.error->message() << "\n";
    for (const auto& step : report.steps) {
      if (step.state != StepState::kFailed) continue;
      std::cerr << "  step: " << step.name << "\n";
      if (!step.next.empty()) std::cerr << "  " << step.next << "\n";
    }
    return kFailed;
  }
  if (report.agent) prepare_executor(*config, store);
  if (!give_to_agent(*config, store)) return kFailed;
  if (!options.quiet && report.agent) {
    std::cout << "This host is enrolled as " << report.agent->value()
              << (report.active ? ".\n"
                                : "; it waits for approval: observeai agent approve " +
                                      report.agent->value() + "\n");
  }
  return kOk;
}

int run(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  log::setup(kProgram, log::parse_level(config->log_level).value_or(log::Level::kInfo));
  IdentityStore store(identity_folder(*config));
  auto identity = store.load();
  if (!identity) {
    const bool absent = identity.error().code() == Errc::kNotFound;
    return fail(absent ? Error(Errc::kNotFound,
                               "this host is not enrolled yet. Make a token on the control plane "
                               "(observeai token "
                               "create) and run here: observeai-agent enroll --token-file FILE")
                       : identity.error());
  }
  keep_one_heap();
  if (const auto guarded = refuse_foreign_syscalls(); !guarded)
    log::warning("this process could start programs and write into others: " +
                 guarded.error().message());
  if (const auto files = raise_open_files(kOpenFiles); !files || *files < kFewOpenFiles)
    log::warning("few files may be open at one time: " +
                 (files ? std::to_string(*files) : files.error().message()));
  auto agent = Agent::create(*config, store, std::move(*identity));
  if (!agent) return fail(agent.error());
  const auto ended = (*agent)->run();
  return ended ? kOk : fail(ended.error(), kBug);
}

int print_config(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  std::cout << config::print_toml(*config);
  return kOk;
}

int show_identity(const Options& options) {
  const auto config = options.load();
  if (!config) return fail(config.error(), kUsage);
  const auto identity = IdentityStore(identity_folder(*config)).load();
  if (!identity) return fail(identity.error());
  std::cout << "agent        " << identity->agent.value() << "\n"
            << "tenant       " << identity->tenant.value() << ", shard " << identity->shard << "\n"
            << "server       " << identity->server.host << ":" << identity->server.port << "\n"
            << "server key   " << identity->server.spki_sha256 << "\n"
            << "certificate  serial " << identity->certificate.serial << ", ends "
            << text::format_time_ms(identity->certificate.not_after_ms) << "\n";
  for (const auto& broker : identity->brokers)
    std::cout << "broker       " << broker.host << ":" << broker.port << "\n";
  return kOk;
}

// The arguments of a process are for every user to see. This shortens the moment; only --token-file
// avoids it.
void hide_tokens(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (const auto token = word.find("oai1."); token != std::string_view::npos)
      std::fill(argv[i] + token, argv[i] + word.size(), 'x');
  }
}

}  // namespace

int run_agent_program(int argc, char** argv) {
  config::Program program(
      {kProgram, "Collects what happens on this host and reports it to the control plane.",
       kDefaultConfigFile,
       "Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage or configuration, 75 a "
       "bug: start again."});
  Options options{.program = program};
  const auto command = [&](const char* name, const char* help, int (*what)(const Options&)) {
    return &program.command(name, help, [&options, what] { return what(options); });
  };
  command("run", "Collect and report until stopped", run);
  CLI::App* enrollment =
      command("enroll", "Make this host known to a control plane, with a token", enroll);
  auto* token = enrollment->add_option(
      "TOKEN", options.token,
      "oai1.... (other users of this host can see it); else $OBSERVEAI_ENROLL_TOKEN, else "
      "/etc/observeai/enroll.token");
  enrollment
      ->add_option("--token-file", options.token_file,
                   "A file that holds the token; \"-\" is standard input")
      ->excludes(token);
  enrollment->add_option(
      "-s,--server", options.server,
      "The control plane's HTTPS address HOST[:PORT] (default: from the settings)");
  enrollment->add_flag("--explain", options.explain,
                       "Print each step, and what to do when one fails");
  enrollment->add_flag("-q,--quiet", options.quiet, "Print nothing when it went well");
  enrollment->add_flag("--force", options.force, "Replace the identity this host has");
  command("identity", "Who this host is", show_identity);
  command("print-config", "All settings with their defaults, as TOML", print_config);
  return program.run(argc, argv, [&] {
    hide_tokens(argc, argv);
    return static_cast<int>(kOk);
  });
}

}  // namespace observeai::agent
