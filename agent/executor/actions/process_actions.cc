#include "agent/executor/actions/process_actions.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "agent/executor/actions/values.h"
#include "agent/executor/pidfd.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kOurs = "observeai";  // Programs and units begin with it
constexpr std::size_t kMaxCgroupBytes = 16U << 10;
constexpr std::size_t kMaxAncestors = 64;

std::string_view name_of(std::string_view program) {
  return program.substr(program.rfind('/') + 1);  // npos + 1 is 0
}

// By its program, not by its comm, which it may change at any moment.
std::string shown(const ProcessFacts& process) {
  const auto name = process.program.empty() ? process.stat.comm : name_of(process.program);
  return "process " + std::to_string(process.stat.pid) + " (" + text::escape_unprintable(name, 64) +
         ")";
}

std::string link_target(const std::string& path) {
  char target[PATH_MAX];
  const auto size = ::readlink(path.c_str(), target, sizeof target);
  return size <= 0 ? "" : std::string(target, static_cast<std::size_t>(size));
}

// A file of such a name that belongs to whom the executor's own program belongs: root, once installed.
bool is_ours(const std::string& proc_root, std::int64_t pid) {
  const std::string exe = proc_root + "/" + std::to_string(pid) + "/exe";
  if (!name_of(link_target(exe)).starts_with(kOurs)) return false;
  struct stat program {};
  struct stat own {};
  return ::stat(exe.c_str(), &program) == 0 && ::stat("/proc/self/exe", &own) == 0 &&
         program.st_uid == own.st_uid;
}

// One of the system's own, which no user can make: not below user.slice.
bool is_our_unit(std::string_view cgroup) {
  for (const auto line : text::split(cgroup, '\n')) {
    const auto path = line.substr(std::min(line.find('/'), line.size()));
    if (path.starts_with("/system.slice/observeai") || path.starts_with("/observeai")) return true;
  }
  return false;
}

Result<ProcessFacts> read_facts(const std::string& proc_root, std::int64_t pid) {
  ProcessFacts facts;
  TRY(facts.stat, read_process_stat(proc_root, pid));
  const std::string folder = proc_root + "/" + std::to_string(pid);
  facts.program = link_target(folder + "/exe");
  TRY(facts.cgroup, files::read(folder + "/cgroup", kMaxCgroupBytes));
  struct stat info {};
  if (::stat(folder.c_str(), &info) == 0) facts.user = info.st_uid;
  facts.ours = is_ours(proc_root, pid);
  facts.parent_ours = is_ours(proc_root, facts.stat.parent);
  return facts;
}

std::vector<std::int64_t> self_and_ancestors(const std::string& proc_root) {
  std::vector<std::int64_t> out;
  std::int64_t pid = ::getpid();
  while (pid > 0 && out.size() < kMaxAncestors) {
    out.push_back(pid);
    const auto stat = read_process_stat(proc_root, pid);
    pid = stat ? stat->parent : 0;
  }
  return out;
}

class ProcessTerminate final : public Action {
 public:
  explicit ProcessTerminate(const Host& host) : host_(host) {}

  Result<Assessment> assess(const wire::Parameters& parameters, Run&) override {
    TRY(const Target target, open(parameters));
    const ProcessFacts& facts = target.facts;
    Assessment seen;
    seen.state = state_text({{"cgroup", facts.cgroup},
                             {"pid", std::to_string(facts.stat.pid)},
                             {"program", facts.program},
                             {"start_ticks", std::to_string(facts.stat.start_ticks)},
                             {"user", std::to_string(facts.user)}});
    seen.diff = {change(facts)};
    return seen;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment&, Run& run) override {
    TRY(const Target target, open(parameters));
    ended_ = target.facts;
    run.step("signal", "TERM");
    TRY_VOID(signal(target, SIGTERM));
    const auto kill_after = parameter<std::int64_t>(parameters, "kill_after_s");
    const auto patience =
        kill_after == 0 ? run.left() : std::min<milliseconds>(run.left(), seconds_of(kill_after));
    if (gone_within(target, patience)) return {};
    if (kill_after == 0) return Error(Errc::kTimeout, shown(ended_) + " did not end after TERM");
    run.step("signal", "KILL");
    TRY_VOID(signal(target, SIGKILL));
    if (gone_within(target, run.left())) return {};
    return Error(Errc::kTimeout, shown(ended_) + " did not end after KILL: it is in the kernel");
  }

  // A zombie has ended: it is its parent's to take note of.
  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment&,
                                           Run&) override {
    const auto now = read_process_stat(host_.proc_root, ended_.stat.pid);
    if (!now && now.error().code() != Errc::kNotFound) return now.error();
    if (now && now->start_ticks == ended_.stat.start_ticks && !now->ended())
      return Error(Errc::kTimeout, shown(ended_) + " still runs");
    return std::vector<wire::Change>{change(ended_)};
  }

 private:
  struct Target {
    UniqueFd process;
    ProcessFacts facts;
  };

  static std::chrono::seconds seconds_of(std::int64_t count) { return std::chrono::seconds{count}; }
  static wire::Change change(const ProcessFacts& process) {
    return {shown(process), "runs", "ended"};
  }

  // First held, then looked at: what was looked at is what gets the signal.
  Result<Target> open(const wire::Parameters& parameters) const {
    const auto pid = parameter<std::int64_t>(parameters, "pid", 0);
    const auto start_ticks = parameter<std::int64_t>(parameters, "start_ticks", -1);
    const std::string name = "process " + std::to_string(pid);
    // kill() takes 0 and below for groups; ids are at most 2^22 (proc(5), pid_max).
    if (pid <= 0 || pid > INT_MAX) return Error(Errc::kInvalid, name + ": no process id");
    Target target{open_pidfd(static_cast<pid_t>(pid)), {}};
    if (!target.process) return Error(Errc::kNotFound, "there is no " + name);
    TRY(target.facts, read_facts(host_.proc_root, pid));
    if (target.facts.stat.start_ticks != start_ticks)
      return Error(Errc::kNotFound, name + " is another one: it began at " +
                                        std::to_string(target.facts.stat.start_ticks));
    if (target.facts.stat.ended()) return Error(Errc::kNotFound, name + " has ended");
    TRY_VOID(check_may_end(target.facts, self_and_ancestors(host_.proc_root)));
    return target;
  }
  static Result<void> signal(const Target& target, int number) {
    if (send_signal(target.process, number) || errno == ESRCH) return {};
    return files::from_errno("cannot signal " + shown(target.facts), errno);
  }
  static bool gone_within(const Target& target, milliseconds patience) {
    const auto until = std::chrono::steady_clock::now() + patience;
    for (;;) {
      const auto left =
          std::chrono::ceil<milliseconds>(until - std::chrono::steady_clock::now()).count();
      pollfd end{target.process.get(), POLLIN, 0};
      const int got = ::poll(&end, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 600'000)));
      if (got > 0) return true;
      if (left <= 0 && (got == 0 || errno != EINTR)) return false;
    }
  }

  const Host& host_;
  ProcessFacts ended_;  // By the latest execute()
};

}  // namespace

Result<void> check_may_end(const ProcessFacts& process, const std::vector<std::int64_t>& own) {
  const auto refuse = [&](const char* why) {
    return Error(Errc::kDenied, shown(process) + " is " + why);
  };
  if (process.stat.pid == 1) return refuse("the first process of the host");
  if (process.stat.kernel_thread()) return refuse("a thread of the kernel");
  if (std::find(own.begin(), own.end(), process.stat.pid) != own.end())
    return refuse("the executor or what started it");
  if (process.ours || is_our_unit(process.cgroup)) return refuse("a part of ObserveAI");
  if (process.parent_ours) return refuse("started by ObserveAI, which needs it");
  return {};
}

void add_process_actions(const Host& host, Actions& actions) {
  actions.emplace("process.terminate", std::make_unique<ProcessTerminate>(host));
}

}  // namespace observeai::agent::executor
