// Everything that can be set in /etc/observeai/controlplane.toml. The defaults are meant to be
// kept.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/config/config_schema.h"

namespace observeai::controlplane {

struct ControlPlaneConfig {
  std::string state_dir = "/var/lib/observeai-controlplane";
  std::string log_level = "info";
  std::string tenant = "default";

  std::string api_address = "0.0.0.0";
  std::uint64_t api_port = 8443;

  std::string broker_address = "0.0.0.0";
  std::uint64_t broker_port = 8883;
  std::string broker_user = "mosquitto";

  std::string signer_socket = "/run/observeai-signer/signer.sock";

  // Names and addresses under which hosts reach this machine, besides its own host name and
  // loopback.
  std::vector<std::string> public_names;

  // Of the hosts' certificates; each is renewed at half of it.
  std::chrono::milliseconds certificate_lifetime{30LL * 86'400'000};

  std::string audit_heads_file;  // "": no copy

  bool predict_enabled = true;
  std::chrono::milliseconds predict_step{60'000};
  std::chrono::milliseconds predict_fast_step{10'000};

  std::uint64_t telemetry_max_mib = 10'240;
  std::chrono::milliseconds telemetry_max_age{7LL * 86'400'000};
};

void describe(ControlPlaneConfig& config, config::Schema& schema);

// Defaults when `path` does not exist and `must_exist` is false.
Result<ControlPlaneConfig> load_controlplane_config(const std::string& path, bool must_exist);

}  // namespace observeai::controlplane
