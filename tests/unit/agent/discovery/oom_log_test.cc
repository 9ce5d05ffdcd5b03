#include "agent/discovery/oom_log.h"

#include <doctest/doctest.h>

#include <vector>

using namespace observeai::agent;

namespace {

const std::string kId = std::string(32, 'a') + std::string(32, '0');

std::vector<OomKill> feed(OomLog& log, const std::vector<std::string>& lines,
                          const std::string& head = "6,1,2,-;") {
  std::vector<OomKill> out;
  for (const auto& line : lines) {
    if (auto kill = log.feed(head + line + "\n SUBSYSTEM=x\n")) out.push_back(*kill);
  }
  return out;
}

std::string groups(const std::string& memcg, int pid) {
  return "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=" +
         memcg + ",task_memcg=" + memcg + ",task=python3,pid=" + std::to_string(pid) + ",uid=0";
}

std::string victim(int pid, const std::string& comm = "python3") {
  return "Memory cgroup out of memory: Killed process " + std::to_string(pid) + " (" + comm +
         ") total-vm:78008kB, anon-rss:20224kB, file-rss:6632kB, shmem-rss:0kB, UID:0";
}

}  // namespace

TEST_CASE("a kill as the kernel tells it: who, in which container, whose limit") {
  OomLog log;
  const auto kills =
      feed(log, {"python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
                 "memory: usage 20480kB, limit 20480kB, failcnt 60",
                 "memory+swap: usage 20480kB, limit 9007199254740988kB, failcnt 0",
                 groups("/docker/" + kId, 77), victim(77)});
  REQUIRE(kills.size() == 1);
  CHECK(kills[0].pid == 77);
  CHECK(kills[0].comm == "python3");
  CHECK(kills[0].limit);
  CHECK(kills[0].owner.container_id == kId);
  CHECK(kills[0].limit_memcg == "/docker/" + kId);
  CHECK(kills[0].usage_bytes == 20'480U * 1024);
  CHECK(kills[0].limit_bytes == 20'480U * 1024);
  CHECK(kills[0].anon_bytes == 20'224U * 1024);
}

TEST_CASE("a host without memory, a limit further up, names that try to mislead") {
  OomLog log;
  auto kills = feed(
      log,
      {"oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,"
       "task_memcg=/system.slice/nginx.service,task=nginx,pid=5,uid=33",
       "Out of memory: Killed process 5 (nginx) total-vm:1kB, anon-rss:1kB"});
  REQUIRE(kills.size() == 1);
  CHECK_FALSE(kills[0].limit);
  CHECK(kills[0].owner.unit == "nginx.service");
  CHECK_FALSE(kills[0].limit_bytes);

  kills = feed(log, {"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),oom_memcg=/kubepods,"
                     "task_memcg=/kubepods/a,b/docker-" +
                         kId + ".scope,task=x,pid=6,uid=0",
                     victim(6, "a) (b, task=c")});
  REQUIRE(kills.size() == 1);
  CHECK(kills[0].limit_memcg == "/kubepods");
  CHECK(kills[0].owner.container_id == kId);
  CHECK(kills[0].comm == "a) (b, task=c");

  // Written to /dev/kmsg by a program (facility 1), or cut.
  CHECK(feed(log, {victim(7)}, "12,1,2,-;").empty());
  CHECK_FALSE(log.feed("6,1,2,-"));
  CHECK_FALSE(log.feed(""));
  CHECK(feed(log,
             {"Killed process", "Killed process x (y) total-vm:", "Killed process 0 (a) total-vm:"})
            .empty());
}

TEST_CASE("of kills in a burst the kernel tells the victim only: it gets no other one's groups") {
  OomLog log;
  const auto kills = feed(log, {groups("/docker/" + kId, 1), victim(1), victim(2), victim(3)});
  REQUIRE(kills.size() == 3);
  CHECK(kills[0].owner.container_id == kId);
  CHECK(kills[1].task_memcg.empty());
  CHECK(kills[2].owner.container_id.empty());
}

TEST_CASE("seen plus missing is what the kernel counts") {
  OomBalance balance;
  CHECK(balance.missing(20) == 0);  // Before our time
  CHECK(balance.missing(20) == 0);
  balance.seen();
  CHECK(balance.missing(21) == 0);
  // The count may be ahead of the log for a moment.
  CHECK(balance.missing(23) == 0);
  balance.seen();
  balance.seen();
  CHECK(balance.missing(23) == 0);
  // The log may be ahead of the count.
  balance.seen();
  CHECK(balance.missing(23) == 0);
  CHECK(balance.missing(24) == 0);
  // Never told: given once, at the second look.
  CHECK(balance.missing(26) == 0);
  CHECK(balance.missing(27) == 2);
  CHECK(balance.missing(27) == 1);
  CHECK(balance.missing(27) == 0);
}

TEST_CASE("the kernel's count") {
  CHECK(oom_kills_of_vmstat("a 1\noom_kill 21\nb 2\n") == 21);
  CHECK_FALSE(oom_kills_of_vmstat("a 1\n"));
  CHECK_FALSE(oom_kills_of_vmstat("a 1\noom_kill x\n"));
}
