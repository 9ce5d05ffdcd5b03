// Small reads below a /proc tree and the parsers of its formats. The parsers are pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace observeai::agent {

// A directory kept open: reading "123/stat" below it resolves two names instead of the whole path.
class ProcDirectory {
 public:
  explicit ProcDirectory(const std::string& path);
  ~ProcDirectory();
  ProcDirectory(const ProcDirectory&) = delete;
  ProcDirectory& operator=(const ProcDirectory&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  // The whole file, at most `limit` bytes, into `buffer` (whose capacity is used again); false when
  // it cannot be read, with the errno kept.
  bool read(const char* name, std::string& buffer, std::size_t limit) const;
  // Target of a symbolic link such as "123/ns/net".
  bool read_link(const char* name, std::string& buffer) const;

 private:
  int fd_ = -1;
};

// /proc/<pid>/stat, see proc(5).
struct ProcStat {
  std::string comm;
  char state = '?';
  std::uint32_t ppid = 0;
  bool kernel_thread = false;
  std::uint64_t cpu_ticks = 0;  // utime + stime
  std::uint64_t threads = 0;
  std::uint64_t start_ticks = 0;  // Since boot
  std::uint64_t rss_pages = 0;
};
std::optional<ProcStat> parse_proc_stat(std::string_view text);

// Of /proc/<pid>/limits, whose names have blanks: "Max open files    1024    524288    files".
// nullopt: not there, or "unlimited".
std::optional<std::uint64_t> soft_limit(std::string_view limits, std::string_view name);

// "socket:[123]" and "net:[123]" -> 123
std::optional<std::uint64_t> bracketed_number(std::string_view text, std::string_view prefix);

// `text` as a process group's key may hold it: [A-Za-z0-9._:@-], others become '_'.
std::string key_part(std::string_view text);

// The value of "btime" in /proc/stat in milliseconds, 0 when missing.
std::int64_t boot_time_ms(std::string_view proc_stat);

}  // namespace observeai::agent
