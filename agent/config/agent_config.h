// Everything that can be set in /etc/observeai/agent.toml. The defaults are meant to be kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/config/config_schema.h"

namespace observeai::agent {

struct AgentConfig {
  std::string state_dir = "/var/lib/observeai";  // identity/ and spool/ live here
  std::string log_level = "info";
  std::string server = "localhost:8443";  // HTTPS of the control plane, for enrollment and renewal

  std::chrono::milliseconds metrics_interval{10'000};
  std::chrono::milliseconds inventory_interval{10'000};

  bool docker_enabled = true;
  std::string docker_socket;  // "" = docker_socket_of()

  bool logs_enabled = true;
  std::chrono::milliseconds logs_flush{200};  // A line waits at most this long for company
  bool logs_join_traces = true;
  std::vector<std::string> logs_files;
  std::vector<std::string> logs_exclude;
  bool logs_read_existing = false;
  std::vector<std::string> logs_pods{"/var/log/pods/*/*/*.log"};

  bool journal_enabled = true;
  std::string journal_directory;  // "" = this host's
  std::vector<std::string> journal_include;
  std::vector<std::string> journal_exclude;
  std::uint64_t journal_max_priority = 7;
  std::chrono::milliseconds journal_backfill{600'000};

  std::vector<std::string> certificate_files{
      "/etc/letsencrypt/live/*/cert.pem", "/etc/ssl/private/*.[pc][er][mt]",
      "/etc/nginx/*.[pc][er][mt]",        "/etc/nginx/*/*.[pc][er][mt]",
      "/etc/apache2/*.[pc][er][mt]",      "/etc/apache2/*/*.[pc][er][mt]",
      "/etc/haproxy/*.[pc][er][mt]",      "/etc/haproxy/*/*.[pc][er][mt]",
      "/etc/postgresql/*/*/*.crt",        "/etc/dovecot/*/*.[pc][er][mt]",
      "/etc/postfix/*.[pc][er][mt]"};

  std::uint64_t spool_max_mib = 1024;
  std::uint64_t spool_min_free_mib = 64;

  std::uint64_t budget_cpu_percent = 25;
  std::uint64_t budget_memory_mib = 96;

  std::string executor_socket = "/run/observeai/executor.sock";
  std::string executor_trust_dir = "/var/lib/observeai-executor/trust";  // Written by enroll

  std::string proc_root = "/proc";
  std::string sys_root = "/sys";
};

void describe(AgentConfig& config, config::Schema& schema);

// The one that is set, else the gateway's where it is (agent/executor/gateway.h), else the engine's own.
std::string docker_socket_of(const AgentConfig& config,
                             const std::string& gateway = "/run/observeai/docker-gateway.sock");

// Defaults when `path` does not exist and `must_exist` is false.
Result<AgentConfig> load_agent_config(const std::string& path, bool must_exist);

}  // namespace observeai::agent
