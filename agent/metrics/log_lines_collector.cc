#include <algorithm>
#include <array>
#include <string>

#include "agent/metrics/host_collectors.h"
#include "agent/metrics/row_cache.h"

namespace observeai::agent {
namespace {

// Lines that targets log, errors apart: what tells that a service gets worse when its lines are sampled
// or lost. Of the target that logs.
class LogLinesCollector final : public Collector {
 public:
  std::string_view name() const override { return "log_lines"; }

  Result<void> collect(CollectContext& context, SampleSink& sink) override {
    note_listed(context.containers);
    constexpr Metric kLines = counter("observeai_log_lines_total");
    rows_.begin();
    for (const LogLines& lines : context.log_lines) {
      if (!is_there(lines.target)) continue;
      Row* row = rows_.at(lines.target);
      if (row == nullptr) break;
      sink.add(lines.target, row->refs[0], kLines, {{"level", "error"}},
               static_cast<double>(lines.errors));
      sink.add(lines.target, row->refs[1], kLines, {{"level", "other"}},
               static_cast<double>(lines.others));
    }
    rows_.end();
    return {};
  }

 private:
  void note_listed(std::span<const ObservedContainer> containers) {
    listed_.clear();
    for (const ObservedContainer& container : containers) listed_.push_back(container.facts.id);
    std::ranges::sort(listed_);
  }
  // The last lines of a removed container may be counted long after its series have ended.
  bool is_there(std::string_view target) const {
    constexpr std::string_view kContainers = "container/";
    return !target.starts_with(kContainers) ||
           std::ranges::binary_search(listed_, target.substr(kContainers.size()));
  }

  struct Row {
    explicit Row(std::string_view) {}
    std::array<SeriesRef, 2> refs;
  };
  std::vector<std::string_view> listed_;  // Ids, in this scrape
  RowCache<Row> rows_;
};

}  // namespace

CollectorPtr make_log_lines_collector() {
  return std::make_unique<LogLinesCollector>();
}

}  // namespace observeai::agent
