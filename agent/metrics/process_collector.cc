#include <algorithm>
#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"

namespace observeai::agent {
namespace {

// Groups reported at a time. A host has hundreds of mostly idle groups; the forty largest hold
// nearly all CPU and memory, and 40 x 8 series stay below a tenth of a busy host's scrape.
constexpr std::size_t kReportedGroups = 40;
// A reported group is replaced only by one that weighs half as much again: without this, groups of
// similar size would come and go at every scrape.
constexpr double kStayFactor = 1.5;
// A group that holds so much of what it may open is reported before all that only use much: what runs
// out of handles is often small and idle.
constexpr double kNearFdLimit = 0.2;

struct Group {
  double cpu_now = 0;    // As given last
  double cpu_total = 0;  // Only rises: an exiting process takes its share of cpu_now with it
  double cpu_delta = 0;
  const ProcessUsage* usage = nullptr;  // In the current scrape
  bool reported = false;
  std::string target;
  std::array<SeriesRef, 8> refs;

  double fd_ratio() const {
    if (usage->worst_fd_limit == 0) return 0;
    return static_cast<double>(usage->worst_fds) / static_cast<double>(usage->worst_fd_limit);
  }
};

class ProcessCollector final : public Collector {
 public:
  std::string_view name() const override { return "processes"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    update(context.processes);
    for (Group* group : choose()) add_group(*group, sink);
    return {};
  }

 private:
  void update(std::span<const ProcessUsage> rows) {
    for (auto& [key, group] : groups_) group.usage = nullptr;
    for (const ProcessUsage& row : rows) {
      auto [entry, is_new] = groups_.try_emplace(row.key);
      Group& group = entry->second;
      if (is_new) group.target = "process/" + row.key;
      group.cpu_delta = std::max(0.0, row.cpu_seconds - group.cpu_now);
      group.cpu_total += group.cpu_delta;
      group.cpu_now = row.cpu_seconds;
      group.usage = &row;
    }
    std::erase_if(groups_, [](const auto& entry) { return entry.second.usage == nullptr; });
  }

  std::vector<Group*> choose() {
    double cpu_sum = 0, rss_sum = 0;
    for (const auto& [key, group] : groups_) {
      cpu_sum += group.cpu_delta;
      rss_sum += static_cast<double>(group.usage->rss_bytes);
    }
    // The share of all CPU time of this interval plus the share of all memory.
    const auto weight = [&](const Group& group) {
      const double cpu = cpu_sum > 0 ? group.cpu_delta / cpu_sum : 0;
      const double rss = rss_sum > 0 ? static_cast<double>(group.usage->rss_bytes) / rss_sum : 0;
      const double fds = group.fd_ratio() >= kNearFdLimit ? 2 + group.fd_ratio() : 0;
      return (cpu + rss + fds) * (group.reported ? kStayFactor : 1);
    };
    std::vector<std::pair<double, Group*>> ranked;
    ranked.reserve(groups_.size());
    for (auto& [key, group] : groups_) ranked.emplace_back(weight(group), &group);
    std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) {
      if (a.first != b.first) return a.first > b.first;
      return a.second->reported && !b.second->reported;
    });
    std::vector<Group*> chosen;
    for (const auto& [score, group] : ranked) {
      group->reported = chosen.size() < kReportedGroups;
      if (group->reported) chosen.push_back(group);
    }
    return chosen;
  }

  static void add_group(Group& group, SampleSink& sink) {
    const ProcessUsage& usage = *group.usage;
    sink.add(group.target, group.refs[0], counter("namedprocess_namegroup_cpu_seconds_total"), {},
             group.cpu_total);
    sink.add(group.target, group.refs[1], gauge("namedprocess_namegroup_memory_bytes"),
             {{"memtype", "resident"}}, static_cast<double>(usage.rss_bytes));
    sink.add(group.target, group.refs[2], gauge("namedprocess_namegroup_num_procs"), {},
             static_cast<double>(usage.count));
    sink.add(group.target, group.refs[3], gauge("namedprocess_namegroup_num_threads"), {},
             static_cast<double>(usage.threads));
    if (usage.started_ms > 0) {
      sink.add(group.target, group.refs[5],
               gauge("namedprocess_namegroup_oldest_start_time_seconds"), {},
               static_cast<double>(usage.started_ms) / 1e3);
    }
    if (!usage.open_fds) return;
    sink.add(group.target, group.refs[4], gauge("namedprocess_namegroup_open_filedesc"), {},
             static_cast<double>(*usage.open_fds));
    if (usage.worst_fd_limit == 0) return;
    sink.add(group.target, group.refs[6], gauge("namedprocess_namegroup_worst_fd_ratio"), {},
             group.fd_ratio());
    sink.add(group.target, group.refs[7], gauge("namedprocess_namegroup_worst_fd_limit"), {},
             static_cast<double>(usage.worst_fd_limit));
  }

  std::map<std::string, Group> groups_;
};

}  // namespace

CollectorPtr make_process_collector() {
  return std::make_unique<ProcessCollector>();
}

}  // namespace observeai::agent
