// Who reads a log when mounts, links and containers change: nothing twice, nothing lost.
#include "agent/app/remote_logs.h"

#include <doctest/doctest.h>

#include "tests/unit/agent/app/remote_world.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using Fixture = test::RemoteWorld;

TEST_CASE_FIXTURE(Fixture, "what was read by an older plan is not committed") {
  add_container("far", far);
  start();
  REQUIRE(wait_stored("far", 1));
  workers_clock->hang(true);
  write("far", far);
  SUBCASE("the mount goes and comes back while the call hangs") {
    pass(3);
    mount(false);
    pass(2);
    mount(true);
    pass(2);
  }
  SUBCASE("a mount appears beside it, and the call was given up on") {
    pass(25);
    mount(true, "1 1 0:2 / " + root + "/other rw - nfs4 server:/ rw\n");
    pass(3);
  }
  SUBCASE("a mount appears on the folder itself") {
    pass(3);
    fs::create_directories(far + "/deep");
    mount(true, "1 1 0:2 / " + far + "/deep rw - nfs4 server:/ rw\n");
    pass(3);
  }
  write("far", far);
  workers_clock->hang(false);
  CHECK(wait_stored("far", 3));
}

TEST_CASE_FIXTURE(Fixture, "a mount below one that is being read takes its logs over, once") {
  fs::create_directories(far + "/deep");
  add_container("below", far + "/deep");
  start();
  REQUIRE(wait_stored("below", 1));
  workers_clock->hang(true);
  write("below", far + "/deep");
  pass(3);
  mount(true, "1 1 0:2 / " + far + "/deep rw - nfs4 server:/ rw\n");
  pass(3);
  workers_clock->hang(false);
  CHECK(wait_stored("below", 2));
  write("below", far + "/deep");
  CHECK(wait_stored("below", 3));
}

TEST_CASE_FIXTURE(Fixture, "a log whose link is moved between the places is read on, once") {
  fs::create_directories(root + "/near");
  fs::create_directories(root + "/second");
  const std::string link = root + "/app";
  const std::string second = "1 1 0:2 / " + root + "/second rw - nfs4 server:/ rw\n";
  mount(true, second);
  // A pattern that leads everywhere from the beginning.
  for (const char* folder : {"near", "far", "second"})
    std::ofstream(root + "/" + folder + "/other.log") << "other " << folder << "\n";
  options.files.plain = {root + "/*/*.log"};
  int lines = 0;
  const auto move_to = [&](const std::string& from, const std::string& to) {
    if (!from.empty()) fs::rename(root + "/" + from + "/app.txt", root + "/" + to + "/app.txt");
    fs::remove(link + "/app.log");
    fs::create_symlink(root + "/" + to + "/app.txt", link + "/app.log");
    write_plain(root + "/" + to + "/app.txt", ++lines);
  };
  fs::create_directories(link);
  auto& programs = start();
  std::string at;
  for (const char* to : {"near", "far", "second", "far", "near"}) {
    CAPTURE(to);
    move_to(at, to);
    at = to;
    CHECK(wait_stored("plain", static_cast<std::size_t>(lines)));
    write_plain(root + "/" + at + "/app.txt", ++lines);
    CHECK(wait_stored("plain", static_cast<std::size_t>(lines)));
  }
  CHECK(stored("other").size() == 3);
  CHECK(programs.remote.stuck().empty());
}

TEST_CASE_FIXTURE(Fixture, "where a link leads to another place nothing is touched on the way") {
  fs::create_directories(root + "/near");
  std::ofstream(root + "/near/app.txt") << "plain 1\n";
  fs::create_symlink(root + "/near/app.txt", root + "/app.log");
  options.files.plain = {root + "/*.log"};
  auto& programs = start();
  REQUIRE(wait_stored("plain", 1));
  REQUIRE(programs.collector.source_count() == 1);
  std::ofstream(far + "/app.txt") << "plain 1\n";
  fs::remove(root + "/app.log");
  fs::create_symlink(far + "/app.txt", root + "/app.log");
  pass(2);
  CHECK(programs.collector.source_count() == 0);
}

TEST_CASE_FIXTURE(Fixture, "a container whose logs moved to a mount goes on there") {
  add_container("c", root);
  auto& programs = start();
  REQUIRE(wait_stored("c", 1));
  fs::rename(root + "/c.log", far + "/c.log");
  write("c", far);
  containers[0].log_path = far + "/c.log";
  programs.tell_containers(containers);
  CHECK(wait_stored("c", 2));
}

TEST_CASE_FIXTURE(Fixture, "until Docker answers no container counts as gone") {
  fs::create_directories(root + "/docker");
  add_container("c", root + "/docker");
  start();
  REQUIRE(wait_stored("c", 1));
  fs::rename(root + "/docker", root + "/unmounted");
  docker_answers = false;
  auto& programs = start();
  pass(20);
  CHECK(events_of("logs.gap") == 0);
  fs::rename(root + "/unmounted", root + "/docker");
  write("c", root + "/docker");
  programs.tell_containers(containers);
  CHECK(wait_stored("c", 2));
}

TEST_CASE_FIXTURE(Fixture, "a mount with logs of containers alone is waited for after a start") {
  add_container("far", far);
  start();
  REQUIRE(wait_stored("far", 1));
  fs::rename(far, root + "/server");
  fs::create_directories(far);
  mount(false);
  start();
  pass(100);
  CHECK(events_of("logs.gap") == 0);
  CHECK(unreadable().size() ==
        2);  // That it waits: by the earlier one, which lives on here, and by this one
  write("far", root + "/server");
  fs::remove(far);
  fs::rename(root + "/server", far);
  mount(true);
  CHECK(wait_stored("far", 2));
}

TEST_CASE_FIXTURE(Fixture,
                  "a mount that was waited for in vain is not waited for at the next start") {
  write_plain(far + "/plain.log", 1);
  options.files.plain = {far + "/*.log"};
  start();
  REQUIRE(wait_stored("plain", 1));
  REQUIRE(has_checkpoint("log/files" + far));
  mount(false);
  pass(100);
  CHECK(has_checkpoint("log/files" + far));
  pass(60);
  CHECK_FALSE(has_checkpoint("log/files" + far));
  start();
  write_plain(far + "/plain.log", 2);
  pass(10);
  CHECK(stored("plain").size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "without a table of mounts nothing begins") {
  table = nullptr;
  LogCollector collector(clock, options);
  const Shedding shedding;
  RemoteLogs remote(
      loop, clock, workers_clock, spool, outbox, collector, {}, [&] { return table; }, shedding);
  const auto begun = remote.begin();
  REQUIRE_FALSE(begun);
  CHECK(begun.error().code() == Errc::kUnavailable);
}

TEST_CASE_FIXTURE(Fixture, "a worker that throws anywhere loses and doubles nothing") {
  add_container("far", far);
  start();
  REQUIRE(wait_stored("far", 1));
  std::size_t lines = 1;
  for (int n = 1; n <= 12; ++n) {
    CAPTURE(n);
    write("far", far);
    workers_clock->throw_at(n);
    CHECK(wait_stored("far", ++lines));
    REQUIRE(workers_clock->thrown());
  }
}

TEST_CASE_FIXTURE(Fixture, "a place without logs gives its slot to others") {
  mount_too_many();
  auto& programs = start();
  REQUIRE(wait_stored("c100", 1));
  CHECK(stored("c116").empty());
  containers.erase(containers.begin());
  fs::remove(root + "/mount-100/c100.log");
  programs.tell_containers(containers);
  pass(70);
  CHECK(wait_stored("c116", 1));
  CHECK(stored("c100").size() == 1);
  CHECK(stored("c101").size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "commits that fail for a mount's logs are seen by who watches") {
  add_container("far", far);
  auto& programs = start();
  REQUIRE(wait_stored("far", 1));
  CHECK_FALSE(programs.remote.waits());
  spool.fail_commits = Error(Errc::kInvalid, "no");
  write("far", far);
  pass(5);
  CHECK(programs.remote.waits());
  CHECK(programs.remote.problem() == "no");
  const auto rounds = programs.remote.rounds();
  spool.fail_commits.reset();
  CHECK(wait_stored("far", 2));
  CHECK_FALSE(programs.remote.waits());
  CHECK(programs.remote.rounds() > rounds);
}
