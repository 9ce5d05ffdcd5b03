#include <unistd.h>

#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

constexpr Metric kCpu = counter("node_cpu_seconds_total");
constexpr Metric kGuest = counter("node_cpu_guest_seconds_total");
constexpr std::array<std::string_view, 10> kModes = {"user", "nice",    "system", "idle", "iowait",
                                                     "irq",  "softirq", "steal",  "user", "nice"};
constexpr std::size_t kFirstGuestMode = 8;
constexpr std::size_t kIdle = 3;

struct CpuRow {
  explicit CpuRow(std::string_view key) : label(key.substr(3)) {}
  std::string label;
  std::array<std::uint64_t, kModes.size()> ticks{};
  std::array<SeriesRef, kModes.size()> refs;
};

class CpuCollector final : public Collector {
 public:
  explicit CpuCollector(const MetricRoots& roots) : file_(roots.proc + "/stat") {}
  std::string_view name() const override { return "cpu"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    const FileText content = file_.read(context.files);
    if (!content) return unreadable(file_.path(), content.error);
    parse_stat(content.text, stat_);
    context.malformed += stat_.malformed;
    rows_.begin();
    for (const CpuTicks& cpu : stat_.cpus) {
      const std::string key = "cpu" + std::to_string(cpu.cpu);
      if (CpuRow* row = rows_.at(key)) add_cpu(cpu, *row, sink);
    }
    rows_.end();
    add_totals(sink);
    return {};
  }

 private:
  void add_cpu(const CpuTicks& cpu, CpuRow& row, SampleSink& sink) {
    keep_rising(cpu, row);
    for (std::size_t i = 0; i < kModes.size(); ++i) {
      sink.host(row.refs[i], i < kFirstGuestMode ? kCpu : kGuest,
                {{"cpu", row.label}, {"mode", kModes[i]}},
                static_cast<double>(row.ticks[i]) / ticks_per_second_);
    }
  }

  // The kernel lets idle and iowait of a tickless CPU step back a little, which a reader of
  // counters would take for a restart. Only a fall of idle by more than three seconds is one: the
  // CPU was unplugged and came back.
  void keep_rising(const CpuTicks& cpu, CpuRow& row) {
    const auto jump = static_cast<std::uint64_t>(3 * ticks_per_second_);
    if (cpu.ticks[kIdle] < row.ticks[kIdle] && row.ticks[kIdle] - cpu.ticks[kIdle] > jump) {
      row.ticks = {};
    }
    for (std::size_t i = 0; i < kModes.size(); ++i) {
      row.ticks[i] = std::max(row.ticks[i], cpu.ticks[i]);
    }
  }

  void add_totals(SampleSink& sink) {
    const auto add = [&](SeriesRef& ref, const Metric& metric, std::optional<std::uint64_t> value) {
      if (value) sink.host(ref, metric, static_cast<double>(*value));
    };
    add(totals_[0], counter("node_intr_total"), stat_.interrupts);
    add(totals_[1], counter("node_context_switches_total"), stat_.context_switches);
    add(totals_[2], gauge("node_boot_time_seconds"), stat_.boot_time_s);
    add(totals_[3], counter("node_forks_total"), stat_.forks);
    add(totals_[4], gauge("node_procs_running"), stat_.running);
    add(totals_[5], gauge("node_procs_blocked"), stat_.blocked);
  }

  KeptFile file_;
  double ticks_per_second_ = static_cast<double>(::sysconf(_SC_CLK_TCK));
  KernelStat stat_;
  RowCache<CpuRow> rows_;
  std::array<SeriesRef, 6> totals_;
};

class SchedstatCollector final : public Collector {
 public:
  explicit SchedstatCollector(const MetricRoots& roots) : file_(roots.proc + "/schedstat") {}
  std::string_view name() const override { return "schedstat"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    const FileText content = file_.read(context.files);
    if (!content) return unreadable(file_.path(), content.error);
    rows_.begin();
    LineScanner lines(content.text);
    std::string_view line, key;
    while (lines.next(line)) {
      WordScanner words(line);
      std::uint64_t number = 0;
      if (!words.next(key) || !key.starts_with("cpu") || !to_u64(key.substr(3), number)) continue;
      add_cpu(key, words, context, sink);
    }
    rows_.end();
    return {};
  }

 private:
  struct Row {
    explicit Row(std::string_view key) : label(key.substr(3)) {}
    std::string label;
    std::array<SeriesRef, 3> refs;
  };

  // The last three of nine columns: time running and time waiting in nanoseconds, timeslices.
  void add_cpu(std::string_view key, WordScanner words, CollectContext& context, SampleSink& sink) {
    std::array<std::uint64_t, 9> fields{};
    for (std::uint64_t& field : fields) {
      if (next_u64(words, field)) continue;
      ++context.malformed;
      return;
    }
    Row* row = rows_.at(key);
    if (row == nullptr) return;
    const LabelViews labels = {{"cpu", row->label}};
    sink.host(row->refs[0], counter("node_schedstat_running_seconds_total"), labels,
              static_cast<double>(fields[6]) / 1e9);
    sink.host(row->refs[1], counter("node_schedstat_waiting_seconds_total"), labels,
              static_cast<double>(fields[7]) / 1e9);
    sink.host(row->refs[2], counter("node_schedstat_timeslices_total"), labels,
              static_cast<double>(fields[8]));
  }

  KeptFile file_;
  RowCache<Row> rows_;
};

}  // namespace

CollectorPtr make_cpu_collector(const MetricRoots& roots) {
  return std::make_unique<CpuCollector>(roots);
}
CollectorPtr make_schedstat_collector(const MetricRoots& roots) {
  return std::make_unique<SchedstatCollector>(roots);
}

}  // namespace observeai::agent
