#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

class MeminfoCollector final : public Collector {
 public:
  explicit MeminfoCollector(const MetricRoots& roots) : file_(roots.proc + "/meminfo") {}
  std::string_view name() const override { return "meminfo"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    const FileText content = file_.read(context.files);
    if (!content) return unreadable(file_.path(), content.error);
    rows_.begin();
    LineScanner lines(content.text);
    std::string_view line;
    MeminfoLine field;
    while (lines.next(line)) {
      if (!parse_meminfo_line(line, field)) {
        ++context.malformed;
      } else if (Row* row = rows_.at(field.name)) {
        if (row->metric_name.empty()) row->metric_name = metric_name(field);
        sink.host(row->ref, gauge(row->metric_name), static_cast<double>(field.value));
      }
    }
    rows_.end();
    return {};
  }

 private:
  struct Row {
    explicit Row(std::string_view) {}
    std::string metric_name;
    SeriesRef ref;
  };

  // "Active(anon)" in kB -> node_memory_Active_anon_bytes; a plain number has no unit suffix.
  static std::string metric_name(const MeminfoLine& field) {
    std::string name = "node_memory_";
    for (const char c : field.name) {
      if (c == '(') {
        name += '_';
      } else if (c != ')') {
        name += c;
      }
    }
    return field.in_bytes ? name + "_bytes" : name;
  }

  KeptFile file_;
  RowCache<Row> rows_;
};

class VmstatCollector final : public Collector {
 public:
  explicit VmstatCollector(const MetricRoots& roots) : file_(roots.proc + "/vmstat") {}
  std::string_view name() const override { return "vmstat"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    const FileText content = file_.read(context.files);
    if (!content) return unreadable(file_.path(), content.error);
    rows_.begin();
    LineScanner lines(content.text);
    std::string_view line, field;
    while (lines.next(line)) {
      if (!wanted(line)) continue;
      std::uint64_t value = 0;
      if (!parse_flat_line(line, field, value)) {
        ++context.malformed;
      } else if (Row* row = rows_.at(field)) {
        sink.host(row->ref, counter(row->metric_name), static_cast<double>(value));
      }
    }
    rows_.end();
    return {};
  }

 private:
  struct Row {
    explicit Row(std::string_view key) : metric_name("node_vmstat_" + std::string(key)) {}
    std::string metric_name;
    SeriesRef ref;
  };

  // node_exporter's default: ^(oom_kill|pgpg|pswp|pg.*fault).*
  static bool wanted(std::string_view line) {
    return line.starts_with("pgpg") || line.starts_with("pswp") || line.starts_with("oom_kill") ||
           (line.starts_with("pg") && line.find("fault") != std::string_view::npos);
  }

  KeptFile file_;
  RowCache<Row> rows_;
};

class PressureCollector final : public Collector {
 public:
  explicit PressureCollector(const MetricRoots& roots)
      : cpu_(roots.proc + "/pressure/cpu"),
        memory_(roots.proc + "/pressure/memory"),
        io_(roots.proc + "/pressure/io") {}
  std::string_view name() const override { return "pressure"; }

  // "some" means tasks waited, "full" that nothing else ran meanwhile. The CPU has no "full" at the
  // level of the host.
  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    TRY_VOID(add(cpu_, {counter("node_pressure_cpu_waiting_seconds_total"), {}}, &refs_[0], context,
                 sink));
    TRY_VOID(add(memory_,
                 {counter("node_pressure_memory_waiting_seconds_total"),
                  counter("node_pressure_memory_stalled_seconds_total")},
                 &refs_[2], context, sink));
    return add(io_,
               {counter("node_pressure_io_waiting_seconds_total"),
                counter("node_pressure_io_stalled_seconds_total")},
               &refs_[4], context, sink);
  }

 private:
  struct Names {
    Metric waiting, stalled;
  };

  static Result<void> add(KeptFile& file, const Names& names, SeriesRef* refs,
                          CollectContext& context, SampleSink& sink) {
    const FileText content = file.read(context.files);
    if (!content) return unreadable(file.path(), content.error);
    Pressure pressure;
    if (!parse_pressure(content.text, pressure)) ++context.malformed;
    if (pressure.some_us) {
      sink.host(refs[0], names.waiting, static_cast<double>(*pressure.some_us) / 1e6);
    }
    if (pressure.full_us && !names.stalled.name.empty()) {
      sink.host(refs[1], names.stalled, static_cast<double>(*pressure.full_us) / 1e6);
    }
    return {};
  }

  KeptFile cpu_, memory_, io_;
  std::array<SeriesRef, 6> refs_;
};

}  // namespace

CollectorPtr make_meminfo_collector(const MetricRoots& roots) {
  return std::make_unique<MeminfoCollector>(roots);
}
CollectorPtr make_vmstat_collector(const MetricRoots& roots) {
  return std::make_unique<VmstatCollector>(roots);
}
CollectorPtr make_pressure_collector(const MetricRoots& roots) {
  return std::make_unique<PressureCollector>(roots);
}

}  // namespace observeai::agent
