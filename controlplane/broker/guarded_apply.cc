#include "controlplane/broker/guarded_apply.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "controlplane/broker/broker_user.h"
#include "controlplane/broker/mosquitto_process.h"
#include "controlplane/broker/supervisor.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr const char* kLoopback = "127.0.0.1";
constexpr milliseconds kScratchStart{3000};
constexpr milliseconds kRestartPatience{
    6000};  // The old one's end (1 s), the new one's start (3 s).
constexpr std::size_t kKeptGenerations = 3;
constexpr int kPortTries = 3;

milliseconds since(Steady::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Steady::now() - start);
}

// Free a moment ago; the caller tries again when somebody was faster.
Result<std::uint16_t> free_loopback_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return files::from_errno("cannot make a socket", errno);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool ok = ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  const int error = errno;
  ::close(fd);
  if (!ok) return files::from_errno("cannot find a free port", error);
  return ntohs(address.sin_port);
}

// The trial uses another port: whether the broker's user may open this one is asked here.
Result<void> check_port(const BrokerSettings& settings) {
  TRY(const auto user, find_broker_user(settings.user));
  if (!user) return {};
  const auto first = files::read("/proc/sys/net/ipv4/ip_unprivileged_port_start", 32);
  const auto limit = first ? text::parse_u64(text::trim(*first)) : std::nullopt;
  if (settings.port >= limit.value_or(1024)) return {};
  return Error(Errc::kInvalid, "port " + std::to_string(settings.port) +
                                   " can be opened by root only, and the broker runs as " +
                                   settings.user + ": choose a port from 1024 on");
}

Result<void> check_pem(const char* what, const std::string& text) {
  if (text.find("-----BEGIN ") != std::string::npos) return {};
  return Error(Errc::kInvalid, std::string("the broker's ") + what + " is not PEM");
}

}  // namespace

Result<ApplyReport> GuardedApply::apply(const ApplyRequest& request) {
  if (auto supervisor = ask_supervisor(options_.state_directory, "status", kRestartPatience);
      !supervisor) {
    return std::move(supervisor).error();
  }
  TRY(ApplyReport report, prepare(request));
  TRY_VOID(go_live(request.settings.port, report));
  return report;
}

Result<void> GuardedApply::settle(std::uint16_t port) {
  TRY(const std::string current, generations_.current());
  TRY(const std::string status,
      ask_supervisor(options_.state_directory, "status", kRestartPatience));
  if (is_up_with(status, current)) {
    if (generations_.is_checked(current)) return {};
    mqtt::enable_prompt_connects();
    auto checked = check_live(port, current);
    if (checked) return {};
    // A plain wrong answer; anything else may be the moment's fault and gets its restart.
    if (checked.error().code() == Errc::kDenied) return halt(std::move(checked).error());
  }
  ApplyReport report;
  report.generation = current;
  return go_live(port, report);
}

Result<ApplyReport> GuardedApply::prepare(const ApplyRequest& request) {
  const auto start = Steady::now();
  mqtt::enable_prompt_connects();
  if (auto valid = validate(request); !valid) {
    return std::move(valid).error().with_context("broker configuration refused, nothing changed");
  }
  auto generation = try_in_scratch(request);
  if (!generation) {
    return std::move(generation)
        .error()
        .with_context("broker configuration failed its trial, the active one was not touched");
  }
  ApplyReport report;
  report.generation = *generation;
  report.scratch = since(start);
  TRY_VOID(generations_.activate(*generation));
  generations_.prune(kKeptGenerations);
  return report;
}

Result<void> GuardedApply::validate(const ApplyRequest& request) const {
  TRY_VOID(check_port(request.settings));
  TRY_VOID(check_pem("CA bundle", request.files.ca_pem));
  TRY_VOID(check_pem("certificate", request.files.certificate_pem));
  TRY_VOID(check_pem("key", request.files.key_pem));
  TRY_VOID(check_pem("revocation list", request.files.crl_pem));
  if (request.files.acl.empty()) return Error(Errc::kInvalid, "the broker's ACL is empty");
  return options_.check_crl(request.files.crl_pem);
}

Result<std::string> GuardedApply::try_in_scratch(const ApplyRequest& request) {
  TRY(const auto user, find_broker_user(request.settings.user));
  TRY(const std::string generation, generations_.write(request.settings, request.files));
  const auto attempt = [&]() -> Result<void> {
    TRY(const std::uint16_t port, free_loopback_port());
    BrokerSettings scratch = request.settings;
    scratch.address = kLoopback;
    scratch.port = port;
    TRY(const std::string config, render_config(scratch));
    const std::string config_file = generation + "/scratch.conf";
    TRY_VOID(files::write_atomic(config_file, config, 0600));
    TRY_VOID(let_broker_read(config_file, user));
    TRY(const auto broker, MosquittoProcess::start({options_.program, config_file, false}));
    TRY_VOID(broker->wait_until_ready(kScratchStart));
    return run_canaries(options_.broker_host, port, options_.canaries, options_.make_client,
                        options_.patience);
  };
  auto passed = attempt();
  for (int i = 1; i < kPortTries && !passed &&
                  passed.error().message().find("Address already in use") != std::string::npos;
       ++i) {
    passed = attempt();
  }
  if (passed) return generation;
  std::error_code ignored;
  std::filesystem::remove_all(generation, ignored);
  return std::move(passed).error();
}

// The marks are moved first: who is killed here leaves a broker that the next start checks or starts.
Result<void> GuardedApply::go_live(std::uint16_t port, ApplyReport& report) {
  TRY_VOID(generations_.clear_checked());
  TRY_VOID(generations_.clear_halted());
  mqtt::enable_prompt_connects();
  auto start = Steady::now();
  const auto answer = ask_supervisor(options_.state_directory, "restart", kRestartPatience);
  // Without a supervisor there is no broker: nothing to halt.
  if (!answer && answer.error().code() == Errc::kUnavailable) return answer.error();
  if (!answer) return halt(answer.error());
  if (!answer->starts_with("up ")) {
    return halt(Error(Errc::kUnavailable,
                      "the broker did not start with the new configuration: " + *answer));
  }
  report.restart = since(start);
  start = Steady::now();
  auto checked = check_live(port, report.generation);
  report.live = since(start);
  if (!checked) return halt(std::move(checked).error());
  return {};
}

Result<void> GuardedApply::check_live(std::uint16_t port, const std::string& generation) const {
  TRY_VOID(run_canaries(options_.broker_host, port, options_.canaries, options_.make_client,
                        options_.patience));
  // Without the mark it is checked once more.
  if (auto marked = generations_.set_checked(generation); !marked)
    log::warning(marked.error().message());
  return {};
}

Error GuardedApply::halt(Error why) {
  const std::string reason = "the live check failed: " + why.message();
  if (auto marked = generations_.set_halted(reason); !marked) log::error(marked.error().message());
  auto answer = ask_supervisor(options_.state_directory, "halt", kRestartPatience);
  const std::string state = answer && *answer == "halted"
                                ? "the broker is stopped"
                                : "AND THE BROKER COULD NOT BE STOPPED: stop it by hand";
  return Error(why.code(), reason + "; " + state);
}

}  // namespace observeai::controlplane
