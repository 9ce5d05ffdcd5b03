#include "agent/discovery/proc_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "protocol/base/text.h"

namespace observeai::agent {

ProcDirectory::ProcDirectory(const std::string& path)
    : fd_(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
ProcDirectory::~ProcDirectory() {
  if (fd_ >= 0) ::close(fd_);
}

bool ProcDirectory::read(const char* name, std::string& buffer, std::size_t limit) const {
  const int fd = ::openat(fd_, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  constexpr std::size_t kFirstRead = 4096;
  std::size_t used = 0;
  bool good = true;
  while (used < limit) {
    buffer.resize(std::min(limit, std::max(kFirstRead, used * 2)));
    const ssize_t got = ::read(fd, buffer.data() + used, buffer.size() - used);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) good = false;
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
  }
  const int kept = errno;
  ::close(fd);
  errno = kept;
  buffer.resize(used);
  return good;
}

bool ProcDirectory::read_link(const char* name, std::string& buffer) const {
  std::array<char, 256> target;
  const ssize_t got = ::readlinkat(fd_, name, target.data(), target.size());
  if (got < 0) return false;
  buffer.assign(target.data(), static_cast<std::size_t>(got));
  return true;
}

namespace {

// Takes the next number off the front; false when there is none.
bool take_number(std::string_view& text, std::uint64_t& value) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  bool negative = false;
  if (!text.empty() && text.front() == '-') {
    negative = true;
    text.remove_prefix(1);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (negative) value = 0;  // None of the fields used here can be negative.
  return true;
}

}  // namespace

std::optional<ProcStat> parse_proc_stat(std::string_view text) {
  // The name is in parentheses and may itself hold spaces and parentheses.
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open ||
      close + 3 >= text.size()) {
    return std::nullopt;
  }
  ProcStat out;
  out.comm = std::string(text.substr(open + 1, close - open - 1));
  out.state = text[close + 2];
  std::string_view rest = text.substr(close + 3);
  constexpr std::size_t kFirst = 4;  // ppid, as proc(5) counts
  constexpr std::size_t kLast = 24;  // rss
  std::array<std::uint64_t, kLast + 1> field{};
  for (std::size_t i = kFirst; i <= kLast; ++i) {
    if (!take_number(rest, field[i])) return std::nullopt;
  }
  constexpr std::uint64_t kKernelThreadFlag = 0x0020'0000;  // PF_KTHREAD
  out.ppid = static_cast<std::uint32_t>(field[4]);
  out.kernel_thread = (field[9] & kKernelThreadFlag) != 0;
  out.cpu_ticks = field[14] + field[15];
  out.threads = field[20];
  out.start_ticks = field[22];
  out.rss_pages = field[24];
  return out;
}

std::optional<std::uint64_t> bracketed_number(std::string_view text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return std::nullopt;
  text.remove_prefix(prefix.size());
  if (text.size() < 4 || text.substr(0, 2) != ":[" || text.back() != ']') return std::nullopt;
  return text::parse_u64(text.substr(2, text.size() - 3));
}

std::optional<std::uint64_t> soft_limit(std::string_view limits, std::string_view name) {
  std::size_t at = limits.starts_with(name) ? 0 : limits.find("\n" + std::string(name));
  if (at == std::string_view::npos) return std::nullopt;
  at += name.size() + (at > 0 ? 1 : 0);
  const std::size_t begin = limits.find_first_not_of(' ', at);
  if (begin == std::string_view::npos || begin == at) return std::nullopt;  // A longer name
  return text::parse_u64(limits.substr(begin, limits.find_first_of(" \n", begin) - begin));
}

std::string key_part(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' || c == '@' ||
                         c == '-';
    if (!allowed) c = '_';
  }
  return out;
}

std::int64_t boot_time_ms(std::string_view proc_stat) {
  for (const auto line : text::split(proc_stat, '\n')) {
    if (line.substr(0, 6) != "btime ") continue;
    const auto seconds = text::parse_u64(text::trim(line.substr(6)));
    constexpr std::uint64_t kYear2200 = 7'258'118'400;
    return seconds && *seconds < kYear2200 ? static_cast<std::int64_t>(*seconds) * 1000 : 0;
  }
  return 0;
}

}  // namespace observeai::agent
