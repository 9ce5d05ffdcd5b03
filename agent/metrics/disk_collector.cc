#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

struct Column {
  Metric metric;
  double scale;
};
constexpr double kSector = 512;  // Of the block layer, whatever the device's own
constexpr double kMillisecond = 1e-3;
constexpr std::array<Column, 17> kColumns = {{
    {counter("node_disk_reads_completed_total"), 1},
    {counter("node_disk_reads_merged_total"), 1},
    {counter("node_disk_read_bytes_total"), kSector},
    {counter("node_disk_read_time_seconds_total"), kMillisecond},
    {counter("node_disk_writes_completed_total"), 1},
    {counter("node_disk_writes_merged_total"), 1},
    {counter("node_disk_written_bytes_total"), kSector},
    {counter("node_disk_write_time_seconds_total"), kMillisecond},
    {gauge("node_disk_io_now"), 1},
    {counter("node_disk_io_time_seconds_total"), kMillisecond},
    {counter("node_disk_io_time_weighted_seconds_total"), kMillisecond},
    {counter("node_disk_discards_completed_total"), 1},
    {counter("node_disk_discards_merged_total"), 1},
    {counter("node_disk_discarded_sectors_total"), 1},
    {counter("node_disk_discard_time_seconds_total"), kMillisecond},
    {counter("node_disk_flush_requests_total"), 1},
    {counter("node_disk_flush_requests_time_seconds_total"), kMillisecond},
}};

bool only_digits(std::string_view text) {
  std::uint64_t number = 0;
  return to_u64(text, number);
}

// Partitions and memory-backed devices, as node_exporter leaves them out:
// ^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$
bool is_excluded(std::string_view device) {
  for (const std::string_view prefix : {"ram", "loop", "fd"}) {
    if (device.starts_with(prefix)) return only_digits(device.substr(prefix.size()));
  }
  for (const std::string_view prefix : {"hd", "sd", "vd", "xvd"}) {
    if (device.starts_with(prefix) && device.size() > prefix.size() + 1) {
      const char letter = device[prefix.size()];
      return letter >= 'a' && letter <= 'z' && only_digits(device.substr(prefix.size() + 1));
    }
  }
  if (!device.starts_with("nvme")) return false;
  const std::size_t n = device.find('n', 4);
  const std::size_t p = device.find('p', 4);
  return n != std::string_view::npos && p != std::string_view::npos && n < p &&
         only_digits(device.substr(4, n - 4)) && only_digits(device.substr(n + 1, p - n - 1)) &&
         only_digits(device.substr(p + 1));
}

// What udev knows about the device; empty without udev.
struct Identity {
  std::string path, wwn, model, serial, revision;
  bool operator==(const Identity&) const = default;
};

Identity parse_udev(std::string_view text) {
  Identity identity;
  LineScanner lines(text);
  std::string_view line;
  while (lines.next(line)) {
    const std::size_t equals = line.find('=');
    if (!line.starts_with("E:") || equals == std::string_view::npos) continue;
    const std::string_view name = line.substr(2, equals - 2);
    const std::string value(line.substr(equals + 1));
    if (name == "ID_PATH") identity.path = value;
    if (name == "ID_WWN") identity.wwn = value;
    if (name == "ID_MODEL") identity.model = value;
    if (name == "ID_REVISION") identity.revision = value;
    if (name == "ID_SERIAL_SHORT") identity.serial = value;
  }
  return identity;
}

class DiskCollector final : public Collector {
 public:
  explicit DiskCollector(const MetricRoots& roots)
      : file_(roots.proc + "/diskstats"), udev_(roots.root + "/run/udev/data/b") {}
  std::string_view name() const override { return "diskstats"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    FileText content = file_.read(context.files);
    if (!content) return unreadable(file_.path(), content.error);
    // Reading udev's files reuses the shared buffer, so the identities come after the table.
    rows_.begin();
    LineScanner lines(content.text);
    std::string_view line;
    DiskLine disk;
    while (lines.next(line)) {
      if (!parse_diskstats_line(line, disk)) {
        ++context.malformed;
      } else if (!is_excluded(disk.device)) {
        if (Row* row = rows_.at(disk.device)) add_disk(disk, *row, sink);
      }
    }
    rows_.end();
    rows_.for_each([&](Row& row) { add_identity(row, context, sink); });
    return {};
  }

 private:
  struct Row {
    explicit Row(std::string_view key) : device(key) {}
    std::string device, major, minor;
    Identity identity;
    bool identified = false;
    std::array<SeriesRef, kColumns.size()> refs;
    SeriesRef info;
  };

  static void add_disk(const DiskLine& disk, Row& row, SampleSink& sink) {
    if (!row.identified) {
      row.major = std::to_string(disk.major);
      row.minor = std::to_string(disk.minor);
    }
    for (std::size_t i = 0; i < disk.count; ++i) {
      sink.host(row.refs[i], kColumns[i].metric, {{"device", row.device}},
                static_cast<double>(disk.fields[i]) * kColumns[i].scale);
    }
  }

  void add_identity(Row& row, CollectContext& context, SampleSink& sink) {
    if (context.slow_turn || !row.identified) {
      const FileText udev = context.files.read_once(udev_ + row.major + ":" + row.minor);
      const Identity identity = parse_udev(udev.text);
      if (!(identity == row.identity)) row.info = {};
      row.identity = identity;
      row.identified = true;
    }
    sink.host(row.info, gauge("node_disk_info"),
              {{"device", row.device},
               {"major", row.major},
               {"minor", row.minor},
               {"path", row.identity.path},
               {"wwn", row.identity.wwn},
               {"model", row.identity.model},
               {"serial", row.identity.serial},
               {"revision", row.identity.revision}},
              1);
  }

  KeptFile file_;
  std::string udev_;
  RowCache<Row> rows_;
};

}  // namespace

CollectorPtr make_disk_collector(const MetricRoots& roots) {
  return std::make_unique<DiskCollector>(roots);
}

}  // namespace observeai::agent
