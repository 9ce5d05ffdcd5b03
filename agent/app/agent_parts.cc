#include "agent/app/agent_parts.h"

#include <sys/resource.h>

#include "agent/spool/spool.h"

namespace observeai::agent {
namespace {

constexpr double kOfOpenFiles = 0.8;  // Of what the kernel allows

}  // namespace

SpoolLimits spool_limits(const AgentConfig& config) {
  SpoolLimits limits;
  limits.max_bytes = config.spool_max_mib << 20;
  limits.min_free_bytes = config.spool_min_free_mib << 20;
  return limits;
}

BudgetLimits budget_limits(const AgentConfig& config) {
  BudgetLimits limits;
  limits.cpu_percent = static_cast<double>(config.budget_cpu_percent);
  limits.memory_bytes = config.budget_memory_mib << 20;
  limits.spool_bytes = spool_limits(config).filling_bytes();
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
    limits.open_files =
        static_cast<std::uint64_t>(static_cast<double>(files.rlim_cur) * kOfOpenFiles);
  }
  return within(limits, own_group_limits("/proc", "/sys/fs/cgroup"));
}

std::vector<StallDetector::Progress> watched_parts(const AgentParts& parts) {
  std::vector<StallDetector::Progress> watched;
  const auto& uplink = parts.uplink.counters();
  watched.push_back({"uplink", parts.uplink.should_send(), uplink.batches_sent,
                     std::to_string(parts.spool.state().bytes) + " bytes wait in the spool", true});
  // What hangs in the kernel would hang again after a restart.
  watched.push_back({"metrics", parts.metrics.is_late(), parts.metrics.finished(), "", false});
  watched.push_back({"inventory", parts.inventory.is_late(), parts.inventory.scans(), "", false});
  if (parts.config.logs_enabled && parts.shedding.logs) {
    watched.push_back({"logs", parts.collector.more() && parts.outbox.takes_data(),
                       parts.logs.rounds(), "", true});
    watched.push_back({"remote logs", parts.remote_logs.waits() && parts.outbox.takes_data(),
                       parts.remote_logs.rounds(), parts.remote_logs.problem(), false});
  }
  if (parts.journal != nullptr && parts.shedding.logs) {
    const auto& problem = parts.journal->problem();
    watched.push_back({"journal", !problem.empty() && parts.outbox.takes_data(),
                       parts.journal->rounds(), problem, false});
  }
  const auto pool = parts.pool.counters();
  watched.push_back({"workers", pool.stuck >= BlockingPool::Options().max_threads, pool.finished,
                     std::to_string(pool.stuck) + " calls hang", false});
  return watched;
}

std::vector<std::string> stuck_resources(const AgentParts& parts) {
  auto names = parts.pool.stuck();
  for (auto& name : parts.mounts.stuck()) names.push_back(std::move(name));
  for (auto& name : parts.remote_logs.stuck()) names.push_back(std::move(name));
  for (auto& name : parts.inventory.stuck()) names.push_back("/proc/" + name);
  return names;
}

std::map<std::string, std::int64_t> hello_counters(const AgentParts& parts) {
  std::map<std::string, std::int64_t> counters;
  const auto& spool = parts.spool.counters();
  const auto put = [&counters](const char* name, std::uint64_t value) {
    counters[name] = static_cast<std::int64_t>(value);
  };
  put(spool_counter_names::kBatchesEvicted, spool.batches_evicted);
  put(spool_counter_names::kBatchesDamaged, spool.batches_damaged);
  put(spool_counter_names::kSegmentsAside, spool.segments_aside);
  put(spool_counter_names::kWritersReplaced, spool.writers_replaced);
  put(spool_counter_names::kIoErrors, spool.io_errors);
  put(spool_counter_names::kEpochsBegun, spool.epochs_begun);
  counters["containers"] = static_cast<std::int64_t>(parts.containers.size());
  counters["control_dropped"] = static_cast<std::int64_t>(parts.outbox.control_dropped());
  counters["budget_step"] = static_cast<std::int64_t>(parts.shedding.step);
  counters["restarts_last_hour"] = static_cast<std::int64_t>(parts.budget.restarts_last_hour());
  counters["stalled_parts"] = static_cast<std::int64_t>(parts.budget.stalled_parts());
  counters["stuck_resources"] = static_cast<std::int64_t>(parts.budget.stuck_resources());
  counters["containers_over_limit"] = static_cast<std::int64_t>(parts.docker.table().over_limit());
  counters["inventory_lost"] = static_cast<std::int64_t>(parts.inventory.inventory_lost());
  counters["samples_left_out"] = static_cast<std::int64_t>(parts.metrics.samples_left_out());
  counters["scrapes_missed"] = static_cast<std::int64_t>(parts.metrics.missed());
  counters["docker_events_dropped"] =
      static_cast<std::int64_t>(parts.docker.counters().events_dropped);
  return counters;
}

std::vector<SelfValue> self_values(const AgentParts& parts) {
  std::vector<SelfValue> values;
  const auto counter = [&](const char* name, std::uint64_t value) {
    values.push_back({name, wire::MetricKind::kCounter, static_cast<double>(value)});
  };
  const auto gauge = [&](const char* name, std::uint64_t value) {
    values.push_back({name, wire::MetricKind::kGauge, static_cast<double>(value)});
  };
  gauge("spool_bytes", parts.spool.state().bytes);
  gauge("spool_disk_bytes", parts.spool.state().disk_bytes);
  counter("spool_batches_evicted_total", parts.spool.counters().batches_evicted);
  counter("spool_batches_damaged_total", parts.spool.counters().batches_damaged);
  counter("spool_io_errors_total", parts.spool.counters().io_errors);
  gauge("uplink_in_flight_bytes", parts.uplink.counters().in_flight_bytes);
  gauge("workers_stuck", parts.pool.counters().stuck + parts.remote_logs.stuck().size());
  gauge("budget_step", static_cast<std::uint64_t>(parts.shedding.step));
  gauge("resources_stuck", parts.budget.stuck_resources());
  gauge("inventory_lost", parts.inventory.inventory_lost());
  gauge("containers_over_limit", parts.docker.table().over_limit());
  counter("control_dropped_total", parts.outbox.control_dropped());
  counter("scrapes_missed_total", parts.metrics.missed());
  counter("docker_malformed_total", parts.docker_client.counters().malformed);
  counter("docker_oversized_total", parts.docker_client.counters().oversized);
  counter("docker_events_dropped_total", parts.docker.counters().events_dropped);
  counter("log_checkpoints_invalid_total",
          parts.collector.invalid_checkpoints() + parts.remote_logs.invalid_checkpoints());
  counter("broker_messages_dropped_total", parts.broker.dropped_messages());
  const auto& left_out = parts.inventory.left_out();
  gauge("processes_over_limit", left_out.processes);
  gauge("ports_over_limit", left_out.ports);
  gauge("port_processes_unreadable", left_out.unreadable_processes);
  gauge("units_over_limit", left_out.units);
  counter("uplink_batches_sent_total", parts.uplink.counters().batches_sent);
  counter("uplink_batches_acked_total", parts.uplink.counters().batches_acked);
  counter("uplink_bytes_sent_total", parts.uplink.counters().bytes_sent);
  counter("uplink_reconnects_total", parts.uplink.counters().reconnects);
  return values;
}

}  // namespace observeai::agent
