// The unprivileged parts of a host: the agent, which has no access to the Docker engine, the gateway
// through which it reads, the signer. A unit that is shipped lends its sandbox to a program that tries
// what it must not do.
#include <sys/stat.h>

#include <iostream>

#include "agent/enroll/identity.h"
#include "protocol/base/clock.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "tests/integration/systemd/unit_rig.h"
#include "tests/support/test_root.h"

using namespace observeai;
using test::call;
using test::processes_of;
using test::shown;
using test::wait_until;

namespace {

constexpr const char* kGatewaySocket = "/run/observeai/docker-gateway.sock";
constexpr const char* kUnits[] = {"observeai-agent.service", "observeai-executor.service",
                                  "observeai-docker-gateway.service", "observeai-signer.service"};

// An engine as Docker's packages leave it: its socket is of root and the group docker.
void start_engine() {
  static const bool done = [] {
    test::write("/observeai-test/engine.py", R"(
import os, pathlib, shutil, sys, time
sys.path.insert(0, "/observeai-test")
from fake_engine import FakeEngine
engine = FakeEngine(pathlib.Path("/run"))
engine.create("web", folder=pathlib.Path("/var/lib/engine"))
shutil.chown(engine.socket, "root", "docker")
os.chmod(engine.socket, 0o660)
while True: time.sleep(3600)
)");
    test::write("/run/systemd/system/engine.service",
                "[Service]\nExecStart=/usr/bin/python3 /observeai-test/engine.py\n");
    call({"/usr/bin/systemctl", "daemon-reload"});
    call({"/usr/bin/systemctl", "start", "engine.service"});
    wait_until("the engine listens", [] {
      struct stat info {};
      return ::stat("/run/docker.sock", &info) == 0 && (info.st_mode & 0777) == 0660;
    });
    return true;
  }();
  (void)done;
}

// What curl prints of a request to a unix socket as a user: the body and the status; "refused" when it
// may not connect.
std::string request(const std::string& user, const std::string& socket, const std::string& method,
                    const std::string& target) {
  const auto end = test::outcome_of(
      {"/usr/bin/setpriv", "--reuid=" + user, "--clear-groups", "/usr/bin/curl", "-s", "-m", "10",
       "-X", method, "-w", "\n%{http_code}", "--unix-socket", socket, "http://engine" + target});
  return end.exit_code == 7 ? "refused" : end.output;
}

// Runs `python` once with everything of the unit's [Service] but what it starts: what it printed.
std::string in_sandbox_of(const std::string& unit, const std::string& python) {
  std::string service;
  bool in_service = false;
  const auto text = *files::read("/etc/systemd/system/" + unit);
  for (const auto line : text::split(text, '\n')) {
    if (line.starts_with("[")) in_service = line == "[Service]";
    const bool starts = line.starts_with("Exec") || line.starts_with("Type=") ||
                        line.starts_with("Restart") || line.starts_with("Watchdog") ||
                        line.starts_with("NotifyAccess");
    if (in_service && !starts) service.append(line).append("\n");
  }
  test::write("/observeai-test/probe.py", python);
  test::write("/run/systemd/system/probe.service",
              service +
                  "Type=oneshot\nExecStart=/usr/bin/python3 -B /observeai-test/probe.py\n"
                  "StandardOutput=truncate:/out/probe\nStandardError=inherit\n");
  call({"/usr/bin/systemctl", "daemon-reload"});
  const auto end = test::outcome_of({"/usr/bin/systemctl", "start", "probe.service"});
  const auto said = *files::read("/out/probe");
  CHECK_MESSAGE(end.succeeded(), unit << ": " << end.output << said);
  return said;
}

// Each prints "<what>: yes" when it could be done, else the reason.
constexpr const char* kProbe = R"(
import ctypes, os, socket, subprocess
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, action):
    try:
        action()
        print(what + ": yes")
    except OSError as error:
        print(what + ": " + str(error.strerror))
def system_call(number, *arguments):
    if libc.syscall(number, *arguments) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def connect(path):
    socket.socket(socket.AF_UNIX).connect(path)
def write(path):
    open(path, "w")
def network():
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"x", ("127.0.0.1", 9))
piece = ctypes.create_string_buffer(8)
class Vector(ctypes.Structure):
    _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
vector = Vector(ctypes.addressof(piece), 8)
attempt("engine", lambda: connect("/run/docker.sock"))
attempt("write /usr", lambda: write("/usr/probe"))
attempt("write /etc", lambda: write("/etc/probe"))
attempt("write /var/log", lambda: write("/var/log/probe"))
attempt("read /etc/shadow", lambda: open("/etc/shadow").read())
attempt("network", network)
attempt("ptrace", lambda: system_call(101, 16, 1, 0, 0))
at = ctypes.byref(vector)
attempt("write to memory", lambda: system_call(311, os.getpid(), at, 1, at, 1, 0))
attempt("namespace", lambda: system_call(272, 0x10000000))
attempt("become root", lambda: os.setuid(0) if os.getuid() else open("/nonexistent"))
attempt("sees init", lambda: os.listdir("/proc/1"))
)";

}  // namespace

TEST_CASE("systemd has nothing to say about the units, and finds little exposed") {
  test::UnitRig rig;
  for (const char* unit : {"observeai-agent.service", "observeai-executor.service",
                           "observeai-executor.socket", "observeai-docker-gateway.service",
                           "observeai-docker-gateway.socket", "observeai-signer.service"}) {
    CAPTURE(unit);
    const auto end = test::outcome_of({"/usr/bin/systemd-analyze", "verify", "--man=no",
                                       std::string("/etc/systemd/system/") + unit});
    CHECK(end.exit_code == 0);
    CHECK(end.output.find("observeai") == std::string::npos);
  }
  // In tenths. The agent reads all files and processes; the executor changes the host.
  const std::pair<const char*, int> bounds[] = {
      {kUnits[0], 32}, {kUnits[1], 44}, {kUnits[2], 6}, {kUnits[3], 6}};
  for (const auto& [unit, most] : bounds) {
    const auto end = test::outcome_of({"/usr/bin/systemd-analyze", "security", "--no-pager",
                                       "--threshold=" + std::to_string(most), unit});
    const auto last = end.output.rfind("Overall exposure");
    REQUIRE(last != std::string::npos);
    std::cout << end.output.substr(last);
    CHECK(end.exit_code == 0);
  }
}

TEST_CASE("the agent reads from the engine through the gateway, and not otherwise") {
  test::UnitRig rig;
  start_engine();
  call({"/usr/bin/systemctl", "start", "observeai-docker-gateway.socket"});
  CHECK(shown("observeai-docker-gateway.service", "ActiveState") == "inactive");
  CHECK(request("observeai", "/run/docker.sock", "GET", "/_ping") == "refused");
  CHECK(request("observeai", kGatewaySocket, "GET", "/_ping") == "OK\n200");
  CHECK(request("observeai", kGatewaySocket, "GET", "/containers/json").find("web") !=
        std::string::npos);
  CHECK(request("observeai", kGatewaySocket, "POST", "/containers/create").ends_with("403"));
  CHECK(request("nobody", kGatewaySocket, "GET", "/_ping") == "refused");
  const auto pid = shown("observeai-docker-gateway.service", "MainPID");
  const auto status = *files::read("/proc/" + pid + "/status");
  CHECK(status.find("CapEff:\t0000000000000000") != std::string::npos);
  CHECK(status.find("\nUid:\t0") == std::string::npos);
  call({"/usr/bin/systemctl", "kill", "-s", "KILL", "observeai-docker-gateway.service"});
  wait_until("the gateway is back",
             [] { return request("observeai", kGatewaySocket, "GET", "/_ping") == "OK\n200"; });
  CHECK(shown("observeai-docker-gateway.socket", "ActiveState") == "active");
}

TEST_CASE("the agent as a unit: no settings, no group, and it finds the containers") {
  test::UnitRig rig;
  start_engine();
  call({"/usr/bin/systemctl", "start", "observeai-docker-gateway.socket",
        "observeai-executor.socket"});
  call({"/usr/bin/systemctl", "stop", "observeai-docker-gateway.service",
        "observeai-executor.service"});
  const pki::Validity now = pki::validity_from(SystemClock().unix_ms(), 86'400'000);
  auto authority_key = pki::PrivateKey::generate().value();
  auto authority_certificate = pki::make_authority(authority_key, "test", now).value();
  const pki::Authority authority{std::move(authority_key), std::move(authority_certificate)};
  auto key = pki::PrivateKey::generate().value();
  const auto asked = pki::make_request(key, "agent-1").value();
  auto certificate = pki::issue_client(authority, asked, "agent-1", now).value();
  agent::Identity identity{rig.keys.agent,
                           rig.keys.tenant,
                           0,
                           {"127.0.0.1", 1, std::string(64, 'a')},
                           {{"127.0.0.1", 1}},
                           std::move(key),
                           std::move(certificate),
                           authority.certificate.pem,
                           signing::generate_key_agreement_pair(),
                           signing::generate_key_agreement_pair().public_key,
                           std::nullopt,
                           test::TestRoot().envelope(1),
                           true};
  agent::IdentityStore store("/var/lib/observeai/identity");
  REQUIRE(store.save(identity).has_value());
  REQUIRE(store.give_to_owner_of("/var/lib/observeai").has_value());  // As enroll does
  const auto start = test::outcome_of({"/usr/bin/systemctl", "start", "observeai-agent.service"});
  INFO(call({"/usr/bin/journalctl", "--no-pager", "-u", "observeai-agent.service"}));
  REQUIRE(start.succeeded());
  CHECK(shown("observeai-agent.service", "User") == "observeai");
  wait_until("it asked the gateway",
             [] { return shown("observeai-docker-gateway.service", "ActiveState") == "active"; });
  wait_until("it asked the executor",
             [] { return !processes_of("/usr/bin/observeai-executor").empty(); });
  call({"/usr/bin/systemctl", "stop", "observeai-agent.service"});
  CHECK(shown("observeai-agent.service", "Result") == "success");
}

TEST_CASE("what each sandbox keeps its program from") {
  test::UnitRig rig;
  start_engine();
  const auto no = [](const std::string& said, const std::string& what) {
    return said.find(what + ": ") != std::string::npos &&
           said.find(what + ": yes") == std::string::npos;
  };
  for (const char* unit : kUnits) {
    const auto said = in_sandbox_of(unit, kProbe);
    CAPTURE(unit);
    CAPTURE(said);
    for (const char* what : {"write /usr", "write /etc", "ptrace", "namespace", "become root"})
      CHECK_MESSAGE(no(said, what), what);
    const bool executor = unit == kUnits[1];
    const bool gateway = unit == kUnits[2];
    const bool agent = unit == kUnits[0];
    if (agent) CHECK(said.find("write to memory: Operation not permitted") != std::string::npos);
    CHECK(no(said, "engine") == !(executor || gateway));
    CHECK(no(said, "write /var/log") == !executor);
    CHECK(no(said, "read /etc/shadow") == !(executor || agent));
    CHECK(no(said, "network") == !(executor || agent));
    CHECK(no(said, "sees init") == !(executor || agent));
  }
}

TEST_CASE("the signer starts with a key of its own and is asked by root") {
  test::UnitRig rig;
  call({"/usr/bin/systemctl", "start", "observeai-signer.service"});
  wait_until("it answers", [] {
    return test::outcome_of({"/usr/bin/observeai-signer", "status"}).succeeded();
  });
  CHECK(call({"/usr/bin/stat", "-c", "%U %a", "/var/lib/observeai-signer",
              "/var/lib/observeai-signer/signer.key"}) ==
        "observeai-signer 700\nobserveai-signer 600\n");
  call({"/usr/bin/systemctl", "stop", "observeai-signer.service"});
  CHECK(shown("observeai-signer.service", "Result") == "success");
}
