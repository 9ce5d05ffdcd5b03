// Prints one scrape of this host in the Prometheus text format, or with --repeat measures its cost.
//   bench_metrics_dump [--container PID=<pid>,ID=<64 hex>]... [--repeat N] [--interval-ms M]
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "agent/metrics/metrics_engine.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace {

using namespace observeai;
using namespace observeai::agent;

struct Options {
  std::vector<ObservedContainer> containers;
  int repeat = 1;
  int interval_ms = 0;
};

bool parse_container(std::string_view text, ObservedContainer& out) {
  for (const std::string_view part : text::split(text, ',')) {
    if (part.starts_with("PID=")) {
      out.facts.pid = static_cast<std::uint32_t>(text::parse_u64(part.substr(4)).value_or(0));
    } else if (part.starts_with("ID=")) {
      out.facts.id = part.substr(3);
    }
  }
  return out.facts.pid != 0 && !out.facts.id.empty();
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--container") {
      ObservedContainer container;
      if (!parse_container(argv[i + 1], container)) return false;
      options.containers.push_back(container);
    } else if (name == "--repeat") {
      options.repeat = std::atoi(argv[i + 1]);
    } else if (name == "--interval-ms") {
      options.interval_ms = std::atoi(argv[i + 1]);
    } else {
      return false;
    }
  }
  return argc % 2 == 1 && options.repeat >= 1;
}

std::string quoted(const std::string& value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// Containers are told apart by a label id, as cAdvisor does; process groups by groupname.
void print(const wire::SeriesDefinition& series, double value) {
  std::string labels;
  const auto add = [&](const std::string& name, const std::string& text) {
    labels += (labels.empty() ? "" : ",") + name + "=" + quoted(text);
  };
  if (series.target.starts_with("container/")) add("id", series.target.substr(10));
  if (series.target.starts_with("process/")) add("groupname", series.target.substr(8));
  for (const wire::Label& label : series.labels) add(label.name, label.value);
  std::printf("%s%s %.17g\n", series.name.c_str(),
              labels.empty() ? "" : ("{" + labels + "}").c_str(), value);
}

void print_scrape(const ScrapeResult& result) {
  std::map<std::uint32_t, const wire::SeriesDefinition*> by_id;
  for (const wire::SeriesDefinition& series : result.new_series) by_id[series.id] = &series;
  for (std::size_t i = 0; i < result.scrape.series.size(); ++i) {
    const auto found = by_id.find(result.scrape.series[i]);
    if (found != by_id.end()) print(*found->second, result.scrape.values[i]);
  }
}

void print_costs(MetricsEngine& engine, const ScrapeInput& first, const Options& options,
                 const Clock& clock) {
  ScrapeInput input = first;
  std::map<std::string_view, std::int64_t> by_collector;
  std::int64_t total_us = 0;
  std::size_t series = 0;
  for (int i = 0; i < options.repeat; ++i) {
    if (options.interval_ms > 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(options.interval_ms));
    }
    input.now_ms = clock.unix_ms();
    const ScrapeResult result = engine.scrape(input);
    total_us += result.duration_us;
    series = result.scrape.series.size();
    for (const CollectorReport& report : result.collectors) {
      by_collector[report.name] += report.duration_us;
    }
  }
  for (const auto& [name, us] : by_collector) {
    std::printf("%-12s %8.1f us\n", std::string(name).c_str(),
                static_cast<double>(us) / options.repeat);
  }
  std::printf("%zu series, %.1f us per scrape, %zu kept files, malformed %llu\n", series,
              static_cast<double>(total_us) / options.repeat, engine.kept_files(),
              static_cast<unsigned long long>(engine.malformed()));
  const auto status = files::read("/proc/self/status");
  for (const std::string_view line : text::split(status ? *status : "", '\n')) {
    if (line.starts_with("VmRSS") || line.starts_with("VmHWM") || line.starts_with("RssAnon")) {
      std::printf("%s\n", std::string(line).c_str());
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: %s [--container PID=<pid>,ID=<id>]... [--repeat N] [--interval-ms M]\n",
                 argv[0]);
    return 2;
  }
  const SystemClock clock;
  MetricsEngine engine(MetricRoots{}, HostCalls::direct(), {}, 1);
  ScrapeInput input;
  input.now_ms = clock.unix_ms();
  input.containers = options.containers;
  const ScrapeResult result = engine.scrape(input);
  engine.committed();
  if (options.repeat > 1) {
    print_costs(engine, input, options, clock);
    return 0;
  }
  print_scrape(result);
  for (const CollectorReport& report : result.collectors) {
    if (report.error) std::fprintf(stderr, "%s\n", report.error->message().c_str());
  }
  return 0;
}
