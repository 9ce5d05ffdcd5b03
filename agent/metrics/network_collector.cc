#include <array>
#include <optional>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/proc_parsers.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

// In the order of /proc/net/dev.
constexpr std::array<Metric, 16> kTraffic = {
    counter("node_network_receive_bytes_total"),
    counter("node_network_receive_packets_total"),
    counter("node_network_receive_errs_total"),
    counter("node_network_receive_drop_total"),
    counter("node_network_receive_fifo_total"),
    counter("node_network_receive_frame_total"),
    counter("node_network_receive_compressed_total"),
    counter("node_network_receive_multicast_total"),
    counter("node_network_transmit_bytes_total"),
    counter("node_network_transmit_packets_total"),
    counter("node_network_transmit_errs_total"),
    counter("node_network_transmit_drop_total"),
    counter("node_network_transmit_fifo_total"),
    counter("node_network_transmit_colls_total"),
    counter("node_network_transmit_carrier_total"),
    counter("node_network_transmit_compressed_total"),
};

// A file of /sys/class/net/<device> and the metric it becomes. A file that cannot be read (a device
// that is down has no carrier, a virtual one no speed) gives no sample.
struct Attribute {
  std::string_view file;
  Metric metric;
};
constexpr std::array<Attribute, 17> kAttributes = {{
    {"addr_assign_type", gauge("node_network_address_assign_type")},
    {"carrier_changes", counter("node_network_carrier_changes_total")},
    {"carrier_up_count", counter("node_network_carrier_up_changes_total")},
    {"carrier_down_count", counter("node_network_carrier_down_changes_total")},
    {"dev_id", gauge("node_network_device_id")},
    {"dormant", gauge("node_network_dormant")},
    {"flags", gauge("node_network_flags")},
    {"ifindex", gauge("node_network_iface_id")},
    {"iflink", gauge("node_network_iface_link")},
    {"link_mode", gauge("node_network_iface_link_mode")},
    {"mtu", gauge("node_network_mtu_bytes")},
    {"name_assign_type", gauge("node_network_name_assign_type")},
    {"netdev_group", gauge("node_network_net_dev_group")},
    {"speed", gauge("node_network_speed_bytes")},
    {"statistics/rx_nohandler", counter("node_network_receive_nohandler_total")},
    {"tx_queue_len", gauge("node_network_transmit_queue_length")},
    {"type", gauge("node_network_protocol_type")},
}};
constexpr std::string_view kSpeedFile = "speed";
constexpr double kMegabitBytes = 1e6 / 8;

// A number of sysfs: decimal, negative (an unknown speed is -1) or 0x hexadecimal.
std::optional<double> parse_sysfs_number(std::string_view text) {
  text = trimmed(text);
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const bool hexadecimal = text.starts_with("0x");
  std::uint64_t value = 0;
  if (!to_u64(hexadecimal ? text.substr(2) : text, value, hexadecimal ? 16 : 10))
    return std::nullopt;
  return negative ? -static_cast<double>(value) : static_cast<double>(value);
}

// The host's end of a container's interface. The container's own end is measured as
// container_network_*; both would double the series and give new names at every container start.
bool is_container_end(std::string_view device) {
  return device.starts_with("veth");
}

class NetworkCollector final : public Collector {
 public:
  explicit NetworkCollector(const MetricRoots& roots)
      : table_(roots.proc + "/net/dev"), class_(roots.sys + "/class/net/") {}
  std::string_view name() const override { return "network"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    const FileText content = table_.read(context.files);
    if (!content) return unreadable(table_.path(), content.error);
    rows_.begin();
    LineScanner lines(content.text);
    std::string_view line;
    NetDevLine device;
    for (int number = 0; lines.next(line); ++number) {
      if (!parse_net_dev_line(line, device)) {
        if (number >= 2) ++context.malformed;  // After the two header lines
        continue;
      }
      if (is_container_end(device.device)) continue;
      if (Row* row = rows_.at(device.device, class_)) add_traffic(device, *row, sink);
    }
    rows_.end();
    rows_.for_each([&](Row& row) { add_class(row, context, sink); });
    return {};
  }

 private:
  struct Row {
    Row(std::string_view key, const std::string& class_folder)
        : device(key),
          folder(class_folder + device + '/'),
          state_file(folder + "operstate"),
          carrier_file(folder + "carrier") {}
    std::string device, folder;
    KeptFile state_file, carrier_file;
    std::string state, address, broadcast, duplex, alias;
    std::optional<double> carrier;
    std::array<std::optional<double>, kAttributes.size()> attributes;
    std::array<SeriesRef, kTraffic.size()> traffic_refs;
    std::array<SeriesRef, kAttributes.size()> attribute_refs;
    SeriesRef up_ref, carrier_ref, info_ref;
  };

  static void add_traffic(const NetDevLine& device, Row& row, SampleSink& sink) {
    if (row.device == "lo") return;  // As Debian's default; its class attributes stay
    for (std::size_t i = 0; i < kTraffic.size(); ++i) {
      sink.host(row.traffic_refs[i], kTraffic[i], {{"device", row.device}},
                static_cast<double>(device.fields[i]));
    }
  }

  // State and carrier are read every time: a link that flaps matters. The rest changes with them or
  // by an administrator's hand.
  void add_class(Row& row, CollectContext& context, SampleSink& sink) {
    const FileText state = row.state_file.read(context.files);
    if (!state) return;  // Gone between the two reads
    const bool state_changed = trimmed(state.text) != row.state;
    row.state = trimmed(state.text);
    const FileText carrier = row.carrier_file.read(context.files);
    const auto carrier_value = carrier ? parse_sysfs_number(carrier.text) : std::nullopt;
    if (context.slow_turn || state_changed || carrier_value != row.carrier) {
      read_attributes(row, context);
      row.info_ref = state_changed ? SeriesRef{} : row.info_ref;
    }
    row.carrier = carrier_value;
    add_class_samples(row, sink);
  }

  static void read_attributes(Row& row, CollectContext& context) {
    for (std::size_t i = 0; i < kAttributes.size(); ++i) {
      const FileText text = context.files.read_once(row.folder + std::string(kAttributes[i].file));
      row.attributes[i] = text ? parse_sysfs_number(text.text) : std::nullopt;
      if (row.attributes[i] && kAttributes[i].file == kSpeedFile) {
        row.attributes[i] = *row.attributes[i] * kMegabitBytes;
      }
    }
    const auto read_text = [&](const char* file, std::string& value) {
      const std::string now(trimmed(context.files.read_once(row.folder + file).text));
      if (now != value) row.info_ref = {};
      value = now;
    };
    read_text("address", row.address);
    read_text("broadcast", row.broadcast);
    read_text("duplex", row.duplex);
    read_text("ifalias", row.alias);
  }

  static void add_class_samples(Row& row, SampleSink& sink) {
    const LabelViews device = {{"device", row.device}};
    for (std::size_t i = 0; i < kAttributes.size(); ++i) {
      const bool skip = row.device == "lo" && kAttributes[i].file.starts_with("statistics/");
      if (!row.attributes[i] || skip) continue;
      sink.host(row.attribute_refs[i], kAttributes[i].metric, device, *row.attributes[i]);
    }
    sink.host(row.up_ref, gauge("node_network_up"), device, row.state == "up" ? 1 : 0);
    if (row.carrier) {
      sink.host(row.carrier_ref, gauge("node_network_carrier"), device, *row.carrier);
    }
    sink.host(row.info_ref, gauge("node_network_info"),
              {{"address", row.address},
               {"broadcast", row.broadcast},
               {"device", row.device},
               {"duplex", row.duplex},
               {"ifalias", row.alias},
               {"operstate", row.state}},
              1);
  }

  KeptFile table_;
  std::string class_;
  RowCache<Row> rows_;
};

}  // namespace

CollectorPtr make_network_collector(const MetricRoots& roots) {
  return std::make_unique<NetworkCollector>(roots);
}

}  // namespace observeai::agent
