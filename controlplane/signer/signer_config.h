// Everything that can be set in /etc/observeai/signer.toml.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "controlplane/signer/signing_service.h"
#include "protocol/config/config_schema.h"

namespace observeai::controlplane::signer {

struct SignerConfig {
  std::string state_dir = "/var/lib/observeai-signer";
  std::string socket = "/run/observeai-signer/signer.sock";
  std::string log_level = "info";
  std::string client;  // User name or number of the control plane; "": only who runs the signer
  std::string root_sha256;  // Of version 1 of the root; "": the first that names our key
  std::chrono::milliseconds max_lifetime{3'600'000};
  std::uint64_t tenant_per_minute = 20'000;
  std::uint64_t tenant_per_hour = 100'000;
  std::uint64_t agent_per_minute = 60;
  std::uint64_t agent_per_hour = 600;
  std::uint64_t times_per_minute = 20;
  std::uint64_t times_per_hour = 200;
  std::uint64_t all_times_per_minute = 20'000;
  std::uint64_t all_times_per_hour = 200'000;
};

void describe(SignerConfig& config, config::Schema& schema);
SigningLimits limits_of(const SignerConfig& config);

// Defaults when `path` does not exist and `must_exist` is false. kInvalid.
Result<SignerConfig> load_signer_config(const std::string& path, bool must_exist);

}  // namespace observeai::controlplane::signer
