#include <unistd.h>

#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

// "TCP: inuse 1 orphan 0 tw 2 alloc 1 mem 80"
class SockstatCollector final : public Collector {
 public:
  explicit SockstatCollector(const MetricRoots& roots)
      : v4_(roots.proc + "/net/sockstat"), v6_(roots.proc + "/net/sockstat6") {}
  std::string_view name() const override { return "sockstat"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    rows_.begin();
    const FileText v4 = v4_.read(context.files);
    if (!v4) return unreadable(v4_.path(), v4.error);
    add_lines(v4.text, context, sink);
    if (const FileText v6 = v6_.read(context.files)) add_lines(v6.text, context, sink);
    rows_.end();
    return {};
  }

 private:
  struct Row {
    explicit Row(std::string_view key) : metric_name("node_sockstat_" + std::string(key)) {}
    std::string metric_name;
    SeriesRef ref;
  };

  void add_lines(std::string_view text, CollectContext& context, SampleSink& sink) {
    LineScanner lines(text);
    std::string_view line, field;
    while (lines.next(line)) {
      const std::size_t colon = line.find(':');
      if (colon == std::string_view::npos) {
        ++context.malformed;
        continue;
      }
      WordScanner words(line.substr(colon + 1));
      while (words.next(field)) {
        std::uint64_t value = 0;
        if (!next_u64(words, value)) {
          ++context.malformed;
          break;
        }
        add(line.substr(0, colon), field, static_cast<double>(value), sink);
        // Pages, not bytes.
        if (field == "mem") {
          add(line.substr(0, colon), "mem_bytes", static_cast<double>(value) * page_bytes_, sink);
        }
      }
    }
  }

  void add(std::string_view protocol, std::string_view field, double value, SampleSink& sink) {
    key_.assign(protocol).append("_").append(field);
    if (Row* row = rows_.at(key_)) sink.host(row->ref, gauge(row->metric_name), value);
  }

  KeptFile v4_, v6_;
  double page_bytes_ = static_cast<double>(::sysconf(_SC_PAGESIZE));
  std::string key_;
  RowCache<Row> rows_;
};

// Hexadecimal columns, one line for each CPU: processed, dropped, squeezed, ..., the CPU's number
// in the 13th since 5.14.
class SoftnetCollector final : public Collector {
 public:
  explicit SoftnetCollector(const MetricRoots& roots) : file_(roots.proc + "/net/softnet_stat") {}
  std::string_view name() const override { return "softnet"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    const FileText content = file_.read(context.files);
    if (!content) return unreadable(file_.path(), content.error);
    rows_.begin();
    LineScanner lines(content.text);
    std::string_view line;
    for (std::uint64_t number = 0; lines.next(line); ++number) {
      std::array<std::uint64_t, 13> columns{};
      const std::size_t count = parse_columns(line, columns);
      if (count < 3) {
        ++context.malformed;
        continue;
      }
      Row* row = rows_.at(std::to_string(count > kCpuColumn ? columns[kCpuColumn] : number));
      if (row == nullptr) continue;
      const LabelViews labels = {{"cpu", row->cpu}};
      sink.host(row->refs[0], counter("node_softnet_processed_total"), labels,
                static_cast<double>(columns[0]));
      sink.host(row->refs[1], counter("node_softnet_dropped_total"), labels,
                static_cast<double>(columns[1]));
      sink.host(row->refs[2], counter("node_softnet_times_squeezed_total"), labels,
                static_cast<double>(columns[2]));
    }
    rows_.end();
    return {};
  }

 private:
  static constexpr std::size_t kCpuColumn = 12;
  struct Row {
    explicit Row(std::string_view key) : cpu(key) {}
    std::string cpu;
    std::array<SeriesRef, 3> refs;
  };

  static std::size_t parse_columns(std::string_view line, std::array<std::uint64_t, 13>& columns) {
    WordScanner words(line);
    std::string_view word;
    std::size_t count = 0;
    while (count < columns.size() && words.next(word) && to_u64(word, columns[count], 16)) ++count;
    return count;
  }

  KeptFile file_;
  RowCache<Row> rows_;
};

class ConntrackCollector final : public Collector {
 public:
  explicit ConntrackCollector(const MetricRoots& roots)
      : count_(roots.proc + "/sys/net/netfilter/nf_conntrack_count"),
        limit_(roots.proc + "/sys/net/netfilter/nf_conntrack_max"),
        stat_(roots.proc + "/net/stat/nf_conntrack") {}
  std::string_view name() const override { return "conntrack"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    TRY_VOID(add_file(count_, gauge("node_nf_conntrack_entries"), refs_[0], context, sink));
    TRY_VOID(add_file(limit_, gauge("node_nf_conntrack_entries_limit"), refs_[1], context, sink));
    add_statistics(context, sink);
    return {};
  }

 private:
  struct Statistic {
    std::string_view column;
    Metric metric;
  };
  static constexpr std::array<Statistic, 8> kStatistics = {{
      {"found", counter("node_nf_conntrack_stat_found")},
      {"invalid", counter("node_nf_conntrack_stat_invalid")},
      {"ignore", counter("node_nf_conntrack_stat_ignore")},
      {"insert", counter("node_nf_conntrack_stat_insert")},
      {"insert_failed", counter("node_nf_conntrack_stat_insert_failed")},
      {"drop", counter("node_nf_conntrack_stat_drop")},
      {"early_drop", counter("node_nf_conntrack_stat_early_drop")},
      {"search_restart", counter("node_nf_conntrack_stat_search_restart")},
  }};

  static Result<void> add_file(KeptFile& file, const Metric& metric, SeriesRef& ref,
                               CollectContext& context, SampleSink& sink) {
    const FileText content = file.read(context.files);
    if (!content) return unreadable(file.path(), content.error);
    std::uint64_t value = 0;
    if (to_u64(trimmed(content.text), value)) {
      sink.host(ref, metric, static_cast<double>(value));
    } else {
      ++context.malformed;
    }
    return {};
  }

  // A header of names, then hexadecimal numbers, one line for each CPU; their sums are reported.
  void add_statistics(CollectContext& context, SampleSink& sink) {
    const FileText content = stat_.read(context.files);
    if (!content) return;
    LineScanner lines(content.text);
    std::string_view header, line;
    if (!lines.next(header)) return;
    std::array<std::uint64_t, kStatistics.size()> sums{};
    std::array<bool, kStatistics.size()> present{};
    while (lines.next(line)) {
      WordScanner names(header), values(line);
      std::string_view name, word;
      while (names.next(name) && values.next(word)) {
        std::uint64_t value = 0;
        if (!to_u64(word, value, 16)) {
          ++context.malformed;
          continue;
        }
        for (std::size_t i = 0; i < kStatistics.size(); ++i) {
          if (kStatistics[i].column != name) continue;
          sums[i] += value;
          present[i] = true;
        }
      }
    }
    for (std::size_t i = 0; i < kStatistics.size(); ++i) {
      if (present[i]) {
        sink.host(stat_refs_[i], kStatistics[i].metric, static_cast<double>(sums[i]));
      }
    }
  }

  KeptFile count_, limit_, stat_;
  std::array<SeriesRef, 2> refs_;
  std::array<SeriesRef, kStatistics.size()> stat_refs_;
};

// The ARP table and the queues of UDP sockets. The kernel walks a table of 65,536 slots for
// net/udp, so that both are read in slow turns only and repeated in between.
class NeighbourCollector final : public Collector {
 public:
  explicit NeighbourCollector(const MetricRoots& roots) : net_(roots.proc + "/net/") {}
  std::string_view name() const override { return "neighbour"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    if (context.slow_turn) {
      TRY_VOID(read_arp(context));
      read_udp("udp", queues_[0], context);
      read_udp("udp6", queues_[1], context);
    }
    arp_.for_each([&](ArpRow& row) {
      sink.host(row.ref, gauge("node_arp_entries"), {{"device", row.device}}, row.entries);
    });
    constexpr std::array<std::string_view, 2> kFamilies = {"v4", "v6"};
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      if (!queues_[i].present) continue;
      constexpr Metric kQueues = gauge("node_udp_queues");
      sink.host(queues_[i].tx_ref, kQueues, {{"ip", kFamilies[i]}, {"queue", "tx"}}, queues_[i].tx);
      sink.host(queues_[i].rx_ref, kQueues, {{"ip", kFamilies[i]}, {"queue", "rx"}}, queues_[i].rx);
    }
    return {};
  }

 private:
  struct ArpRow {
    explicit ArpRow(std::string_view key) : device(key) {}
    std::string device;
    double entries = 0;
    SeriesRef ref;
  };
  struct Queues {
    bool present = false;
    double tx = 0, rx = 0;
    SeriesRef tx_ref, rx_ref;
  };

  Result<void> read_arp(CollectContext& context) {
    const FileText content = context.files.read_once(net_ + "arp");
    if (!content) return unreadable(net_ + "arp", content.error);
    std::map<std::string_view, double> counts;
    LineScanner lines(content.text);
    std::string_view line, word, device;
    lines.next(line);  // Header
    while (lines.next(line)) {
      WordScanner words(line);
      int columns = 0;
      while (words.next(word)) {
        device = word;
        ++columns;
      }
      if (columns >= 6) {
        ++counts[device];
      } else {
        ++context.malformed;
      }
    }
    arp_.begin();
    for (const auto& [name, count] : counts) {
      if (ArpRow* row = arp_.at(name)) row->entries = count;
    }
    arp_.end();
    return {};
  }

  void read_udp(const char* file, Queues& queues, CollectContext& context) {
    const FileText content = context.files.read_once(net_ + file);
    queues.present = static_cast<bool>(content);
    queues.tx = queues.rx = 0;
    LineScanner lines(content.text);
    std::string_view line, word;
    lines.next(line);  // Header
    while (lines.next(line)) {
      WordScanner words(line);
      bool found = true;
      for (int column = 0; column < 5 && found; ++column) found = words.next(word);
      const std::size_t colon = word.find(':');
      std::uint64_t tx = 0, rx = 0;
      if (found && colon != std::string_view::npos && to_u64(word.substr(0, colon), tx, 16) &&
          to_u64(word.substr(colon + 1), rx, 16)) {
        queues.tx += static_cast<double>(tx);
        queues.rx += static_cast<double>(rx);
      } else {
        ++context.malformed;
      }
    }
  }

  std::string net_;
  RowCache<ArpRow> arp_;
  std::array<Queues, 2> queues_;
};

}  // namespace

CollectorPtr make_sockstat_collector(const MetricRoots& roots) {
  return std::make_unique<SockstatCollector>(roots);
}
CollectorPtr make_softnet_collector(const MetricRoots& roots) {
  return std::make_unique<SoftnetCollector>(roots);
}
CollectorPtr make_conntrack_collector(const MetricRoots& roots) {
  return std::make_unique<ConntrackCollector>(roots);
}
CollectorPtr make_neighbour_collector(const MetricRoots& roots) {
  return std::make_unique<NeighbourCollector>(roots);
}

}  // namespace observeai::agent
