// Calls that hang are held by a gate; the threads that hang in it own what they touch.
#include "agent/metrics/deadline_statfs.h"

#include <doctest/doctest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace observeai::agent {
namespace {

// Long enough for a healthy call on a busy machine, short enough to wait for a few times.
constexpr std::chrono::milliseconds kDeadline(300);

struct Kernel {
  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> dead;        // Devices whose calls hang
  std::map<std::string, int> calls;  // By device
  std::set<std::thread::id> threads;

  Result<FilesystemUsage> statfs(const Mount& mount) {
    std::unique_lock lock(mutex);
    ++calls[mount.device];
    threads.insert(std::this_thread::get_id());
    changed.wait(lock, [&] { return !dead.contains(mount.device); });
    return FilesystemUsage{1, 10, 5, 5, 1, 1, false};
  }
  void revive() {
    const std::lock_guard lock(mutex);
    dead.clear();
    changed.notify_all();
  }
};

StatfsCall over(const std::shared_ptr<Kernel>& kernel, StatfsLimits limits = {}) {
  return deadline_statfs(
      std::make_shared<DeadlineCalls>(kDeadline, "a dead mount?"),
      [kernel](const std::string&, const Mount& mount) { return kernel->statfs(mount); }, limits);
}

const Mount kDisk{"/dev/vda", "/", "ext4"};

Mount export_of(const std::string& server) {
  return {server + ":/e", "/export/" + server, "nfs4"};
}

Errc code_of(const StatfsCall& statfs, const Mount& mount) {
  const auto usage = statfs(mount.mount_point, mount);
  REQUIRE_FALSE(usage);
  return usage.error().code();
}

TEST_CASE("what cannot hang: disks and memory, not servers and processes") {
  CHECK(is_local(kDisk));
  CHECK(is_local({"tmpfs", "/var/cache", "tmpfs"}));
  CHECK_FALSE(is_local(export_of("a")));
  CHECK_FALSE(is_local({"//server/share", "/share", "cifs"}));
  CHECK_FALSE(is_local({"/dev/sdb1", "/usb", "fuseblk"}));
}

TEST_CASE("a healthy host has one thread for all its mounts and scrapes") {
  const auto kernel = std::make_shared<Kernel>();
  const StatfsCall statfs = over(kernel);
  for (int i = 0; i < 100; ++i) {
    const Mount mount = export_of(std::to_string(i % 10));
    const auto usage = statfs(mount.mount_point, mount);
    REQUIRE(usage);
    CHECK(usage->blocks == 10);
  }
  CHECK(kernel->threads.size() == 1);
  CHECK_FALSE(kernel->threads.contains(std::this_thread::get_id()));
}

TEST_CASE("dead mounts are asked once, are bounded, and do not hide the disks") {
  const auto kernel = std::make_shared<Kernel>();
  kernel->dead = {"a:/e", "b:/e", "c:/e", "/dev/bad", "/dev/worse"};
  const StatfsCall statfs = over(kernel, {2, 1});
  CHECK(code_of(statfs, export_of("a")) == Errc::kTimeout);
  CHECK(code_of(statfs, export_of("b")) == Errc::kTimeout);
  CHECK(code_of(statfs, export_of("a")) == Errc::kUnavailable);
  CHECK(code_of(statfs, export_of("c")) == Errc::kUnavailable);
  CHECK(statfs("/", kDisk));
  CHECK(code_of(statfs, {"/dev/bad", "/bad", "ext4"}) == Errc::kTimeout);
  CHECK(code_of(statfs, {"/dev/worse", "/worse", "ext4"}) == Errc::kUnavailable);
  {
    const std::lock_guard lock(kernel->mutex);
    CHECK(kernel->calls ==
          std::map<std::string, int>{{"a:/e", 1}, {"b:/e", 1}, {"/dev/vda", 1}, {"/dev/bad", 1}});
    CHECK(kernel->threads.size() == 3);
  }

  // Nobody asks for the dead ones again, and still they make room once they return.
  kernel->revive();
  const Mount other = export_of("d");
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!statfs(other.mount_point, other) && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  CHECK(statfs(other.mount_point, other));
}

TEST_CASE("a new mount in the place of a dead one is asked") {
  const auto kernel = std::make_shared<Kernel>();
  kernel->dead = {"a:/e"};
  const StatfsCall statfs = over(kernel);
  const Mount dead = export_of("a");
  CHECK(code_of(statfs, dead) == Errc::kTimeout);
  CHECK(statfs(dead.mount_point, Mount{"b:/e", dead.mount_point, "nfs4"}));
  kernel->revive();
}

TEST_CASE("its thread ends with it, the one that hangs when it returns") {
  const auto kernel = std::make_shared<Kernel>();
  kernel->dead = {"a:/e"};
  {
    const StatfsCall statfs = over(kernel);
    CHECK(code_of(statfs, export_of("a")) == Errc::kTimeout);
    CHECK(statfs("/", kDisk));
  }
  kernel->revive();
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (kernel.use_count() > 1 && std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  CHECK(kernel.use_count() == 1);
}

}  // namespace
}  // namespace observeai::agent
