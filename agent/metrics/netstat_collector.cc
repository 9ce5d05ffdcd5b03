#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// node_exporter's default fields.
bool wanted_netstat(std::string_view protocol, std::string_view field) {
  if (field == "InErrors" || field == "InErrs") return true;
  if (protocol == "Ip") return field == "Forwarding";
  if (protocol == "Ip6" || protocol == "IpExt") return is_one_of(field, {"InOctets", "OutOctets"});
  if (protocol == "Icmp" || protocol == "Icmp6") return is_one_of(field, {"InMsgs", "OutMsgs"});
  if (protocol == "TcpExt") {
    return field.starts_with("Listen") || field.starts_with("Syncookies") ||
           is_one_of(field, {"TCPSynRetrans", "TCPTimeouts"});
  }
  if (protocol == "Tcp") {
    return is_one_of(field, {"ActiveOpens", "InSegs", "OutSegs", "OutRsts", "PassiveOpens",
                             "RetransSegs", "CurrEstab"});
  }
  if (protocol == "Udp" || protocol == "Udp6") {
    return is_one_of(field,
                     {"InDatagrams", "OutDatagrams", "NoPorts", "RcvbufErrors", "SndbufErrors"});
  }
  return false;
}

// Two forms: pairs of lines "Tcp: names" / "Tcp: numbers" (snmp, netstat), and lines
// "Udp6InErrors 0" (snmp6).
class NetstatCollector final : public Collector {
 public:
  explicit NetstatCollector(const MetricRoots& roots)
      : netstat_(roots.proc + "/net/netstat"),
        snmp_(roots.proc + "/net/snmp"),
        snmp6_(roots.proc + "/net/snmp6") {}
  std::string_view name() const override { return "netstat"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    TRY_VOID(add_pairs(netstat_, netstat_rows_, context, sink));
    TRY_VOID(add_pairs(snmp_, snmp_rows_, context, sink));
    add_snmp6(context, sink);
    return {};
  }

 private:
  struct Field {
    explicit Field(std::string_view protocol, std::string_view field)
        : metric_name("node_netstat_" + std::string(protocol) + "_" + std::string(field)),
          kind(is_one_of(field, {"CurrEstab", "Forwarding"}) ? wire::MetricKind::kGauge
                                                             : wire::MetricKind::kCounter) {}
    std::string metric_name;
    wire::MetricKind kind;
    SeriesRef ref;
  };
  // What a header line says, kept while it stays the same: which columns are wanted.
  struct Protocol {
    explicit Protocol(std::string_view) {}
    std::string header;
    std::vector<std::pair<std::size_t, Field>> columns;
  };
  struct Snmp6Row {
    explicit Snmp6Row(std::string_view key) {
      const std::size_t six = key.find('6');
      wanted = six != std::string_view::npos &&
               wanted_netstat(key.substr(0, six + 1), key.substr(six + 1));
      if (wanted) field.emplace_back(key.substr(0, six + 1), key.substr(six + 1));
    }
    bool wanted = false;
    std::vector<Field> field;  // One when wanted
  };

  static Result<void> add_pairs(KeptFile& file, RowCache<Protocol>& rows, CollectContext& context,
                                SampleSink& sink) {
    const FileText content = file.read(context.files);
    if (!content) return unreadable(file.path(), content.error);
    rows.begin();
    LineScanner lines(content.text);
    std::string_view header, values;
    while (lines.next(header)) {
      const std::size_t colon = header.find(':');
      if (colon == std::string_view::npos || !lines.next(values) ||
          !values.starts_with(header.substr(0, colon + 1))) {
        ++context.malformed;
        continue;
      }
      Protocol* protocol = rows.at(header.substr(0, colon));
      if (protocol == nullptr) continue;
      if (protocol->header != header) learn(header, colon, *protocol);
      add_columns(values.substr(colon + 1), *protocol, context, sink);
    }
    rows.end();
    return {};
  }

  static void learn(std::string_view header, std::size_t colon, Protocol& protocol) {
    protocol.header = header;
    protocol.columns.clear();
    WordScanner words(header.substr(colon + 1));
    std::string_view field;
    for (std::size_t column = 0; words.next(field); ++column) {
      if (!wanted_netstat(header.substr(0, colon), field)) continue;
      protocol.columns.emplace_back(column, Field(header.substr(0, colon), field));
    }
  }

  static void add_columns(std::string_view values, Protocol& protocol, CollectContext& context,
                          SampleSink& sink) {
    WordScanner words(values);
    std::string_view word;
    std::size_t column = 0;
    for (auto& [wanted, field] : protocol.columns) {
      bool found = true;
      for (; column <= wanted && found; ++column) found = words.next(word);
      std::uint64_t value = 0;
      if (!found || !to_u64(word, value)) {
        ++context.malformed;
        if (!found) return;
        continue;
      }
      sink.host(field.ref, {field.metric_name, field.kind}, static_cast<double>(value));
    }
  }

  // Absent when IPv6 is off, which is no error.
  void add_snmp6(CollectContext& context, SampleSink& sink) {
    const FileText content = snmp6_.read(context.files);
    if (!content) return;
    snmp6_rows_.begin();
    LineScanner lines(content.text);
    std::string_view line, key;
    while (lines.next(line)) {
      WordScanner words(line);
      if (!words.next(key)) continue;
      Snmp6Row* row = snmp6_rows_.at(key);
      if (row == nullptr || !row->wanted) continue;
      std::uint64_t value = 0;
      if (next_u64(words, value)) {
        Field& field = row->field.front();
        sink.host(field.ref, {field.metric_name, field.kind}, static_cast<double>(value));
      } else {
        ++context.malformed;
      }
    }
    snmp6_rows_.end();
  }

  KeptFile netstat_, snmp_, snmp6_;
  RowCache<Protocol> netstat_rows_, snmp_rows_;
  RowCache<Snmp6Row> snmp6_rows_;
};

}  // namespace

CollectorPtr make_netstat_collector(const MetricRoots& roots) {
  return std::make_unique<NetstatCollector>(roots);
}

}  // namespace observeai::agent
