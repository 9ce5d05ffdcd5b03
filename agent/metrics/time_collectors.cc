#include <array>
#include <ctime>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/row_cache.h"
#include "agent/metrics/text_scan.h"

namespace observeai::agent {
namespace {

class TimeCollector final : public Collector {
 public:
  TimeCollector(const MetricRoots& roots, HostCalls calls)
      : clocksource_(roots.sys + "/devices/system/clocksource/clocksource0/"),
        calls_(std::move(calls)) {}
  std::string_view name() const override { return "time"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    sink.host(now_ref_, gauge("node_time_seconds"), static_cast<double>(context.now_ms) / 1e3);
    add_zone(context, sink);
    add_clocksources(context, sink);
    return add_discipline(sink);
  }

 private:
  struct SourceRow {
    explicit SourceRow(std::string_view key) : name(key) {}
    std::string name;
    SeriesRef ref;
  };

  void add_zone(CollectContext& context, SampleSink& sink) {
    const std::time_t now = context.now_ms / 1000;
    std::tm local{};
    if (::localtime_r(&now, &local) == nullptr) return;
    if (zone_ != local.tm_zone) {
      zone_ = local.tm_zone;
      zone_ref_ = {};
    }
    sink.host(zone_ref_, gauge("node_time_zone_offset_seconds"), {{"time_zone", zone_}},
              static_cast<double>(local.tm_gmtoff));
  }

  // The kernel falls back from tsc to something slower when a virtual machine misbehaves.
  void add_clocksources(CollectContext& context, SampleSink& sink) {
    if (context.slow_turn) {
      const std::string now(
          trimmed(context.files.read_once(clocksource_ + "current_clocksource").text));
      if (now != current_) current_ref_ = {};
      current_ = now;
      const FileText available = context.files.read_once(clocksource_ + "available_clocksource");
      WordScanner words(trimmed(available.text));
      std::string_view word;
      sources_.begin();
      while (words.next(word)) sources_.at(word);
      sources_.end();
    }
    if (current_.empty()) return;
    sink.host(current_ref_, gauge("node_time_clocksource_current_info"),
              {{"clocksource", current_}, {"device", "0"}}, 1);
    sources_.for_each([&](SourceRow& row) {
      sink.host(row.ref, gauge("node_time_clocksource_available_info"),
                {{"clocksource", row.name}, {"device", "0"}}, 1);
    });
  }

  Result<void> add_discipline(SampleSink& sink) {
    TRY(const ClockDiscipline clock, calls_.adjtimex());
    const timex& t = clock.values;
    constexpr double kMicro = 1e-6;
    constexpr double kPpm = 1e6 * 65536;  // Parts per million with a 16 bit fraction, adjtimex(2)
    const double offset_unit = (t.status & STA_NANO) != 0 ? 1e-9 : kMicro;
    std::size_t next = 0;
    const auto add = [&](const Metric& metric, double value) {
      sink.host(clock_refs_[next++], metric, value);
    };
    add(gauge("node_timex_sync_status"), clock.state == TIME_ERROR ? 0 : 1);
    add(gauge("node_timex_offset_seconds"), static_cast<double>(t.offset) * offset_unit);
    add(gauge("node_timex_frequency_adjustment_ratio"), 1 + static_cast<double>(t.freq) / kPpm);
    add(gauge("node_timex_maxerror_seconds"), static_cast<double>(t.maxerror) * kMicro);
    add(gauge("node_timex_estimated_error_seconds"), static_cast<double>(t.esterror) * kMicro);
    add(gauge("node_timex_status"), t.status);
    add(gauge("node_timex_loop_time_constant"), static_cast<double>(t.constant));
    add(gauge("node_timex_tick_seconds"), static_cast<double>(t.tick) * kMicro);
    add(gauge("node_timex_pps_frequency_hertz"), static_cast<double>(t.ppsfreq) / kPpm);
    add(gauge("node_timex_pps_jitter_seconds"), static_cast<double>(t.jitter) * offset_unit);
    add(gauge("node_timex_pps_shift_seconds"), t.shift);
    add(gauge("node_timex_pps_stability_hertz"), static_cast<double>(t.stabil) / kPpm);
    add(counter("node_timex_pps_jitter_total"), static_cast<double>(t.jitcnt));
    add(counter("node_timex_pps_calibration_total"), static_cast<double>(t.calcnt));
    add(counter("node_timex_pps_error_total"), static_cast<double>(t.errcnt));
    add(counter("node_timex_pps_stability_exceeded_total"), static_cast<double>(t.stbcnt));
    add(gauge("node_timex_tai_offset_seconds"), t.tai);
    return {};
  }

  std::string clocksource_;
  HostCalls calls_;
  std::string zone_, current_;
  RowCache<SourceRow> sources_;
  SeriesRef now_ref_, zone_ref_, current_ref_;
  std::array<SeriesRef, 17> clock_refs_;
};

// Names that change with an upgrade only.
class ReleaseCollector final : public Collector {
 public:
  ReleaseCollector(const MetricRoots& roots, HostCalls calls)
      : root_(roots.root), calls_(std::move(calls)) {}
  std::string_view name() const override { return "release"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    if (context.slow_turn) {
      read_release(context);
      uname_ = calls_.uname();
      os_ref_ = version_ref_ = uname_ref_ = {};
    }
    add_release(sink);
    if (!uname_) return uname_.error();
    sink.host(uname_ref_, gauge("node_uname_info"),
              {{"domainname", uname_->domainname},
               {"machine", uname_->machine},
               {"nodename", uname_->nodename},
               {"release", uname_->release},
               {"sysname", uname_->sysname},
               {"version", uname_->version}},
              1);
    return {};
  }

 private:
  // os-release(5): NAME="value", values quoted when they need to be.
  void read_release(CollectContext& context) {
    FileText content = context.files.read_once(root_ + "/etc/os-release");
    if (!content) content = context.files.read_once(root_ + "/usr/lib/os-release");
    release_.clear();
    LineScanner lines(content.text);
    std::string_view line;
    while (lines.next(line)) {
      const std::size_t equals = line.find('=');
      if (equals == std::string_view::npos || line.starts_with('#')) continue;
      std::string_view value = trimmed(line.substr(equals + 1));
      if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') &&
          value.back() == value.front()) {
        value = value.substr(1, value.size() - 2);
      }
      release_.emplace(line.substr(0, equals), value);
    }
  }

  std::string_view field(const char* name) const {
    const auto found = release_.find(name);
    return found == release_.end() ? std::string_view{} : std::string_view(found->second);
  }

  void add_release(SampleSink& sink) {
    if (release_.empty()) return;
    sink.host(os_ref_, gauge("node_os_info"),
              {{"build_id", field("BUILD_ID")},
               {"id", field("ID")},
               {"id_like", field("ID_LIKE")},
               {"image_id", field("IMAGE_ID")},
               {"image_version", field("IMAGE_VERSION")},
               {"name", field("NAME")},
               {"pretty_name", field("PRETTY_NAME")},
               {"variant", field("VARIANT")},
               {"variant_id", field("VARIANT_ID")},
               {"version", field("VERSION")},
               {"version_codename", field("VERSION_CODENAME")},
               {"version_id", field("VERSION_ID")}},
              1);
    // "22.04" and "12"; of "8.9.1" the first two parts.
    std::string_view version = field("VERSION_ID");
    const std::size_t dot = version.find('.');
    if (dot != std::string_view::npos) version = version.substr(0, version.find('.', dot + 1));
    double number = 0;
    if (!to_f64(version, number)) return;
    sink.host(version_ref_, gauge("node_os_version"),
              {{"id", field("ID")}, {"id_like", field("ID_LIKE")}, {"name", field("NAME")}},
              number);
  }

  std::string root_;
  HostCalls calls_;
  std::map<std::string, std::string, std::less<>> release_;
  Result<utsname> uname_ = Error(Errc::kUnavailable, "not read yet");
  SeriesRef os_ref_, version_ref_, uname_ref_;
};

}  // namespace

CollectorPtr make_time_collector(const MetricRoots& roots, HostCalls calls) {
  return std::make_unique<TimeCollector>(roots, std::move(calls));
}
CollectorPtr make_release_collector(const MetricRoots& roots, HostCalls calls) {
  return std::make_unique<ReleaseCollector>(roots, std::move(calls));
}

}  // namespace observeai::agent
