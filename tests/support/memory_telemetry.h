// Telemetry in memory, with the semantics of model::TelemetryReader; rows come in by commit_*(),
// which call the listener after the rows are visible, as a store does. Thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/model/repositories.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::test {

class MemoryTelemetry final : public model::TelemetryReader {
 public:
  // Before the first commit.
  void on_committed(std::function<void(const model::Committed&)> listener) {
    listener_ = std::move(listener);
  }

  void commit_logs(const AgentId& agent, const wire::LogBatch& batch) {
    model::Committed committed;
    committed.agent = agent;
    committed.logs = &batch;
    {
      MutexLock lock(mutex_);
      committed.first_log.batch = ++last_log_batch_;
      auto position = committed.first_log;
      for (const auto& record : batch.records) {
        logs_.push_back({agent, record, position});
        ++position.index;
      }
    }
    if (listener_) listener_(committed);
  }
  void commit_events(const AgentId& agent, const std::vector<wire::Event>& events) {
    wire::ControlBatch control;
    control.events = events;
    model::Committed committed;
    committed.agent = agent;
    committed.control = &control;
    {
      MutexLock lock(mutex_);
      for (const auto& event : events) {
        events_.push_back({++last_event_id_, agent, event});
        committed.event_ids.push_back(last_event_id_);
      }
    }
    if (listener_) listener_(committed);
  }
  void put_inventory(const model::HostInventory& inventory, const TenantId& tenant) {
    MutexLock lock(mutex_);
    inventories_[inventory.agent] = {tenant, inventory};
  }
  void put_series(const model::SeriesPoints& series) {
    MutexLock lock(mutex_);
    series_.push_back(series);
  }
  // One more point of a series, which is made when it is not there.
  void put_point(const AgentId& agent, const wire::SeriesDefinition& definition,
                 const model::Point& point) {
    MutexLock lock(mutex_);
    auto found = std::find_if(series_.begin(), series_.end(), [&](const auto& one) {
      const auto& known = one.info.definition;
      return one.info.agent == agent && known.target == definition.target &&
             known.name == definition.name && known.labels == definition.labels;
    });
    if (found == series_.end()) {
      series_.push_back({{agent, definition, 0, 0}, {}});
      found = std::prev(series_.end());
    }
    found->points.push_back(point);
    found->info.last_value = point.value;
    found->info.last_ts_ms = point.ts_ms;
  }
  void put_ledger(const model::LedgerRow& row) {
    MutexLock lock(mutex_);
    ledger_.push_back(row);
  }
  // Every call fails with this until it is taken back.
  void fail_with(std::optional<Error> error) {
    MutexLock lock(mutex_);
    failure_ = std::move(error);
  }

  // Of points(): a longer range has more points than one answer has.
  void refuse_ranges_above(std::int64_t longest_ms) {
    MutexLock lock(mutex_);
    longest_range_ms_ = longest_ms;
  }

  Result<std::vector<model::HostInventory>> inventories(const TenantId& tenant) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    std::vector<model::HostInventory> out;
    for (const auto& [agent, entry] : inventories_) {
      if (tenant.empty() || entry.first == tenant) out.push_back(entry.second);
    }
    return out;
  }
  Result<std::optional<model::HostInventory>> inventory(const AgentId& agent) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    const auto found = inventories_.find(agent);
    if (found == inventories_.end()) return std::optional<model::HostInventory>();
    return std::optional<model::HostInventory>(found->second.second);
  }

  Result<std::vector<model::InventoryCounts>> inventory_counts(const TenantId& tenant) override {
    TRY(const auto all, inventories(tenant));
    std::vector<model::InventoryCounts> out;
    for (const auto& one : all) {
      const auto running = std::count_if(one.containers.begin(), one.containers.end(),
                                         [](const auto& c) { return c.state == "running"; });
      out.push_back({one.agent, one.updated_ms, one.containers.size(),
                     static_cast<std::uint64_t>(running), one.processes.size(), one.units.size(),
                     one.ports.size()});
    }
    return out;
  }

  Result<std::vector<model::TargetName>> target_names(const TenantId& tenant,
                                                      const std::string& text) override {
    TRY(const auto all, inventories(tenant));
    std::vector<model::TargetName> out;
    const auto offer = [&](model::TargetName row) {
      const bool wanted = row.target.find(text, row.target.find('/') + 1) != std::string::npos ||
                          row.name.find(text) != std::string::npos ||
                          row.service.find(text) != std::string::npos;
      if (wanted) out.push_back(std::move(row));
    };
    for (const auto& one : all) {
      for (const auto& c : one.containers)
        offer({one.agent, "container/" + c.id, c.name, c.service, c.state == "running"});
      for (const auto& p : one.processes) offer({one.agent, "process/" + p.key, p.name, "", false});
      for (const auto& u : one.units) offer({one.agent, "unit/" + u.name, u.name, "", false});
    }
    return out;
  }

  Result<std::vector<model::LogRow>> logs(const model::LogQuery& query) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    std::vector<model::LogRow> out;
    for (const auto& row : logs_) {
      const auto& record = row.record;
      const std::int64_t ts_ms = record.ts_ns / 1'000'000;
      if ((query.agent.empty() || row.agent == query.agent) &&
          (query.target.empty() || record.target == query.target) &&
          ts_ms >= query.range.since_ms && ts_ms < query.range.until_ms &&
          (!query.stream || record.stream == *query.stream) &&
          (!query.after || row.position > *query.after) &&
          (query.grep.empty() || record.text.find(query.grep) != std::string::npos)) {
        out.push_back(row);
      }
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return a.record.ts_ns < b.record.ts_ns; });
    keep(out, query.limit, query.newest);
    return out;
  }

  Result<std::vector<model::SeriesInfo>> series(const AgentId& agent,
                                                const wire::Target& target) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    std::vector<model::SeriesInfo> out;
    for (const auto& one : series_) {
      if (one.info.agent == agent && one.info.definition.target == target) out.push_back(one.info);
    }
    return out;
  }

  // Steps are not thinned out: nobody here tests them.
  Result<std::vector<model::SeriesPoints>> points(const model::SeriesQuery& query) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    if (query.range.until_ms - query.range.since_ms > longest_range_ms_)
      return Error(Errc::kLimit, "more points than one answer has");
    std::vector<model::SeriesPoints> out;
    for (auto one : series_) {
      const auto& labels = one.info.definition.labels;
      const bool carries =
          std::all_of(query.labels.begin(), query.labels.end(), [&](const auto& label) {
            return std::find(labels.begin(), labels.end(), label) != labels.end();
          });
      const auto& target = one.info.definition.target;
      if (one.info.agent != query.agent || (!query.target.empty() && target != query.target) ||
          !carries || (!query.name.empty() && one.info.definition.name != query.name)) {
        continue;
      }
      std::erase_if(one.points, [&](const auto& point) {
        return point.ts_ms < query.range.since_ms || point.ts_ms >= query.range.until_ms;
      });
      out.push_back(one);
    }
    return out;
  }

  Result<std::vector<model::SeriesPoints>> latest(const AgentId& agent, const wire::Target& target,
                                                  const std::vector<std::string>& names) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    std::vector<model::SeriesPoints> out;
    for (const auto& one : series_) {
      const auto& definition = one.info.definition;
      if (one.info.agent != agent || (!target.empty() && definition.target != target)) continue;
      if (std::find(names.begin(), names.end(), definition.name) == names.end()) continue;
      out.push_back(one);
      keep(out.back().points, 2, true);
    }
    return out;
  }

  Result<std::vector<model::EventRow>> events(const model::EventQuery& query) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    std::vector<model::EventRow> out;
    for (const auto& row : events_) {
      if ((query.agent.empty() || row.agent == query.agent) &&
          (query.target.empty() || row.event.target == query.target) && row.id > query.after_id &&
          row.event.kind.starts_with(query.kind_prefix) &&
          row.event.ts_ms >= query.range.since_ms && row.event.ts_ms < query.range.until_ms) {
        out.push_back(row);
      }
    }
    keep(out, query.limit, query.newest);
    return out;
  }

  Result<std::vector<model::LedgerRow>> ledger(const AgentId& agent) override {
    MutexLock lock(mutex_);
    if (failure_) return *failure_;
    std::vector<model::LedgerRow> out;
    for (const auto& row : ledger_) {
      if (agent.empty() || row.agent == agent) out.push_back(row);
    }
    return out;
  }

 private:
  template <class Row>
  static void keep(std::vector<Row>& rows, std::size_t limit, bool newest) {
    if (rows.size() <= limit) return;
    const auto cut = static_cast<std::ptrdiff_t>(rows.size() - limit);
    if (newest)
      rows.erase(rows.begin(), rows.begin() + cut);
    else
      rows.erase(rows.end() - cut, rows.end());
  }

  std::function<void(const model::Committed&)> listener_;
  Mutex mutex_;
  std::map<AgentId, std::pair<TenantId, model::HostInventory>> inventories_ GUARDED_BY(mutex_);
  std::vector<model::LogRow> logs_ GUARDED_BY(mutex_);
  std::uint64_t last_log_batch_ GUARDED_BY(mutex_) = 0;
  std::vector<model::EventRow> events_ GUARDED_BY(mutex_);
  std::uint64_t last_event_id_ GUARDED_BY(mutex_) = 0;
  std::vector<model::SeriesPoints> series_ GUARDED_BY(mutex_);
  std::vector<model::LedgerRow> ledger_ GUARDED_BY(mutex_);
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::int64_t longest_range_ms_ GUARDED_BY(mutex_) = std::numeric_limits<std::int64_t>::max();
};

}  // namespace observeai::test
