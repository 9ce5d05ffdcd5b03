// disk.vacuum_files on real folders: links, mounts, databases, open files, and a folder that is swapped for a
// link all the time.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <thread>

#include "agent/executor/actions/disk_removal.h"
#include "agent/executor/facts.h"
#include "agent/executor/unique_fd.h"
#include "protocol/base/files.h"
#include "protocol/wire/command_codec.h"
#include "tests/integration/executor_host/action_rig.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
namespace fs = std::filesystem;

namespace {

constexpr const char* kName = "disk.vacuum_files";
constexpr int kHour = 3600;

void age(const std::string& path, int hours) {
  const timespec times[2] = {{0, UTIME_NOW}, {::time(nullptr) - hours * kHour, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

void old_file(const std::string& path, const std::string& text = "line\n", int hours = 100) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path) << text;
  age(path, hours);
}

class Logs {
 public:
  Logs() : root(dir / "logs"), outside(dir / "outside") {
    fs::create_directory(root);
    fs::create_directory(outside);
    rig.host.lists.vacuum_directories = {root};
  }
  wire::Parameters parameters(bool rotated_only = true) const {
    return {
        {"directory", root}, {"older_than_h", std::int64_t{48}}, {"rotated_only", rotated_only}};
  }
  std::string at(const std::string& name) const { return root + "/" + name; }

  test::TempDir dir;
  std::string root;
  std::string outside;
  test::ActionRig rig;
};

bool there(const std::string& path) {
  return fs::exists(fs::symlink_status(path));
}

}  // namespace

TEST_CASE("old rotated logs go, each told with its size, and nothing else") {
  Logs logs;
  old_file(logs.at("app.log.1"), "12345");
  old_file(logs.at("deep/er/app-20261101.gz"), "123");
  old_file(logs.at("app.log"));
  old_file(logs.at("app.log.2"), "young", 10);
  old_file(logs.at("notes.txt"));
  const auto outcome = logs.rig.carry_out(kName, logs.parameters());
  CHECK(outcome.real ==
        std::vector<wire::Change>{{logs.at("app.log.1"), "5 bytes", "removed"},
                                  {logs.at("deep/er/app-20261101.gz"), "3 bytes", "removed"}});
  CHECK_FALSE(there(logs.at("app.log.1")));
  CHECK_FALSE(there(logs.at("deep/er/app-20261101.gz")));
  for (const char* name : {"app.log", "app.log.2", "notes.txt", "deep/er"})
    CHECK(there(logs.at(name)));
  CHECK(logs.rig.refused(kName, logs.parameters()) == Errc::kUnavailable);  // Nothing is left to do

  const auto all = logs.rig.carry_out(kName, logs.parameters(false));
  CHECK(all.real.size() == 2);
  CHECK_FALSE(there(logs.at("notes.txt")));
  CHECK(there(logs.at("app.log.2")));
}

TEST_CASE("only what the policy lists, and never a folder of the system") {
  Logs logs;
  old_file(logs.at("app.log.1"));
  auto other = logs.parameters();
  for (const std::string& path :
       {logs.outside, logs.root + "/deep", std::string("/"), logs.dir.path()}) {
    other["directory"] = path;
    CHECK(logs.rig.refused(kName, other) == Errc::kDenied);
  }
  logs.rig.host.lists.vacuum_directories = {"/etc", "/var/lib"};
  for (const char* path : {"/etc", "/var/lib"}) {
    other["directory"] = path;
    CHECK(logs.rig.refused(kName, other) == Errc::kDenied);
  }
  CHECK(there(logs.at("app.log.1")));
}

TEST_CASE("no link is followed: not the folder, not a part of its path, not a file") {
  Logs logs;
  old_file(logs.outside + "/precious.log.1");
  fs::create_directory_symlink(logs.outside, logs.at("link"));
  fs::create_symlink(logs.outside + "/precious.log.1", logs.at("app.log.1"));
  age(logs.at("app.log.1"), 100);
  CHECK(logs.rig.refused(kName, logs.parameters(false)) == Errc::kUnavailable);
  fs::create_directory_symlink(logs.outside, logs.dir / "aside");
  fs::create_directory_symlink(logs.dir.path(), logs.dir / "up");
  for (const std::string& path : {logs.dir / "aside", logs.dir / "up/outside"}) {
    logs.rig.host.lists.vacuum_directories = {path};
    auto parameters = logs.parameters(false);
    parameters["directory"] = path;
    CHECK(logs.rig.refused(kName, parameters) == Errc::kDenied);
  }
  CHECK(there(logs.outside + "/precious.log.1"));
  CHECK(there(logs.at("app.log.1")));
}

TEST_CASE("what a process holds stays: open, or mapped with its descriptor closed") {
  Logs logs;
  old_file(logs.at("open.log.1"));
  old_file(logs.at("mapped.log.1"));
  old_file(logs.at("free.log.1"));
  const UniqueFd open(::open(logs.at("open.log.1").c_str(), O_RDONLY));
  UniqueFd mapped(::open(logs.at("mapped.log.1").c_str(), O_RDONLY));
  void* const memory = ::mmap(nullptr, 5, PROT_READ, MAP_SHARED, mapped.get(), 0);
  REQUIRE(memory != MAP_FAILED);
  mapped.reset();
  auto seen = logs.rig.assess(kName, logs.parameters());
  REQUIRE(seen.has_value());
  CHECK(seen->facts == wire::Labels{{facts::kOpenFiles, "2"}});
  const auto outcome = logs.rig.carry_out(kName, logs.parameters());
  REQUIRE(outcome.real.size() == 1);
  CHECK(outcome.real[0].what == logs.at("free.log.1"));
  CHECK(outcome.output.find("open.log.1: a process has it open") != std::string::npos);
  CHECK(there(logs.at("open.log.1")));
  CHECK(there(logs.at("mapped.log.1")));
  ::munmap(memory, 5);
}

TEST_CASE(
    "what becomes old enough between dry run and execution neither goes nor voids the approval") {
  Logs logs;
  ManualClock clock(logs.rig.clock.wall_now());
  logs.rig.host.clock = &clock;
  old_file(logs.at("app.log.1"));
  old_file(logs.at("app.log.2"), "50 hours\n", 50);
  old_file(logs.at("app.log.3"), "47 hours\n", 47);
  const auto dry = logs.rig.assess(kName, logs.parameters());
  REQUIRE(dry.has_value());
  REQUIRE(dry->diff.size() == 2);

  clock.advance(std::chrono::hours(2));  // app.log.3 is 49 hours old, and 48 are asked for
  const auto anew = logs.rig.assess(kName, logs.parameters());
  REQUIRE(anew.has_value());
  CHECK(anew->diff.size() == 3);
  auto run = logs.rig.run();
  run.look_for(wire::digest_of(dry->state));
  const auto again = logs.rig.action(kName).assess(logs.parameters(), run);
  REQUIRE(again.has_value());
  CHECK(again->state == dry->state);
  CHECK(again->diff == dry->diff);
  REQUIRE(logs.rig.action(kName).execute(logs.parameters(), *again, run));
  const auto real = logs.rig.action(kName).verify(logs.parameters(), *again, run);
  REQUIRE(real.has_value());
  CHECK(*real == dry->diff);
  CHECK_FALSE(there(logs.at("app.log.1")));
  CHECK_FALSE(there(logs.at("app.log.2")));
  CHECK(there(logs.at("app.log.3")));
}

TEST_CASE("an approval of other files is not found among the hours that went by") {
  Logs logs;
  ManualClock clock(logs.rig.clock.wall_now());
  logs.rig.host.clock = &clock;
  old_file(logs.at("app.log.1"));
  old_file(logs.at("app.log.2"), "50 hours\n", 50);
  const auto dry = logs.rig.assess(kName, logs.parameters());
  REQUIRE(dry.has_value());
  clock.advance(std::chrono::hours(2));
  old_file(logs.at("app.log.2"), "another file\n", 60);
  auto run = logs.rig.run();
  run.look_for(wire::digest_of(dry->state));
  const auto again = logs.rig.action(kName).assess(logs.parameters(), run);
  REQUIRE(again.has_value());
  CHECK(again->state != dry->state);
  CHECK(again->diff.size() == 2);
}

TEST_CASE("nothing of a database, whatever its name and age") {
  Logs logs;
  old_file(logs.at("data.1"), std::string("SQLite format 3\0and more", 24));
  old_file(logs.at("queue.db"));
  old_file(logs.at("queue.db-wal"));
  old_file(logs.at("redis/dump.rdb"));
  old_file(logs.at("old.1"), "REDIS0011\xfa");
  old_file(logs.at("pg/PG_VERSION"), "15\n");
  old_file(logs.at("pg/log/postgresql.log.1"));
  old_file(logs.at("pg/base/16384/2619.1"));
  old_file(logs.at("mysql/ibdata1"));
  old_file(logs.at("mysql/slow.log.1"));
  old_file(logs.at("rocks/CURRENT"));
  old_file(logs.at("rocks/MANIFEST-000001"));
  old_file(logs.at("rocks/000003.log"));
  old_file(logs.at("observeai/spool.1"));
  old_file(logs.at("free.log.1"));
  const auto outcome = logs.rig.carry_out(kName, logs.parameters(false));
  REQUIRE(outcome.real.size() == 1);
  CHECK(outcome.real[0].what == logs.at("free.log.1"));
  for (const char* name :
       {"data.1", "queue.db", "queue.db-wal", "redis/dump.rdb", "old.1", "pg/base/16384/2619.1",
        "mysql/slow.log.1", "rocks/000003.log", "observeai/spool.1"})
    CHECK_MESSAGE(there(logs.at(name)), name);
}

TEST_CASE("odd files stay: pipes, sockets' names, hard links, names that cannot be told") {
  Logs logs;
  old_file(logs.at("first.log.1"));
  fs::create_hard_link(logs.at("first.log.1"), logs.outside + "/second");
  REQUIRE(::mkfifo(logs.at("pipe.1").c_str(), 0600) == 0);
  age(logs.at("pipe.1"), 100);
  old_file(logs.at("new\nline.1"));
  old_file(logs.at("bad\xff.1"));
  CHECK(logs.rig.refused(kName, logs.parameters(false)) == Errc::kUnavailable);
  CHECK(there(logs.at("first.log.1")));
  CHECK(there(logs.at("new\nline.1")));
}

TEST_CASE("at most so many at once, the oldest first; the rest is told") {
  Logs logs;
  for (std::size_t i = 0; i < kMaxRemovals + 25; ++i)
    old_file(logs.at("app.log." + std::to_string(i)), "x", static_cast<int>(100 + i));
  const auto outcome = logs.rig.carry_out(kName, logs.parameters());
  REQUIRE(outcome.real.size() == kMaxRemovals);
  CHECK(outcome.real.front().what == logs.at("app.log." + std::to_string(kMaxRemovals + 24)));
  CHECK(outcome.output.find("25 more are old enough") != std::string::npos);
  CHECK(logs.rig.carry_out(kName, logs.parameters()).real.size() == 25);
}

TEST_CASE("a file that changed after the dry run stops the removal") {
  Logs logs;
  old_file(logs.at("app.log.1"));
  old_file(logs.at("app.log.2"));
  auto seen = logs.rig.assess(kName, logs.parameters());
  REQUIRE(seen.has_value());
  std::ofstream(logs.at("app.log.1"), std::ios::app) << "more\n";
  age(logs.at("app.log.1"), 100);
  auto run = logs.rig.run();
  CHECK(logs.rig.action(kName).execute(logs.parameters(), *seen, run).error().code() ==
        Errc::kCorrupt);
  CHECK(there(logs.at("app.log.1")));
  CHECK(there(logs.at("app.log.2")));
}

TEST_CASE("another mount is not entered, of the same file system neither") {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    std::cerr << "SKIPPED: no mounts without root\n";
    return;
  }
  Logs logs;
  fs::create_directories(logs.at("bound"));
  fs::create_directories(logs.at("tmpfs"));
  old_file(logs.outside + "/precious.log.1");
  old_file(logs.at("free.log.1"));
  REQUIRE(::mount(logs.outside.c_str(), logs.at("bound").c_str(), nullptr, MS_BIND, nullptr) == 0);
  REQUIRE(::mount("none", logs.at("tmpfs").c_str(), "tmpfs", 0, nullptr) == 0);
  old_file(logs.at("tmpfs/other.log.1"));
  const auto outcome = logs.rig.carry_out(kName, logs.parameters(false));
  CHECK(outcome.real.size() == 1);
  CHECK(there(logs.outside + "/precious.log.1"));
  CHECK(there(logs.at("tmpfs/other.log.1")));
  ::umount2(logs.at("tmpfs").c_str(), MNT_DETACH);
  ::umount2(logs.at("bound").c_str(), MNT_DETACH);
}

TEST_CASE("a folder that is swapped for a link at every moment leads nowhere else") {
  Logs logs;
  fs::create_directory(logs.at("sub"));
  fs::create_directory_symlink(logs.outside, logs.dir / "link");
  for (int i = 0; i < 20; ++i) old_file(logs.outside + "/app.log." + std::to_string(i));
  std::atomic<bool> over = false;
  std::atomic<std::uint64_t> swaps = 0;
  std::thread swapper([&] {
    while (!over) {
      ::renameat2(AT_FDCWD, logs.at("sub").c_str(), AT_FDCWD, (logs.dir / "link").c_str(),
                  RENAME_EXCHANGE);
      ++swaps;
    }
  });
  std::uint64_t removed = 0;
  std::uint64_t refused = 0;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(6);
  while (std::chrono::steady_clock::now() < until) {
    // The folder itself, wherever it is just now: below "sub" or aside as "link".
    const UniqueFd sub(::open(
        (fs::is_symlink(fs::symlink_status(logs.at("sub"))) ? logs.dir / "link" : logs.at("sub"))
            .c_str(),
        O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
    if (!sub) continue;
    for (int i = 0; i < 20; ++i) {
      const std::string name = "app.log." + std::to_string(i);
      const UniqueFd file(::openat(sub.get(), name.c_str(), O_CREAT | O_WRONLY, 0644));
      const timespec times[2] = {{0, UTIME_NOW}, {::time(nullptr) - 100 * kHour, 0}};
      ::futimens(file.get(), times);
    }
    auto run = logs.rig.run();
    auto seen = logs.rig.action(kName).assess(logs.parameters(), run);
    if (!seen) {
      ++refused;
      continue;
    }
    auto done = logs.rig.action(kName).execute(logs.parameters(), *seen, run);
    (done ? removed : refused) += 1;
  }
  over = true;
  swapper.join();
  MESSAGE("swaps " << swaps.load() << ", removed in " << removed << " rounds, refused in "
                   << refused);
  CHECK(swaps > 1000);
  CHECK(removed > 0);
  CHECK(refused > 0);
  for (int i = 0; i < 20; ++i) CHECK(there(logs.outside + "/app.log." + std::to_string(i)));
}
