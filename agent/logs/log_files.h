// Which files are followed beside the logs of containers: by patterns of the configuration. Single
// thread; looks at the disk in scan() only, and only at what may be touched there: one LogFiles finds
// what is local, another one what lies on each mount that may hang (remote_mounts.h). Where the local
// one meets such a mount it stops and says so.
//
// A plain log that is older than the first scan of its pattern starts at its end; one that is born
// later, also while the agent is down, is read from its beginning. When each pattern was first
// scanned is remembered in a checkpoint of its own, kLogFilesSource, for other places with the mount
// point behind it. A time that lies in the future was taken from a clock that was ahead; it becomes 0,
// which makes no file old: to read too much is better than to pass over what nobody read.
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
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/logs/log_format.h"
#include "agent/logs/remote_mounts.h"
#include "protocol/base/result.h"

namespace observeai::agent {

inline constexpr const char* kLogFilesSource = "log/files";

struct LogFilesOptions {
  std::vector<std::string> plain;  // glob(7) patterns, absolute
  std::vector<std::string> cri;
  std::vector<std::string> exclude;
  bool read_existing = false;    // Plain logs from their beginning, however old
  std::size_t max_files = 1024;  // Each costs a descriptor and a stat every poll
  std::string place = kLocal;    // Only what lies there
};

// A pattern whose matches lie, at least in part, on another place.
struct PatternElsewhere {
  std::string pattern;
  LogFormat format = LogFormat::kPlain;
  std::int64_t first_scan_ns = 0;  // Of the pattern anywhere
  bool operator==(const PatternElsewhere&) const = default;
};
using PatternsByPlace = std::map<std::string, std::vector<PatternElsewhere>>;

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
  // What may hang now. Without it everything is local.
  void set_mounts(std::shared_ptr<const RemoteMounts> mounts) { mounts_ = std::move(mounts); }
  // For another place than kLocal: what is scanned there, as others found it.
  void set_patterns(std::vector<PatternElsewhere> patterns) { patterns_ = std::move(patterns); }
  // What the last scan met and left to others.
  const PatternsByPlace& elsewhere() const { return elsewhere_; }
  // "log/files", "log/files/mnt/nfs"
  std::string source() const { return kLogFilesSource + options_.place; }
  // kCorrupt: patterns count as new, so that nothing old is read twice.
  Result<void> restore(std::string_view state);
  // A log of this place is followed: its checkpoint is to say so, with patterns or without, so that
  // the place is waited for when it is not there at a start.
  void note_used() {
    changed_ = changed_ || !used_;
    used_ = true;
  }
  // Times are known already: restored, or taken from scans.
  bool restored() const { return !first_scans_.empty(); }
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
  std::vector<PatternElsewhere> patterns() const;
  std::int64_t first_scan(const std::string& pattern, std::int64_t now_ns, bool& is_new);
  void match(const PatternElsewhere& pattern, std::int64_t now_ns, PlaceFinder& finder,
             std::map<std::string, MatchedLog>& out);

  LogFilesOptions options_;
  std::shared_ptr<const RemoteMounts> mounts_ = std::make_shared<RemoteMounts>();
  std::vector<PatternElsewhere> patterns_;
  PatternsByPlace elsewhere_;
  std::map<std::string, std::int64_t> first_scans_;
  bool changed_ = false;
  bool used_ = false;  // Its checkpoint is committed, or will be
  std::size_t left_out_ = 0;
};

// "/mnt/nfs" of "log/files/mnt/nfs", kLocal of "log/files"; nullopt for other sources.
std::optional<std::string> place_of_files(std::string_view source);

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
