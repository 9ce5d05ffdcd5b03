// What the agent says about itself: how its parts get on (budget), its counters (hello) and its own
// series (metrics). Reads only; loop thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "agent/app/budget_loop.h"
#include "agent/app/inventory_loop.h"
#include "agent/app/journal_loop.h"
#include "agent/app/logs_loop.h"
#include "agent/app/metrics_loop.h"
#include "agent/app/outbox.h"
#include "agent/app/remote_logs.h"
#include "agent/config/agent_config.h"
#include "agent/discovery/docker_loop.h"
#include "agent/runtime/blocking_pool.h"
#include "agent/runtime/deadline_calls.h"
#include "agent/uplink/uplink.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::agent {

// Of a running agent, where all of them exist.
struct AgentParts {
  const AgentConfig& config;
  const Shedding& shedding;
  const Spool& spool;
  const Outbox& outbox;
  const Uplink& uplink;
  const mqtt::BrokerClient& broker;
  const BlockingPool& pool;
  const DeadlineCalls& mounts;
  const BudgetLoop& budget;
  const InventoryLoop& inventory;
  const DockerClient& docker_client;
  const DockerWatcher& docker;
  const LogCollector& collector;
  const LogsLoop& logs;
  const RemoteLogs& remote_logs;
  const JournalLoop* journal;  // nullptr: switched off
  const MetricsLoop& metrics;
  const std::vector<ObservedContainer>& containers;
};

SpoolLimits spool_limits(const AgentConfig& config);
// Configured, within what the kernel allows this process.
BudgetLimits budget_limits(const AgentConfig& config);
// What could stand still, see StallDetector.
std::vector<StallDetector::Progress> watched_parts(const AgentParts& parts);
// Names of resources whose call hangs: a mount, /proc, systemd.
std::vector<std::string> stuck_resources(const AgentParts& parts);
std::map<std::string, std::int64_t> hello_counters(const AgentParts& parts);
std::vector<SelfValue> self_values(const AgentParts& parts);

}  // namespace observeai::agent
