// One source of samples. A collector keeps what makes its next turn cheap (descriptors, series
// refs); it never throws, never blocks beyond what HostCalls allow, and takes any content of its
// files. Its error means "this source gave nothing or less than usual" and never stops another
// collector.
#pragma once

#include <sys/timex.h>
#include <sys/utsname.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "agent/core/observed.h"
#include "agent/metrics/file_reader.h"
#include "agent/metrics/process_usage.h"
#include "agent/metrics/roots.h"
#include "agent/metrics/sample_sink.h"
#include "protocol/base/result.h"

namespace observeai::agent {

struct FilesystemUsage {
  std::uint64_t block_size = 0;
  std::uint64_t blocks = 0;
  std::uint64_t free_blocks = 0;
  std::uint64_t available_blocks = 0;
  std::uint64_t files = 0;
  std::uint64_t files_free = 0;
  bool read_only = false;
};

struct ClockDiscipline {
  timex values{};
  int state = 0;  // What adjtimex() returned; TIME_ERROR = not synchronized
};

struct Mount;  // filesystem_collector.h
// `path` is the mount's place below the root that is measured.
using StatfsCall =
    std::function<Result<FilesystemUsage>(const std::string& path, const Mount& mount)>;

// One X.509 certificate in a file.
struct CertificateDates {
  std::string path;
  std::string serial;           // Hex
  std::string subject, issuer;  // Common names
  std::int64_t not_before_s = 0;
  std::int64_t not_after_s = 0;
};

// System calls that are not files, so that tests give their own. The defaults call the kernel
// directly; deadline_statfs.h is for who cannot wait for a dead mount.
struct HostCalls {
  StatfsCall statfs;
  std::function<Result<ClockDiscipline>()> adjtimex;
  std::function<Result<utsname>()> uname;
  // Those in the files that are configured; called once an hour. Empty: there are none.
  std::function<Result<std::vector<CertificateDates>>()> certificates = {};
  static HostCalls direct();
};

// A counter or gauge that another part of the agent reports about itself, named after the prefix
// "observeai_agent_".
struct SelfValue {
  std::string name;
  wire::MetricKind kind = wire::MetricKind::kCounter;
  double value = 0;
};

struct CollectContext {
  FileReader& files;
  std::int64_t now_ms = 0;
  // Attributes that rarely change (driver info, limits, release names) are read again in this turn.
  bool slow_turn = true;
  std::span<const ObservedContainer> containers;
  std::span<const ProcessUsage> processes;
  std::span<const SelfValue> self;
  std::span<const LogLines> log_lines;
  std::uint64_t malformed = 0;  // Lines and fields that did not parse, counted by the collectors
};

class Collector {
 public:
  virtual ~Collector() = default;
  virtual std::string_view name() const = 0;
  // kNotFound: this kernel or machine does not have the source.
  virtual Result<void> collect(CollectContext& context, SampleSink& sink) = 0;
};

// Every collector of the agent, in the order they run: when a scrape reaches its limit, what the
// last ones give is refused.
std::vector<std::unique_ptr<Collector>> make_collectors(const MetricRoots& roots, HostCalls calls);

// "cannot read /proc/stat: No such file or directory", kNotFound for what is absent.
Error unreadable(const std::string& path, int error_number);

}  // namespace observeai::agent
