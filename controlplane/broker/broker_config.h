// What the broker is told, as pure text: mosquitto.conf and its ACL file. Mosquitto 2.0.11 of
// Debian 12; facts behind each line are in README.md.
#pragma once

#include <string>
#include <vector>

#include "protocol/base/id.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

// Reserved for the canaries of a guarded apply: their traffic stays under this tenant.
inline constexpr const char* kCanaryTenant = "canary";
// Common name of the canary that plays the control plane's part.
inline constexpr const char* kCanaryWatcher = "cp-canary";

// The largest payload that passes: wire::kMaxSealedBytes.
inline constexpr std::size_t kMaxBrokerPayload = 1U << 20;

struct BrokerSettings {
  std::string address = "127.0.0.1";  // To listen on; an IP address of this machine
  std::uint16_t port = 8883;
  // Whom the broker runs as when root starts it; else it runs as the one who starts it.
  std::string user = "mosquitto";
  std::vector<std::string> ingest_names{"cp-ingest-0"};  // Common names of ingest workers
  std::uint32_t max_inflight_messages = 1000;            // To one subscriber: the ingest worker
  std::uint32_t max_queued_messages = 20'000;            // A hello of every agent at once
  std::uint32_t max_queued_bytes = 64U << 20;
  std::uint32_t max_keepalive_s = 120;
};

// File contents of one generation.
struct BrokerFiles {
  std::string ca_pem;   // Who may connect: agent CA generations and the service CA, self-signed
  std::string crl_pem;  // One list for each CA in ca_pem, or Mosquitto refuses all of that CA
  std::string certificate_pem;
  std::string key_pem;
  std::string acl;  // render_acl()
};

// It names the other files of its generation without their folder, which is the broker's working
// directory: the folders above it are closed to the broker. kInvalid for values that would break out
// of their line.
Result<std::string> render_config(const BrokerSettings& settings);
// An agent may write below its own up/ and read below its own down/, in any tenant and shard
// (ingest takes both from its registry, never from the topic). Revoked agents are denied
// everything.
Result<std::string> render_acl(const BrokerSettings& settings, const std::vector<AgentId>& revoked);

}  // namespace observeai::controlplane
