// /etc/observeai/executor.toml: where things are. What may be done says the policy alone.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "agent/executor/books.h"
#include "agent/executor/host.h"
#include "protocol/base/result.h"
#include "protocol/config/config_schema.h"

namespace observeai::agent::executor {

struct ExecutorConfig {
  std::string state_dir = "/var/lib/observeai-executor";
  std::string run_dir = "/run/observeai-executor";
  std::string policy_dir = "/etc/observeai/policy.d";
  std::string socket = "/run/observeai/executor.sock";
  std::string agent_user = "observeai";
  std::string trusted_owner = "root";
  // Long enough for a plan's questions in a row. The agent asks every five minutes: an idle host has the
  // process for a thirtieth of the time. A start takes some 10 ms.
  std::chrono::milliseconds idle_exit = std::chrono::seconds(10);
  std::string log_level = "info";
  std::string docker_socket = "/var/run/docker.sock";
  std::string gateway_socket = "/run/observeai/docker-gateway.sock";
  std::string proc_root = "/proc";
  std::string journal_directory = "/var/log/journal";
  std::string systemctl = "/usr/bin/systemctl";
  std::string journalctl = "/usr/bin/journalctl";
};
void describe(ExecutorConfig& config, config::Schema& schema);

// Defaults when the file is not there, unless it `must_exist`. kInvalid says which line is wrong.
Result<ExecutorConfig> load_executor_config(const std::string& path, bool must_exist);

Places places_of(const ExecutorConfig& config);
Host host_of(const ExecutorConfig& config);
// Who must own policy, trust and what the policy lists.
uid_t trusted_owner(const ExecutorConfig& config);
// kNotFound: there is no such user.
Result<uid_t> user_id(const std::string& name);

}  // namespace observeai::agent::executor
