#include "agent/app/remote_logs.h"

#include <doctest/doctest.h>

#include "tests/unit/agent/app/remote_world.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Fixture = test::RemoteWorld;

TEST_CASE_FIXTURE(Fixture, "what lies on a mount that may hang is read by a worker alone") {
  add_container("near", root);
  add_container("far", far);
  std::ofstream(far + "/plain.log") << "plain 1\n";
  options.files.plain = {root + "/*/*.log"};
  options.files.exclude = {"far.log", "near.log"};
  auto& programs = start();
  CHECK(wait_stored("near", 1));
  CHECK(wait_stored("far", 1));
  CHECK(wait_stored("plain", 1));
  CHECK(programs.collector.source_count() == 1);
  CHECK(programs.remote.stuck().empty());
  CHECK(unreadable().empty());
  write("far", far);
  CHECK(wait_stored("far", 2));
}

TEST_CASE_FIXTURE(Fixture, "a mount that hangs costs what lies on it, is told, and is read on") {
  add_container("near", root);
  add_container("far", far);
  auto& programs = start();
  REQUIRE(wait_stored("far", 1));
  REQUIRE(wait_stored("near", 1));
  workers_clock->hang(true);
  write("far", far);
  write("near", root);
  pass(30);
  CHECK(stored("near").size() == 2);
  CHECK(stored("far").size() == 1);
  CHECK(programs.remote.stuck() == std::vector<std::string>{"logs on " + far});
  REQUIRE(unreadable().size() == 1);
  CHECK(unreadable()[0].find("logs on " + far + " (nfs4) are not collected") == 0);
  write("far", far);
  workers_clock->hang(false);
  CHECK(wait_stored("far", 3));
  CHECK(programs.remote.stuck().empty());
  // Again within a minute: not told again.
  workers_clock->hang(true);
  pass(25);
  CHECK(unreadable().size() == 1);
  pass(60);
  CHECK(unreadable().size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a spool that is full for a while doubles nothing") {
  add_container("far", far);
  start();
  REQUIRE(wait_stored("far", 1));
  spool.full_lanes.insert(wire::Lane::kLogs);
  write("far", far);
  pass(30);
  CHECK(stored("far").size() == 1);
  spool.full_lanes.clear();
  CHECK(wait_stored("far", 2));
}

TEST_CASE_FIXTURE(Fixture,
                  "logs of a mount that goes wait for it, also over a restart of the agent") {
  std::ofstream(far + "/plain.log") << "plain 1\n";
  options.files.plain = {far + "/*.log"};
  start();
  REQUIRE(wait_stored("plain", 1));
  fs::rename(far, root + "/server");
  fs::create_directories(far);
  mount(false);
  pass(100);
  CHECK(unreadable().size() == 1);
  std::ofstream(root + "/server/plain.log", std::ios::app) << "plain 2\n";
  SUBCASE("the agent runs on") {}
  SUBCASE("the agent starts before the mount is there") {
    start();
    pass(100);
  }
  fs::remove(far);
  fs::rename(root + "/server", far);
  mount(true);
  CHECK(wait_stored("plain", 2));
}

TEST_CASE_FIXTURE(Fixture, "a folder that was a mount is local in the end") {
  std::ofstream(far + "/plain.log") << "plain 1\n";
  options.files.plain = {far + "/*.log"};
  start();
  REQUIRE(wait_stored("plain", 1));
  mount(false);
  pass(60);
  std::ofstream(far + "/plain.log", std::ios::app) << "plain 2\n";
  pass(60);
  CHECK(stored("plain").size() == 1);
  pass(60);
  CHECK(wait_stored("plain", 2));
}

TEST_CASE_FIXTURE(Fixture, "mounts beyond the limit are told, not read") {
  mount_too_many();
  start();
  CHECK(wait_stored("c100", 1));
  pass(5);
  CHECK(stored("c116").empty());
  REQUIRE(unreadable().size() == 1);
  CHECK(unreadable()[0].find("mount-116") != std::string::npos);
}
