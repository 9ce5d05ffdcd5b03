#include "agent/logs/remote_mounts.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "agent/logs/mount_table.h"
#include "agent/logs/path_pattern.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view kTable =
    "22 1 253:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
    "23 22 0:21 / /proc rw - proc proc rw\n"
    "40 22 0:50 / /mnt/nfs rw shared:9 master:2 - nfs4 server:/export rw,hard\n"
    "41 40 0:51 /sub /mnt/nfs/deep\\040er/x rw - nfs4 server:/export/x rw\n"
    "42 22 0:52 / /net rw - autofs systemd-1 rw,fd=39\n"
    "43 22 0:53 / /home/me/s rw - fuse.sshfs me@host: rw\n"
    "44 22 8:1 / /data rw - xfs /dev/sda1 rw\n"
    "45 22 0:54 / /odd rw - newfs none rw\n"
    "46 22 0:55 / relative rw - nfs4 x rw\n"
    "47 22 0:56 / /short rw\n"
    "- - - - - - nfs4\n";

std::string mountinfo(const std::string& point) {
  return "40 22 0:50 / " + point + " rw - nfs4 server:/export rw\n";
}

}  // namespace

TEST_CASE("mounts that may hang are known by their types, whatever their options and escapes") {
  const auto mounts = RemoteMounts::parse(kTable);
  CHECK(mounts.points() ==
        std::vector<std::string>{"/home/me/s", "/mnt/nfs", "/mnt/nfs/deep er/x", "/net", "/odd"});
  CHECK(mounts.type_of("/mnt/nfs") == "nfs4");
  CHECK(mounts.deepest("/mnt/nfs/a.log") == "/mnt/nfs");
  CHECK(mounts.deepest("/mnt/nfs") == "/mnt/nfs");
  CHECK(mounts.deepest("/mnt/nfs/deep er/x/y/a.log") == "/mnt/nfs/deep er/x");
  CHECK_FALSE(mounts.deepest("/mnt/nfs2/a.log"));
  CHECK_FALSE(mounts.deepest("/data/a.log"));
  CHECK(RemoteMounts::parse("1 1 0:1 / / rw - nfs4 server:/root rw\n").empty());
  for (const char* type : {"ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs"})
    CHECK(is_local_type(type));
  for (const char* type : {"nfs", "nfs4", "cifs", "smb3", "fuse", "fuse.glusterfs", "fuseblk", "9p",
                           "ceph", "lustre", "autofs", "virtiofs", ""})
    CHECK_FALSE(is_local_type(type));
}

TEST_CASE("a local mount over one that may hang does not make the place local") {
  const auto mounts = RemoteMounts::parse(
      "40 22 0:50 / /mnt/a rw - nfs4 server:/export rw\n41 40 0:51 / /mnt/a rw - tmpfs none rw\n");
  CHECK(mounts.contains("/mnt/a"));
}

TEST_CASE("links are followed as far as they are local, and not a step further") {
  const test::TempDir dir;
  const std::string real = fs::canonical(dir.path()).string();
  const std::string nfs = real + "/mnt/nfs";
  fs::create_directories(nfs + "/logs");
  fs::create_directories(real + "/var/log");
  fs::create_symlink("../../mnt/nfs/logs", real + "/var/log/app");
  fs::create_symlink(nfs + "/logs/a.log", real + "/var/log/a.log");
  fs::create_symlink("../log", real + "/var/log/here");
  fs::create_symlink("loop", real + "/var/log/loop");
  // What lies on the mount is not looked at: this would lead back to what is local.
  fs::create_symlink(real + "/var", nfs + "/back");
  const auto mounts = RemoteMounts::parse(mountinfo(nfs));
  PlaceFinder finder(mounts);
  CHECK(finder.place_of(real + "/var/log/b.log") == kLocal);
  CHECK(finder.place_of(real + "/var/log/none/b.log") == kLocal);
  CHECK(finder.place_of(real + "/var/log/loop/b.log") == kLocal);
  CHECK(finder.place_of(real + "/var/log/here/here/b.log") == kLocal);
  CHECK(finder.place_of(real + "/var/log/app/b.log") == nfs);
  CHECK(finder.place_of(real + "/var/log/here/app/b.log") == nfs);
  CHECK(finder.place_of(real + "/var/log/a.log") == nfs);
  CHECK(finder.place_of(nfs + "/back/log/b.log") == nfs);
  CHECK(finder.place_of(nfs) == nfs);
  CHECK(finder.place_of(nfs + "/") == nfs);
  CHECK(finder.place_of("/") == kLocal);
  const RemoteMounts none;
  CHECK(PlaceFinder(none).place_of(nfs) == kLocal);
}

TEST_CASE("who serves a place may go where it lies, and nowhere else that may hang") {
  const auto mounts = RemoteMounts::parse(
      mountinfo("/net").append(mountinfo("/net/a/logs")).append(mountinfo("/net/b/logs")));
  PlaceFinder finder(mounts);
  for (const char* path : {"/net", "/net/a", "/net/a/logs", "/net/a/logs/x.log", "/var/log"})
    CHECK(finder.may_touch(path, "/net/a/logs"));
  for (const char* path : {"/net/b/logs", "/net/b", "/net/b/logs/x.log", "/net/c"})
    CHECK_FALSE(finder.may_touch(path, "/net/a/logs"));
  CHECK_FALSE(finder.may_touch("/net/a/logs", kLocal));
  CHECK(finder.place_of("/net/a/logs/x") == "/net/a/logs");
  CHECK(finder.place_of("/net/c/x") == "/net");
}

TEST_CASE("mount points that are gone for now can be left alone as well") {
  const auto mounts = RemoteMounts::parse(kTable).with({"/mnt/gone"});
  CHECK(mounts.deepest("/mnt/gone/a.log") == "/mnt/gone");
  CHECK(mounts.type_of("/mnt/gone").empty());
  CHECK(mounts.type_of("/mnt/nfs") == "nfs4");
}

TEST_CASE("the table is the same object until it changes; the kernel's own can be read") {
  MountTable table;
  const auto first = table.mounts();
  REQUIRE(first);
  CHECK(table.mounts() == first);
  CHECK(MountTable("/does/not/exist").mounts()->empty());
}

TEST_CASE("a table that cannot be read for a while leaves the mounts as they were") {
  const test::TempDir dir;
  const std::string path = dir / "mountinfo";
  fs::create_directories(path);  // Fails with another error than "not found"
  MountTable table(path);
  CHECK(table.mounts() == nullptr);
  fs::remove(path);
  std::ofstream(path) << mountinfo("/mnt/nfs");
  const auto first = table.mounts();
  REQUIRE(first);
  CHECK(first->contains("/mnt/nfs"));
  // A file of a disk tells of no change, or of one at each look: with either the old table stays.
  fs::remove(path);
  fs::create_directories(path);
  CHECK(table.mounts() == first);
}

TEST_CASE("the kernel's own places cost nothing: no log lies there") {
  const auto mounts = RemoteMounts::parse(mountinfo("/proc/sys/fs/binfmt_misc") +
                                          mountinfo("/sys/fs/odd") + mountinfo("/process"));
  CHECK(mounts.points() == std::vector<std::string>{"/process"});
}

TEST_CASE("patterns match as glob(7) does") {
  const test::TempDir dir;
  for (const char* name :
       {"a/x.log", "a/.hidden.log", "b/x.log", "b/y.txt", "c*d/x.log", "x.log"}) {
    fs::create_directories(fs::path(dir / name).parent_path());
    std::ofstream(dir / name) << "x\n";
  }
  const auto expand = [&](const std::string& pattern) {
    auto found = expand_pattern(dir / pattern, [](const std::string&) { return true; });
    std::sort(found.begin(), found.end());
    for (auto& path : found) path = path.substr(dir.path().size() + 1);
    return found;
  };
  using Names = std::vector<std::string>;
  CHECK(expand("*/x.log") == Names{"a/x.log", "b/x.log", "c*d/x.log"});
  CHECK(expand("a/*") == Names{"a/x.log"});
  CHECK(expand("a/.*.log") == Names{"a/.hidden.log"});
  CHECK(expand("[ab]/?.*") == Names{"a/x.log", "b/x.log", "b/y.txt"});
  CHECK(expand("c\\*d/x.log") == Names{"c*d/x.log"});
  CHECK(expand("x.log/*").empty());
  CHECK(expand("x.log") == Names{"x.log"});
  CHECK(expand("none/x.log").empty());
  CHECK(expand("a//x.log") == Names{"a/x.log"});
  CHECK(expand_pattern("relative/*", [](const std::string&) { return true; }).empty());
}

TEST_CASE("a pattern touches only what it may") {
  const test::TempDir dir;
  for (const char* name : {"a/x.log", "b/x.log"}) {
    fs::create_directories(fs::path(dir / name).parent_path());
    std::ofstream(dir / name) << "x\n";
  }
  const std::string b = dir / "b";
  const auto may_touch = [&](const std::string& path) { return !path.starts_with(b); };
  CHECK(expand_pattern(dir / "*/*.log", may_touch) == std::vector<std::string>{dir / "a/x.log"});
  CHECK(expand_pattern(dir / "*/x.log", may_touch) == std::vector<std::string>{dir / "a/x.log"});
}
