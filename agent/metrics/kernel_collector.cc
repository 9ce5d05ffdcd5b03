#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

// Files that hold one to three numbers: load, threads, entropy, file handles.
class KernelCollector final : public Collector {
 public:
  explicit KernelCollector(const MetricRoots& roots)
      : load_(roots.proc + "/loadavg"),
        entropy_(roots.proc + "/sys/kernel/random/entropy_avail"),
        pool_(roots.proc + "/sys/kernel/random/poolsize"),
        handles_(roots.proc + "/sys/fs/file-nr"),
        limits_{
            Limit{roots.proc + "/sys/kernel/threads-max",
                  gauge("node_processes_max_threads"),
                  {},
                  {}},
            Limit{
                roots.proc + "/sys/kernel/pid_max", gauge("node_processes_max_processes"), {}, {}}},
        selinux_(roots.sys + "/fs/selinux/enforce") {}
  std::string_view name() const override { return "kernel"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    Result<void> first_error;
    const auto run = [&](Result<void> result) {
      if (first_error && !result) first_error = std::move(result);
    };
    run(add_numbers(load_, {gauge("node_load1"), gauge("node_load5"), gauge("node_load15")},
                    &refs_[0], context, sink));
    run(add_numbers(entropy_, {gauge("node_entropy_available_bits")}, &refs_[3], context, sink));
    run(add_numbers(pool_, {gauge("node_entropy_pool_size_bits")}, &refs_[4], context, sink));
    // Allocated, free (always 0), maximum.
    run(add_numbers(handles_, {gauge("node_filefd_allocated"), {}, gauge("node_filefd_maximum")},
                    &refs_[5], context, sink));
    add_threads(context, sink);
    if (context.slow_turn) selinux_enabled_ = static_cast<bool>(context.files.read_once(selinux_));
    sink.host(refs_[8], gauge("node_selinux_enabled"), selinux_enabled_ ? 1 : 0);
    return first_error;
  }

 private:
  struct Limit {
    std::string path;
    Metric metric;
    std::optional<double> value;  // As read in the last slow turn
    SeriesRef ref;
  };

  // The fourth field of loadavg: "1/415", running and all threads of the machine.
  void add_threads(CollectContext& context, SampleSink& sink) {
    const FileText content = load_.read(context.files);
    WordScanner words(trimmed(content.text));
    std::string_view word;
    int fields = 0;
    while (fields < 4 && words.next(word)) ++fields;
    if (fields < 4) return;  // Counted with the load
    std::uint64_t threads = 0;
    if (to_u64(word.substr(std::min(word.find('/'), word.size() - 1) + 1), threads)) {
      sink.host(threads_, gauge("node_processes_threads"), static_cast<double>(threads));
    } else {
      ++context.malformed;
    }
    for (Limit& limit : limits_) {
      if (context.slow_turn) limit.value = read_limit(limit.path, context);
      if (limit.value) sink.host(limit.ref, limit.metric, *limit.value);
    }
  }

  static std::optional<double> read_limit(const std::string& path, CollectContext& context) {
    const FileText content = context.files.read_once(path);
    if (!content) return std::nullopt;
    double value = 0;
    if (to_f64(trimmed(content.text), value)) return value;
    ++context.malformed;
    return std::nullopt;
  }

  // A metric without a name skips its number.
  static Result<void> add_numbers(KeptFile& file, std::initializer_list<Metric> metrics,
                                  SeriesRef* refs, CollectContext& context, SampleSink& sink) {
    const FileText content = file.read(context.files);
    if (!content) return unreadable(file.path(), content.error);
    WordScanner words(trimmed(content.text));
    std::string_view word;
    for (const Metric& metric : metrics) {
      double value = 0;
      if (!words.next(word) || !to_f64(word, value)) {
        ++context.malformed;
        return {};
      }
      if (!metric.name.empty()) sink.host(*refs, metric, value);
      ++refs;
    }
    return {};
  }

  KeptFile load_, entropy_, pool_, handles_;
  std::array<Limit, 2> limits_;
  SeriesRef threads_;
  std::string selinux_;
  bool selinux_enabled_ = false;
  std::array<SeriesRef, 9> refs_;
};

}  // namespace

CollectorPtr make_kernel_collector(const MetricRoots& roots) {
  return std::make_unique<KernelCollector>(roots);
}

}  // namespace observeai::agent
