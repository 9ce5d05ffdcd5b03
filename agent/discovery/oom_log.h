// Processes that the kernel killed for lack of memory, from the kernel's log. The counters of a control
// group are gone when it is removed, and a runtime tells of a container's main process only; the log
// names every victim. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/discovery/cgroup_owner.h"

namespace observeai::agent {

struct OomKill {
  std::uint32_t pid = 0;
  std::string comm;
  bool limit = false;       // A control group reached its limit; false: the host had no memory
  std::string task_memcg;   // The victim's group, "" when the log does not say
  std::string limit_memcg;  // The group whose limit it was
  CgroupOwner owner;        // From task_memcg
  std::optional<std::uint64_t> usage_bytes, limit_bytes;  // Of limit_memcg
  std::uint64_t anon_bytes = 0;                           // Of the victim
};

// Takes the records of /dev/kmsg in their order. The kernel tells of one kill in several: the usage, the
// groups ("oom-kill:"), the victim ("Killed process"). Of many kills within seconds it tells the last
// one only; then the groups stay unknown.
class OomLog {
 public:
  // One record "<level>,<sequence>,<time>,<flags>;<text>\n<more>"; a kill when it completes one.
  std::optional<OomKill> feed(std::string_view record);

 private:
  struct Told {
    std::uint32_t pid = 0;
    std::string task_memcg, limit_memcg;
    std::optional<std::uint64_t> usage_bytes, limit_bytes;
  };
  Told told_;
};

// Compares the kernel's count of kills with those that were seen: what the log did not tell is missing,
// once it has had time to. Pure.
class OomBalance {
 public:
  // `count`: oom_kill of /proc/vmstat. Kills that nobody has named, when they were missing at the last
  // call already; each is given once.
  std::uint64_t missing(std::uint64_t count);
  void seen() { ++seen_; }

 private:
  std::optional<std::uint64_t>
      base_;  // The count of the first call, plus what was given as missing
  std::uint64_t seen_ = 0;
  std::uint64_t missing_before_ = 0;
};

std::optional<std::uint64_t> oom_kills_of_vmstat(std::string_view vmstat);

}  // namespace observeai::agent
