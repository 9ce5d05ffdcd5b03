// systemd.restart and systemd.reset_failed against a real systemd as pid 1. It writes units and restarts
// them, so it runs only inside the container that in_systemd.sh boots.
#include <filesystem>
#include <thread>

#include "agent/executor/facts.h"
#include "protocol/base/files.h"
#include "tests/integration/executor_host/in_systemd.h"

using namespace observeai;
using namespace observeai::agent::executor;
using namespace std::chrono_literals;

namespace {

constexpr const char* kRestart = "systemd.restart";
constexpr const char* kReset = "systemd.reset_failed";
constexpr const char* kSleeper = "[Service]\nExecStart=/bin/sleep 3600\n";

std::string systemctl(std::vector<std::string> arguments) {
  return test::call("/usr/bin/systemctl", std::move(arguments));
}

void unit(const std::string& name, const std::string& text) {
  REQUIRE(files::write_atomic("/run/systemd/system/" + name, text, 0644).has_value());
}

void started(const std::string& name, const std::string& text) {
  unit(name, text);
  systemctl({"daemon-reload"});
  systemctl({"start", name});
}

void until_state(const std::string& name, const std::string& state) {
  for (int i = 0; i < 100; ++i) {
    if (systemctl({"is-active", name}) == state + "\n") return;
    std::this_thread::sleep_for(50ms);
  }
  FAIL(name << " is not " << state);
}

wire::Parameters named(const std::string& name) {
  return {{"unit", name}};
}

std::string main_pid(const std::string& name) {
  return systemctl({"show", "--property=MainPID", "--value", name});
}

using Rig = test::InSystemd;

}  // namespace

TEST_CASE("a restart is a new start of the same unit") {
  Rig rig;
  started("one.service", kSleeper);
  const auto before = main_pid("one.service");
  const auto outcome = rig.carry_out(kRestart, named("one.service"));
  CHECK(outcome.real ==
        std::vector<wire::Change>{{"unit one.service", "active", "active, started anew"}});
  CHECK(main_pid("one.service") != before);
  CHECK(rig.assess(kRestart, named("one.service"))->facts == wire::Labels{{facts::kRestarts, "0"}});
}

TEST_CASE("what restarts along is told and restarted, what is stopped is not") {
  Rig rig;
  started("base.service", kSleeper);
  started("dependent.service",
          "[Unit]\nRequires=base.service\nAfter=base.service\n" + std::string(kSleeper));
  started("further.service",
          "[Unit]\nBindsTo=dependent.service\nAfter=dependent.service\n" + std::string(kSleeper));
  started("stopped.service", "[Unit]\nPartOf=base.service\n" + std::string(kSleeper));
  systemctl({"stop", "stopped.service"});
  const auto outcome = rig.carry_out(kRestart, named("base.service"));
  REQUIRE(outcome.real.size() == 3);
  CHECK(outcome.real[0].what == "unit base.service");
  CHECK(outcome.real[1].what == "unit dependent.service");
  CHECK(outcome.real[2].what == "unit further.service");
  CHECK(systemctl({"is-active", "stopped.service"}) == "inactive\n");
}

TEST_CASE("a failed unit is restarted, or its failure is forgotten") {
  Rig rig;
  started("failing.service", "[Service]\nType=oneshot\nExecStart=/bin/test -e /run/may-pass\n");
  until_state("failing.service", "failed");
  const auto forgotten = rig.carry_out(kReset, named("failing.service"));
  CHECK(forgotten.real ==
        std::vector<wire::Change>{{"unit failing.service", "failed", "inactive"}});
  CHECK(rig.refused(kReset, named("failing.service")) == Errc::kUnavailable);

  systemctl({"start", "failing.service"});
  until_state("failing.service", "failed");
  REQUIRE(files::write_atomic("/run/may-pass", "", 0644).has_value());
  const auto outcome = rig.carry_out(kRestart, named("failing.service"));
  CHECK(outcome.real == std::vector<wire::Change>{{"unit failing.service", "failed", "run anew"}});
}

TEST_CASE("a unit that does not stay up is not told as restarted") {
  Rig rig;
  started("loop.service", kSleeper);
  unit("loop.service",
       "[Service]\nExecStart=/bin/sleep 0.3\nRestart=always\nRestartSec=100ms\n"
       "[Unit]\nStartLimitIntervalSec=0\n");
  systemctl({"daemon-reload"});
  auto seen = rig.assess(kRestart, named("loop.service"));
  REQUIRE(seen.has_value());
  auto run = rig.run();
  REQUIRE(rig.action(kRestart).execute(named("loop.service"), *seen, run).has_value());
  auto verified = rig.action(kRestart).verify(named("loop.service"), *seen, run);
  REQUIRE_FALSE(verified.has_value());
  CHECK(verified.error().code() == Errc::kUnavailable);
  systemctl({"stop", "loop.service"});
}

TEST_CASE("a start that fails, and one that takes for ever, are told in time") {
  Rig rig;
  started("late.service", kSleeper);
  unit("late.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 3600\n");
  systemctl({"daemon-reload"});
  auto seen = rig.assess(kRestart, named("late.service"));
  REQUIRE(seen.has_value());
  auto run = rig.run(3s);
  const auto began = std::chrono::steady_clock::now();
  CHECK(rig.action(kRestart).execute(named("late.service"), *seen, run).error().code() ==
        Errc::kTimeout);
  CHECK(std::chrono::steady_clock::now() - began < 5s);
  systemctl({"stop", "late.service"});

  started("broken.service", kSleeper);
  unit("broken.service", "[Service]\nExecStart=/nonexistent\nType=notify\n");
  systemctl({"daemon-reload"});
  auto broken = rig.assess(kRestart, named("broken.service"));
  REQUIRE(broken.has_value());
  auto longer = rig.run();
  CHECK(rig.action(kRestart).execute(named("broken.service"), *broken, longer).error().code() ==
        Errc::kUnavailable);
}

TEST_CASE("the state holds the unit's files") {
  Rig rig;
  started("files.service", kSleeper);
  const auto first = rig.assess(kRestart, named("files.service"))->state;
  std::filesystem::create_directories("/run/systemd/system/files.service.d");
  unit("files.service.d/a.conf", "[Service]\nEnvironment=A=1\n");
  unit("files.service", std::string(kSleeper) + "Nice=5\n");
  // systemd has not read it: what is approved would not be what starts.
  CHECK(rig.refused(kRestart, named("files.service")) == Errc::kUnavailable);
  systemctl({"daemon-reload"});
  const auto second = rig.assess(kRestart, named("files.service"))->state;
  CHECK(second != first);
  unit("files.service.d/a.conf", "[Service]\nEnvironment=A=2\n");
  systemctl({"daemon-reload"});
  CHECK(rig.assess(kRestart, named("files.service"))->state != second);
}

TEST_CASE("who is left alone") {
  Rig rig;
  unit("observeai-agent.service", kSleeper);
  unit("ground.service", kSleeper);
  unit("middle.service", "[Unit]\nRequires=ground.service\n" + std::string(kSleeper));
  unit("observeai-executor.service",
       "[Unit]\nBindsTo=middle.service\nAfter=middle.service\n" + std::string(kSleeper));
  unit("masked.service", kSleeper);
  unit("real.service", std::string(kSleeper) + "[Install]\nAlias=other.service\n");
  std::filesystem::remove("/run/systemd/system/masked.service");
  std::filesystem::create_symlink("/dev/null", "/run/systemd/system/masked.service");
  std::filesystem::create_symlink("/run/systemd/system/real.service",
                                  "/run/systemd/system/other.service");
  systemctl({"daemon-reload"});
  systemctl({"start", "observeai-agent.service", "observeai-executor.service", "real.service"});
  CHECK(rig.refused(kRestart, named("observeai-agent.service")) == Errc::kDenied);
  CHECK(rig.refused(kRestart, named("ground.service")) == Errc::kDenied);
  CHECK(rig.refused(kRestart, named("masked.service")) == Errc::kDenied);
  CHECK(rig.refused(kRestart, named("other.service")) == Errc::kDenied);
  CHECK(rig.refused(kRestart, named("none.service")) == Errc::kNotFound);
  CHECK(rig.refused(kRestart, named("basic.target")) == Errc::kInvalid);
  CHECK(rig.refused(kRestart, named("real")) == Errc::kInvalid);
  started("halted.service", kSleeper);
  systemctl({"stop", "halted.service"});
  CHECK(rig.refused(kRestart, named("halted.service")) == Errc::kUnavailable);
  auto end = run_program({.path = "/usr/bin/systemd-run",
                          .arguments = {"--unit=passing.service", "/bin/sleep", "3600"}},
                         10s, 1024);
  REQUIRE(end.has_value());
  CHECK(rig.refused(kRestart, named("passing.service")) == Errc::kDenied);
  CHECK(systemctl({"is-active", "observeai-agent.service"}) == "active\n");
}

TEST_CASE("a name that looks like an option reaches systemctl as none") {
  Rig rig;
  auto run = rig.run();
  for (const char* name : {"--no-block", "-Hevil.example", "--force", "-x.service", "a b.service"})
    CHECK(rig.action(kRestart).assess(named(name), run).error().code() == Errc::kInvalid);
}
