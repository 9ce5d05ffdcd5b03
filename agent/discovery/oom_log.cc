#include "agent/discovery/oom_log.h"

#include <algorithm>

#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::size_t kMaxCommBytes = 64;  // The kernel's own are 15; its threads' may be longer
constexpr std::size_t kMaxPathBytes = 1024;

// What follows `name` up to one of `ends`.
std::optional<std::string_view> after(std::string_view text, std::string_view name,
                                      std::string_view ends) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + name.size());
  return rest.substr(0, rest.find_first_of(ends));
}

std::optional<std::uint64_t> kib_after(std::string_view text, std::string_view name) {
  const auto digits = after(text, name, "k ,");
  const auto number = digits ? text::parse_u64(*digits) : std::nullopt;
  if (!number || *number > UINT64_MAX / 1024) return std::nullopt;
  return *number * 1024;
}

std::optional<std::uint32_t> pid_in(std::optional<std::string_view> digits) {
  const auto number = digits ? text::parse_u64(*digits) : std::nullopt;
  if (!number || *number == 0 || *number > INT32_MAX) return std::nullopt;
  return static_cast<std::uint32_t>(*number);
}

std::string path_in(std::optional<std::string_view> text) {
  return text ? text::replace_invalid_utf8(text->substr(0, kMaxPathBytes)) : "";
}

}  // namespace

std::optional<OomKill> OomLog::feed(std::string_view record) {
  const std::size_t semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return std::nullopt;
  const std::string_view head = record.substr(0, semicolon);
  std::string_view line = record.substr(semicolon + 1);
  line = line.substr(0, line.find('\n'));
  // What a program wrote to /dev/kmsg is not the kernel's word: its facility is not 0.
  const auto level = text::parse_u64(head.substr(0, head.find(',')));
  if (!level || *level > 7) return std::nullopt;

  if (line.find(" invoked oom-killer: ") != std::string_view::npos) {
    told_ = Told();
  } else if (line.starts_with("memory: usage ")) {
    told_.usage_bytes = kib_after(line, "usage ");
    told_.limit_bytes = kib_after(line, "limit ");
  } else if (line.starts_with("oom-kill:constraint=")) {
    // Paths may hold commas, so each ends at the name of what follows it.
    told_.pid = pid_in(after(line, ",pid=", ",")).value_or(0);
    const std::size_t limit_at = line.find(",oom_memcg=");
    const std::size_t task_at = line.find(",task_memcg=");
    const std::size_t comm_at = line.rfind(",task=");
    constexpr std::size_t kLimitName = 11, kTaskName = 12;
    if (limit_at != std::string_view::npos && task_at != std::string_view::npos &&
        limit_at + kLimitName <= task_at) {
      told_.limit_memcg =
          path_in(line.substr(limit_at + kLimitName, task_at - limit_at - kLimitName));
    }
    if (task_at != std::string_view::npos && comm_at != std::string_view::npos &&
        task_at + kTaskName <= comm_at) {
      told_.task_memcg = path_in(line.substr(task_at + kTaskName, comm_at - task_at - kTaskName));
    }
  } else if (const std::size_t at = line.find("Killed process "); at != std::string_view::npos) {
    OomKill kill;
    const auto pid = pid_in(after(line, "Killed process ", " ("));
    if (!pid) return std::nullopt;
    kill.pid = *pid;
    const std::size_t open = line.find('(', at);
    const std::size_t close = line.find(") total-vm:", at);
    if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
      kill.comm = text::replace_invalid_utf8(
          line.substr(open + 1, std::min(close - open - 1, kMaxCommBytes)));
    }
    kill.anon_bytes = kib_after(line, "anon-rss:").value_or(0);
    kill.limit = line.starts_with("Memory cgroup out of memory");
    if (told_.pid == kill.pid) {
      kill.task_memcg = told_.task_memcg;
      kill.limit_memcg = told_.limit_memcg;
      if (kill.limit) {
        kill.usage_bytes = told_.usage_bytes;
        kill.limit_bytes = told_.limit_bytes;
      }
      kill.owner = owner_from_cgroup("0::" + kill.task_memcg + "\n");
    }
    return kill;
  }
  return std::nullopt;
}

std::uint64_t OomBalance::missing(std::uint64_t count) {
  if (!base_) base_ = count - std::min(count, seen_);
  if (count < *base_) base_ = count;  // Another kernel's count: a recorded tree, a restored machine
  const std::uint64_t killed = count - *base_;
  const std::uint64_t now = killed > seen_ ? killed - seen_ : 0;
  const std::uint64_t given = std::min(now, missing_before_);
  *base_ += given;
  missing_before_ = now - given;
  return given;
}

std::optional<std::uint64_t> oom_kills_of_vmstat(std::string_view vmstat) {
  const std::size_t at = vmstat.find("\noom_kill ");
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = vmstat.substr(at + 10);
  return text::parse_u64(rest.substr(0, rest.find('\n')));
}

}  // namespace observeai::agent
