// Which files are followed beside the logs of containers: by patterns of the configuration. Single
// thread; looks at the disk in scan() only.
//
// A plain log that is older than the first scan of its pattern starts at its end; one that is born
// later, also while the agent is down, is read from its beginning. When each pattern was first
// scanned is remembered in a checkpoint of its own, kLogFilesSource:
//
//   observeai-log-files 1
//   pattern <first scan, unix ns> <pattern>
//   end
//
// What is left out: rotated files of a log that is followed (log_siblings.h); symbolic links to
// files that match themselves; of a CRI pattern all links (cri-dockerd's lead to Docker's logs);
// what an exclusion matches, by its path or, without '/', by its name.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/logs/log_format.h"
#include "protocol/base/result.h"

namespace observeai::agent {

inline constexpr const char* kLogFilesSource = "log/files";

struct LogFilesOptions {
  std::vector<std::string> plain;  // glob(7) patterns, absolute
  std::vector<std::string> cri;
  std::vector<std::string> exclude;
  bool read_existing = false;    // Plain logs from their beginning, however old
  std::size_t max_files = 1024;  // Each costs a descriptor and a stat every poll
};

struct MatchedLog {
  std::string path;
  LogFormat format = LogFormat::kPlain;
  std::int64_t older_starts_at_end_ns = INT64_MIN;  // Birth time
  bool first_scan = false;                          // Of its pattern, ever
  bool operator==(const MatchedLog&) const = default;
};

class LogFiles {
 public:
  explicit LogFiles(LogFilesOptions options) : options_(std::move(options)) {}

  bool wanted() const { return !options_.plain.empty() || !options_.cri.empty(); }
  // kCorrupt: patterns count as new, so that nothing old is read twice.
  Result<void> restore(std::string_view state);
  // `followed`: is a log of this path followed now? Sorted by path; at most max_files.
  std::vector<MatchedLog> scan(std::int64_t now_ns,
                               const std::function<bool(const std::string&)>& followed);
  // Files that matched beyond max_files in the last scan.
  std::size_t left_out() const { return left_out_; }
  // Does the configuration want this path, whether it is there or not?
  bool wants(const std::string& path, LogFormat format) const;

  // What is to be committed, until committed(); nullopt when nothing changed.
  std::optional<SourceCheckpoint> checkpoint() const;
  void committed() { changed_ = false; }

 private:
  bool excluded(const std::string& path) const;
  void match(const std::string& pattern, LogFormat format, std::int64_t now_ns,
             std::map<std::string, MatchedLog>& out);

  LogFilesOptions options_;
  std::map<std::string, std::int64_t> first_scans_;
  bool changed_ = false;
  std::size_t left_out_ = 0;
};

// "log/file/var/log/syslog", "log/cri/var/log/pods/…": paths are absolute.
std::string log_source_name(const std::string& path, LogFormat format);
struct NamedLog {
  std::string path;
  LogFormat format = LogFormat::kPlain;
};
std::optional<NamedLog> parse_log_source_name(std::string_view name);

// "file/var/log/syslog"; of the kubelet's /…/<namespace>_<pod>_<uid>/<container>/<n>.log:
// "pod/<namespace>/<pod>/<container>".
wire::Target log_target(const std::string& path, LogFormat format);

}  // namespace observeai::agent
