// BrokerSupervisor with a real mosquitto.
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "controlplane/broker/supervisor.h"
#include "protocol/base/files.h"
#include "tests/integration/broker/supervised_site.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

bool is_alive(int pid) {
  return pid > 0 && ::kill(pid, 0) == 0;
}

template <class Condition>
bool eventually(Condition condition, milliseconds patience = seconds(10)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return condition();
}

}  // namespace

TEST_CASE("runs the active configuration and starts it again when it dies") {
  SupervisedSite site;
  site.activate(site.installation.files());
  site.start();
  const int first = site.broker_pid();
  REQUIRE(first > 0);
  ::kill(first, SIGKILL);
  int second = -1;
  REQUIRE(eventually([&] { return (second = site.broker_pid()) > 0 && second != first; }));
  CHECK(!is_alive(first));
  site.stop();
  CHECK(!is_alive(second));
}

TEST_CASE("without a configuration it waits for a restart request") {
  SupervisedSite site;
  site.start();
  CHECK(site.ask("status").starts_with("down no broker configuration"));
  CHECK(site.ask("restart").starts_with("failed no broker configuration"));
  site.activate(site.installation.files());
  CHECK(site.ask("restart").starts_with("up "));
}

TEST_CASE("restart takes the configuration that is current now") {
  SupervisedSite site;
  site.activate(site.installation.files());
  site.start();
  const int first = site.broker_pid();
  const auto before = site.generations().current().value();
  CHECK(is_up_with(site.ask("status"), before));
  site.installation.settings.port = free_port();
  site.activate(site.installation.files());
  const auto now = site.generations().current().value();
  CHECK(is_up_with(site.ask("status"), before));  // Not before it is told to
  CHECK(is_up_with(site.ask("restart"), now));
  CHECK_FALSE(is_up_with(site.ask("status"), before));
  CHECK(site.broker_pid() != first);
  PostedWork work;
  const auto client = mqtt::make_paho_client(work.post());
  std::optional<Result<void>> answer;
  client->connect(
      site.installation.identity("agent-1", site.installation.agents.issue_client("agent-1")),
      [&](Result<void> r) { answer = std::move(r); });
  REQUIRE(work.run_until([&] { return answer.has_value(); }));
  CHECK(answer->has_value());
}

TEST_CASE("a halted broker stays down, also for a new supervisor") {
  SupervisedSite site;
  site.activate(site.installation.files());
  site.start();
  const int pid = site.broker_pid();
  REQUIRE(site.generations().set_halted("a canary flew"));
  CHECK(site.ask("halt") == "halted");
  CHECK(!is_alive(pid));
  CHECK(site.ask("status") == "halted a canary flew");
  site.stop();
  site.start();
  CHECK(site.ask("status") == "halted a canary flew");
  CHECK(site.ask("restart").starts_with("failed the broker is halted"));
  REQUIRE(site.generations().clear_halted());
  CHECK(site.ask("restart").starts_with("up "));
}

TEST_CASE("an occupied port is named") {
  SupervisedSite site;
  SupervisedSite other;
  other.activate(other.installation.files());
  other.start();
  REQUIRE(other.broker_pid() > 0);
  site.installation.settings.port = other.installation.settings.port;
  site.activate(site.installation.files());
  site.start();
  const auto status = site.ask("restart");
  CHECK_MESSAGE(status.find("Address already in use") != std::string::npos, status);
  CHECK(status.starts_with("failed the broker did not start"));
}

TEST_CASE("broken files are refused at the start, in mosquitto's words") {
  SupervisedSite site;
  auto files = site.installation.files();
  SUBCASE("garbage revocation list") {
    files.crl_pem = "-----BEGIN X509 CRL-----\ngarbage\n";
  }
  SUBCASE("garbage ACL") {
    files.acl = "topic nonsense observeai/#\n";
  }
  SUBCASE("garbage certificate") {
    files.certificate_pem = "-----BEGIN CERTIFICATE-----\n";
  }
  site.activate(files);
  site.start();
  const auto status = site.ask("restart");
  CHECK_MESSAGE(status.starts_with("failed the broker did not start (exit code"), status);
}

TEST_CASE("a second supervisor for the same folder is refused") {
  SupervisedSite site;
  site.start();
  const auto second = BrokerSupervisor::create({site.installation.directory.path()});
  REQUIRE(!second.has_value());
  CHECK(second.error().code() == Errc::kDenied);
}

TEST_CASE("nobody at the socket is said plainly") {
  TempDir directory;
  const auto answer = ask_supervisor(directory.path(), "status", seconds(1));
  REQUIRE(!answer.has_value());
  CHECK(answer.error().code() == Errc::kUnavailable);
  CHECK(answer.error().message().find("start it with `observeai-controlplane broker`") !=
        std::string::npos);
}

TEST_CASE("requests it does not know, and clients that say nothing, change nothing") {
  SupervisedSite site;
  site.activate(site.installation.files());
  site.start();
  const int pid = site.broker_pid();
  CHECK(site.ask("reload") == "unknown request");
  CHECK(site.ask(std::string(1000, 'x')) == "unknown request");
  CHECK(site.broker_pid() == pid);
}

TEST_CASE("a supervisor that is killed takes its broker along") {
  SupervisedSite site;
  site.activate(site.installation.files());
  const pid_t supervisor = ::fork();
  if (supervisor == 0) {
    auto mine = BrokerSupervisor::create(
        {site.installation.directory.path(), "/usr/sbin/mosquitto", false});
    if (mine) (*mine)->run();
    ::_exit(1);
  }
  int pid = -1;
  const bool came_up = eventually([&] { return (pid = site.broker_pid()) > 0; });
  ::kill(supervisor, SIGKILL);
  ::waitpid(supervisor, nullptr, 0);
  REQUIRE(came_up);
  CHECK(eventually([&] { return !is_alive(pid); }));
}

TEST_CASE("the broker needs no way to its folder, and is not root when root starts it") {
  SupervisedSite site;
  // As below a home folder: closed to everybody else.
  REQUIRE(::chmod(site.installation.directory.path().c_str(), 0700) == 0);
  site.activate(site.installation.files());
  site.start();
  const int pid = site.broker_pid();
  REQUIRE(pid > 0);
  struct stat process {};
  REQUIRE(::stat(("/proc/" + std::to_string(pid)).c_str(), &process) == 0);
  CHECK(process.st_uid != 0);
}

TEST_CASE("a configuration that would run the broker as root is not started by root") {
  if (::geteuid() != 0) return;
  SupervisedSite site;
  site.activate(site.installation.files());
  const auto file = Generations::config_file(site.generations().current().value());
  std::string config = files::read(file).value();
  config.replace(config.find("\nuser mosquitto\n"), 16, "\nuser root\n");
  REQUIRE(files::write_atomic(file, config, 0600));
  site.start();
  const auto status = site.ask("restart");
  CHECK_MESSAGE(status.find("does not run as 'root'") != std::string::npos, status);
}
