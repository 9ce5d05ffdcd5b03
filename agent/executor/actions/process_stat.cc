#include "agent/executor/actions/process_stat.h"

#include <array>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr std::size_t kMaxStatBytes = 8192;

// Fields of proc(5) by their number; the first after comm is 3.
constexpr std::size_t kState = 3;
constexpr std::size_t kParent = 4;
constexpr std::size_t kFlags = 9;
constexpr std::size_t kUserTicks = 14;
constexpr std::size_t kSystemTicks = 15;
constexpr std::size_t kStartTicks = 22;
constexpr std::size_t kResident = 24;

}  // namespace

std::optional<ProcessStat> parse_process_stat(std::string_view text) {
  // comm may hold spaces and brackets: it ends at the last one.
  const auto open = text.find(" (");
  const auto close = text.rfind(") ");
  if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2)
    return std::nullopt;
  const auto fields = text::split(text::trim(text.substr(close + 2)), ' ');
  if (fields.size() <= kResident - kState || fields[0].size() != 1) return std::nullopt;
  const auto pid = text::parse_i64(text.substr(0, open));
  const auto field = [&](std::size_t number) { return fields[number - kState]; };
  const auto parent = text::parse_i64(field(kParent));
  const auto flags = text::parse_u64(field(kFlags));
  const auto user = text::parse_u64(field(kUserTicks));
  const auto system = text::parse_u64(field(kSystemTicks));
  const auto start = text::parse_i64(field(kStartTicks));
  const auto resident = text::parse_i64(field(kResident));
  if (!pid || !parent || !flags || !user || !system || !start || !resident) return std::nullopt;
  return ProcessStat{*pid,
                     std::string(text.substr(open + 2, close - open - 2)),
                     fields[0].front(),
                     *parent,
                     *flags,
                     *user + *system,
                     *start,
                     *resident};
}

Result<ProcessStat> read_process_stat(const std::string& proc_root, std::int64_t pid) {
  const std::string path = proc_root + "/" + std::to_string(pid) + "/stat";
  auto text = files::read(path, kMaxStatBytes);
  // ESRCH comes when the process ends between open and read.
  if (!text) return Error(Errc::kNotFound, "there is no process " + std::to_string(pid));
  const auto stat = parse_process_stat(*text);
  if (!stat || stat->pid != pid) return Error(Errc::kCorrupt, path + " is not as expected");
  return *stat;
}

}  // namespace observeai::agent::executor
