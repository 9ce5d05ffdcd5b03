// A host as node_exporter and cAdvisor show it: about 3,000 series, scraped every 10 seconds.
// Values are drawn so that sizes on the wire are those of a busy host: most counters move, CPU
// times are fractions.
#pragma once

#include <cmath>
#include <vector>

#include "tests/unit/protocol/wire/generate.h"

namespace observeai::test {

class Host {
 public:
  explicit Host(std::uint64_t seed) : random_(seed) {
    for (int cpu = 0; cpu < 8; ++cpu) {
      for (int mode = 0; mode < 8; ++mode) add(Kind::kCentiseconds, 1e6, 9);
    }
    for (int i = 0; i < 50; ++i) add(Kind::kPages, 16e9, 0.01);  // node_memory_*
    for (int i = 0; i < 120; ++i) add(Kind::kCount, 1e9, 500);   // node_vmstat_*, node_netstat_*
    for (int i = 0; i < 100; ++i) add(Kind::kConstant, 0, 0);    // Errors and drops that are none
    for (int i = 0; i < 66; ++i) add(Kind::kCount, 1e7, 50);     // node_disk_*, node_network_*
    for (int container = 0; container < 100; ++container) add_container();
  }

  wire::Scrape scrape() {
    wire::Scrape out;
    out.ts_ms = now_ms_;
    now_ms_ += 10'000;
    std::uint32_t id = 0;
    for (auto& series : series_) {
      out.series.push_back(++id);
      out.values.push_back(step(series));
    }
    return out;
  }

 private:
  enum class Kind { kConstant, kCount, kPages, kCentiseconds, kNanoseconds, kRatio };
  struct Series {
    Kind kind;
    double value;
    double change;
  };

  double uniform() { return static_cast<double>(random_.bits() >> 11) * 0x1p-53; }
  // Sizes spread over orders of magnitude, as they do on hosts.
  void add(Kind kind, double most, double change) {
    series_.push_back({kind, std::floor(std::pow(most + 1, uniform())) - 1, change});
  }
  void add_container() {
    for (int i = 0; i < 3; ++i) add(Kind::kNanoseconds, 1e5, 3);  // container_cpu_*_seconds_total
    for (int i = 0; i < 6; ++i) add(Kind::kPages, 2e9, 0.02);     // container_memory_*
    for (int i = 0; i < 6; ++i) add(Kind::kCount, 1e9, 20'000);   // Bytes and packets, in and out
    for (int i = 0; i < 2; ++i) add(Kind::kCount, 1e8, 4096);     // File system bytes
    add(Kind::kRatio, 0, 0);                                      // container_pressure_*
    for (int i = 0; i < 3; ++i) add(Kind::kCount, 200, 0.4);      // Processes, threads, descriptors
    for (int i = 0; i < 5; ++i) add(Kind::kConstant, 0, 0);  // Failures, swap, throttling: none
  }

  double step(Series& s) {
    const double moved = s.change * uniform();
    switch (s.kind) {
      case Kind::kConstant:
        break;
      case Kind::kCount:
        s.value = std::floor(s.value + moved);
        break;
      case Kind::kPages:
        s.value = std::floor(s.value * (1 + moved - s.change / 2) / 4096) * 4096;
        break;
      case Kind::kCentiseconds:
        s.value = std::round((s.value + moved) * 100) / 100;
        break;
      case Kind::kNanoseconds:
        s.value = std::round((s.value + moved) * 1e9) / 1e9;
        break;
      case Kind::kRatio:
        s.value = random_.below(4) == 0 ? std::round(uniform() * 100) / 100 : 0;
        break;
    }
    return s.value;
  }

  Generator random_;
  std::vector<Series> series_;
  std::int64_t now_ms_ = 1'700'000'000'000;
};

}  // namespace observeai::test
