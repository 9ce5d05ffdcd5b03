// Removing files where the policy allows it, and nowhere else, whatever lies in the way.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "agent/executor/unique_fd.h"
#include "attack_rig.h"
#include "protocol/base/files.h"

using namespace observeai;
using observeai::agent::executor::UniqueFd;
using observeai::test::AttackRig;
namespace fs = std::filesystem;

namespace {

void write_old(const std::string& path) {
  std::ofstream(path) << "old\n";
  struct timespec times[2] = {{1'600'000'000, 0}, {1'600'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

// Logs that may go, and a treasure beside them that may not.
struct DiskRig : AttackRig {
  DiskRig() {
    fs::create_directory(path("logs"));
    fs::create_directory(path("logs/app"));
    fs::create_directory(path("treasure"));
    write_old(path("treasure/gold.log.1"));
    write_policy(
        "enabled = true\nmax_tier = 2\ncooldown = \"0s\"\nmax_per_hour = 1000\n[[allow]]\n"
        "action = \"disk.vacuum_files\"\ntargets = [\"**\"]\n[vacuum]\ndirectories = [\"" +
        path("logs") + "\"]\n");
  }
  wire::Intent vacuum(const std::string& directory) const {
    auto intent = keys.intent("disk.vacuum_files",
                              {{"directory", directory}, {"older_than_h", std::int64_t{24}}});
    intent.timeout_ms = 20'000;
    return intent;
  }
  wire::Intent blind(const std::string& directory) const {
    auto intent = vacuum(directory);
    intent.state.fill(1);
    intent.diff.fill(1);
    return intent;
  }
  bool treasure() const { return files::exists(path("treasure/gold.log.1")); }
};

}  // namespace

TEST_CASE_FIXTURE(DiskRig, "control: old rotated logs of a listed folder go, and nothing else") {
  write_old(path("logs/app.log.1"));
  write_old(path("logs/app/x.log.2"));
  write_old(path("logs/app.log"));
  const auto result = deliver(sign(approved(looked_at(vacuum(path("logs"))))));
  CHECK_MESSAGE(result.outcome == wire::ResultOutcome::kSucceeded, result.message);
  CHECK(!files::exists(path("logs/app.log.1")));
  CHECK(!files::exists(path("logs/app/x.log.2")));
  CHECK(files::exists(path("logs/app.log")));
  CHECK(treasure());
}

TEST_CASE_FIXTURE(DiskRig, "a folder that the policy does not list, or one below or above it") {
  write_old(path("logs/app/x.log.2"));
  for (const char* name : {"treasure", "logs/app", "log"}) {
    refused(approved(blind(path(name))), "policy");
  }
  refused(approved(blind(dir.path())), "policy");
  refused(approved(blind("/")), "policy");
  CHECK(treasure());
  CHECK(files::exists(path("logs/app/x.log.2")));
}

TEST_CASE_FIXTURE(DiskRig, "a path that leads out of its folder by its text") {
  for (const std::string& name :
       {path("logs/../treasure"), path("logs/./app"), path("logs//app"), path("logs/.."),
        std::string("logs"), std::string("~/logs"), std::string("-rf /")}) {
    CAPTURE(name);
    refused(approved(blind(name)), "bad_parameter");
  }
  CHECK(treasure());
}

TEST_CASE_FIXTURE(DiskRig, "links inside of the folder that lead out of it") {
  fs::create_directory_symlink(path("treasure"), path("logs/out"));
  fs::create_symlink(path("treasure/gold.log.1"), path("logs/gold.log.1"));
  fs::create_hard_link(path("treasure/gold.log.1"), path("logs/hard.log.1"));
  write_old(path("logs/app.log.1"));
  const auto result = deliver(sign(approved(looked_at(vacuum(path("logs"))))));
  CHECK_MESSAGE(result.outcome == wire::ResultOutcome::kSucceeded, result.message);
  CHECK(treasure());
  CHECK(!files::exists(path("logs/app.log.1")));
}

TEST_CASE_FIXTURE(DiskRig, "the listed folder replaced by a link after it was approved") {
  write_old(path("logs/app.log.1"));
  const auto command = approved(looked_at(vacuum(path("logs"))));
  fs::rename(path("logs"), path("aside"));
  fs::create_directory_symlink(path("treasure"), path("logs"));
  refused(command, "policy");
  CHECK(treasure());
}

TEST_CASE_FIXTURE(DiskRig, "a folder above the listed one replaced by a link") {
  fs::create_directories(path("above/logs"));
  write_old(path("above/logs/a.log.1"));
  write_policy(
      "enabled = true\nmax_tier = 2\ncooldown = \"0s\"\n[[allow]]\naction = "
      "\"disk.vacuum_files\"\ntargets = [\"**\"]\n[vacuum]\ndirectories = [\"" +
      path("above/logs") + "\"]\n");
  const auto command = approved(looked_at(vacuum(path("above/logs"))));
  fs::create_directories(path("evil/logs"));
  write_old(path("evil/logs/a.log.1"));
  fs::rename(path("above"), path("aside"));
  fs::create_directory_symlink(path("evil"), path("above"));
  refused(command, "policy");
  CHECK(files::exists(path("evil/logs/a.log.1")));
}

TEST_CASE_FIXTURE(DiskRig, "one more old file than was approved") {
  write_old(path("logs/app.log.1"));
  const auto command = approved(looked_at(vacuum(path("logs"))));
  write_old(path("logs/new.log.1"));
  const auto result = deliver(sign(command));
  CHECK(result.outcome == wire::ResultOutcome::kRefused);
  CHECK((result.reason == "stale" || result.reason == "diff_changed"));
  CHECK(files::exists(path("logs/new.log.1")));
  CHECK(files::exists(path("logs/app.log.1")));
}

TEST_CASE_FIXTURE(DiskRig, "a folder that turns into a link and back while files are removed") {
  fs::create_directory(path("treasure/app"));
  const UniqueFd app(::open(path("logs/app").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(app);
  // Wherever the folder is called from at the moment.
  const auto in_app = [&](const std::string& name) {
    return "/proc/self/fd/" + std::to_string(app.get()) + "/" + name;
  };
  const auto file = [](char first, int i) { return first + std::to_string(i) + ".log.1"; };
  std::atomic<bool> over{false};
  std::atomic<std::int64_t> pause_us{0};
  std::thread attacker([&] {
    while (!over) {
      std::error_code ignored;
      fs::rename(path("logs/app"), path("held"), ignored);
      fs::create_directory_symlink(path("treasure/app"), path("logs/app"), ignored);
      fs::remove(path("logs/app"), ignored);
      fs::rename(path("held"), path("logs/app"), ignored);
      for (std::int64_t left = pause_us; left > 0 && !over; left -= 1'000)
        std::this_thread::sleep_for(std::chrono::microseconds(std::min<std::int64_t>(left, 1'000)));
    }
  });
  // As fast as it can at first; then slower, until files went through the folder that moves: else nothing
  // that was to be attacked ever ran.
  bool went_through = false;
  for (int round = 0; round < 60 && (round < 12 || !went_through); ++round) {
    if (round >= 12)
      pause_us = pause_us == 0 ? 1'000 : std::min(pause_us * 2, std::int64_t{2'000'000});
    for (int i = 0; i < 8; ++i) {
      write_old(path("treasure/app/" + file('x', i)));
      write_old(in_app(file('x', i)));
      write_old(path("logs/" + file('b', i)));
    }
    // Whatever comes of it: refused, failed or done.
    const auto looked = deliver(sign(addressed(keys.dry_run(vacuum(path("logs"))))));
    if (looked.outcome != wire::ResultOutcome::kDryRun) continue;
    auto intent = vacuum(path("logs"));
    intent.state = looked.state_before;
    intent.diff = wire::diff_digest(looked.diff);
    const auto done = deliver(sign(approved(intent)));
    went_through = went_through || (done.outcome == wire::ResultOutcome::kSucceeded &&
                                    !files::exists(in_app(file('x', 0))));
  }
  over = true;
  attacker.join();
  REQUIRE(went_through);
  for (int i = 0; i < 8; ++i) CHECK(files::exists(path("treasure/app/" + file('x', i))));
  CHECK(treasure());
}
