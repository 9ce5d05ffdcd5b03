#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/runtime/paths.h"
#include "tests/support/temp_dir.h"

namespace observeai::test {

// A /proc, /sys and / of files that the test writes.
struct ProcTree {
  TempDir dir;
  agent::Paths paths{dir / "proc", dir / "sys", dir / "root"};

  ProcTree() {
    write("proc/stat", "cpu  1 2 3\ncpu0 1 2\ncpu1 1 2\nintr 5\nbtime 1700000000\n");
    write("root/etc/passwd", "root:x:0:0:root:/root:/bin/bash\nbroken\nwww-data:x:" +
                                 std::to_string(::getuid()) + ":33::/:\n");
  }
  void write(const std::string& name, const std::string& text) const {
    const std::filesystem::path path = dir / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }
  void link(const std::string& name, const std::string& target) const {
    const std::filesystem::path path = dir / name;
    std::filesystem::create_directories(path.parent_path());
    std::filesystem::remove(path);
    std::filesystem::create_symlink(target, path);
  }
  void process(int pid, const std::string& comm, std::uint64_t start, std::uint64_t ticks = 0,
               const std::string& cgroup = "0::/system.slice/nginx.service\n",
               const std::string& state = "S", unsigned flags = 0x400000) const {
    const std::string base = "proc/" + std::to_string(pid) + "/";
    write(base + "stat", std::to_string(pid) + " (" + comm + ") " + state + " 1 1 1 0 -1 " +
                             std::to_string(flags) + " 0 0 0 0 " + std::to_string(ticks) +
                             " 0 0 0 20 0 3 0 " + std::to_string(start) +
                             " 1000 10 18446744073709551615\n");
    write(base + "cgroup", cgroup);
    write(base + "cmdline", comm + std::string("\0--flag\0value\0", 14));
    std::filesystem::create_directories(dir / (base + "fd"));
  }
  void end(int pid) const { std::filesystem::remove_all(dir / ("proc/" + std::to_string(pid))); }
};

}  // namespace observeai::test
