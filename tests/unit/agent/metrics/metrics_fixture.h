// A host that a test owns: a recorded tree, or a copy of one to change.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "agent/metrics/filesystem_collector.h"
#include "agent/metrics/metrics_engine.h"
#include "protocol/base/clock.h"
#include "tests/support/temp_dir.h"

namespace observeai::agent::test {

inline const std::string kContainerId = [] {
  std::string id;
  for (int i = 0; i < 32; ++i) id += "3f";
  return id;
}();

// A copy of a recorded tree whose files a test may change and remove.
class Tree {
 public:
  explicit Tree(const std::string& name) {
    std::filesystem::copy(std::string(OBSERVEAI_TEST_DATA) + "/proc/" + name, dir_.path(),
                          std::filesystem::copy_options::recursive);
    link_network("1", "net:[4026531840]");
    link_network("4711", "net:[4026532999]");
  }
  const std::string& path() const { return dir_.path(); }
  void write(const std::string& file, const std::string& content) const {
    const std::filesystem::path path = dir_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
  }
  // The network namespace of a process; "" = it may not be looked at.
  void link_network(const std::string& pid, const std::string& name) const {
    const std::filesystem::path link = dir_ / ("proc/" + pid + "/ns/net");
    std::filesystem::create_directories(link.parent_path());
    std::filesystem::remove(link);
    if (!name.empty()) std::filesystem::create_symlink(name, link);
  }
  void remove(const std::string& file) const { std::filesystem::remove_all(dir_ / file); }
  std::string read(const std::string& file) const {
    std::ifstream in(dir_ / file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

 private:
  observeai::test::TempDir dir_;
};

// A tree that nobody changes.
inline std::string recorded(const std::string& name) {
  static std::map<std::string, Tree> trees;
  return trees.try_emplace(name, name).first->second.path();
}

inline MetricRoots roots_of(const std::string& tree) {
  return {tree + "/proc", tree + "/sys", tree};
}

// Answers that never change, so that golden values hold everywhere.
inline HostCalls fixed_calls() {
  HostCalls calls;
  calls.statfs = [](const std::string&, const Mount&) -> Result<FilesystemUsage> {
    return FilesystemUsage{4096, 1000, 600, 500, 200, 150, true};
  };
  calls.adjtimex = []() -> Result<ClockDiscipline> {
    ClockDiscipline clock;
    clock.values.offset = 1500;
    clock.values.status = STA_NANO;
    clock.values.maxerror = 250000;
    clock.values.tick = 10000;
    clock.state = TIME_OK;
    return clock;
  };
  calls.uname = []() -> Result<utsname> {
    utsname names{};
    std::snprintf(names.sysname, sizeof names.sysname, "Linux");
    std::snprintf(names.nodename, sizeof names.nodename, "testhost");
    return names;
  };
  return calls;
}

inline ObservedContainer container_4711() {
  ObservedContainer container;
  container.facts.id = kContainerId;
  container.facts.pid = 4711;
  container.facts.started_ms = 1'700'000'000'000;
  container.facts.restart_count = 3;
  return container;
}

// An engine with the names of its series, so that a test asks for "node_load1" and not for a
// number.
class Host {
 public:
  explicit Host(const std::string& tree, HostCalls calls = fixed_calls(), SeriesLimits limits = {})
      : engine_(roots_of(tree), std::move(calls), {}, 1, limits) {}

  const ScrapeResult& scrape() {
    clock_.advance(std::chrono::seconds(10));
    ScrapeInput input;
    input.now_ms = clock_.unix_ms();
    input.containers = containers;
    input.processes = processes;
    input.self = self;
    input.log_lines = log_lines;
    last_ = engine_.scrape(input);
    for (const wire::SeriesDefinition& series : last_.new_series) names_[series.id] = series;
    engine_.committed();
    return last_;
  }

  // "target name{a="b"}" -> value, of the last scrape.
  std::map<std::string, double> values() const {
    std::map<std::string, double> all;
    for (std::size_t i = 0; i < last_.scrape.series.size(); ++i) {
      all[text(names_.at(last_.scrape.series[i]))] = last_.scrape.values[i];
    }
    return all;
  }
  bool has(const std::string& name, const std::string& target = wire::kHostTarget) const {
    return values().contains(target + " " + name);
  }
  double value(const std::string& name, const std::string& target = wire::kHostTarget) const {
    const auto all = values();
    const auto found = all.find(target + " " + name);
    return found == all.end() ? -12345.0 : found->second;
  }
  double of_container(const std::string& name) const {
    return value(name, container_target(kContainerId));
  }
  const std::map<std::uint32_t, wire::SeriesDefinition>& names() const { return names_; }
  MetricsEngine& engine() { return engine_; }

  static std::string text(const wire::SeriesDefinition& series) {
    std::string labels;
    for (const wire::Label& label : series.labels) {
      labels += (labels.empty() ? "" : ",") + label.name + "=\"" + label.value + "\"";
    }
    return series.target + " " + series.name + (labels.empty() ? "" : "{" + labels + "}");
  }

  std::vector<ObservedContainer> containers;
  std::vector<ProcessUsage> processes;
  std::vector<SelfValue> self;
  std::vector<LogLines> log_lines;

 private:
  ManualClock clock_;
  MetricsEngine engine_;
  ScrapeResult last_;
  std::map<std::uint32_t, wire::SeriesDefinition> names_;
};

}  // namespace observeai::agent::test
