// Real MQTT clients that ask a running broker whether it still says no.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::controlplane {

struct CanaryIdentity {
  std::string certificate_file;
  std::string key_file;
};

// Made by enrollment once and kept for this purpose only; none of them is an agent.
struct CanaryIdentities {
  AgentId own_id;              // Common name of `good`
  CanaryIdentity good;         // From the agent CA
  CanaryIdentity revoked;      // From the agent CA, and on its revocation list
  CanaryIdentity foreign;      // From a CA that the broker does not know
  CanaryIdentity watcher;      // From the service CA, common name kCanaryWatcher
  std::string server_ca_file;  // Trusts the broker's own certificate
};

using MakeClient = std::function<std::unique_ptr<mqtt::BrokerClient>(mqtt::BrokerClient::Post)>;

// Checks, with one broker at host:port (host is verified against its certificate):
//   - revoked, foreign and certificate-less clients are refused; good and watcher are not
//   - good's publish below its own up/ arrives, and one below another agent's does not
//   - the watcher's message to good arrives; good, subscribed to '#', gets nothing else
// The error says in words what is wrong; kDenied: a plain no where there must be a yes, or a
// yes where there must be a no. Blocks up to `patience` plus about a second.
Result<void> run_canaries(const std::string& host, std::uint16_t port,
                          const CanaryIdentities& identities, const MakeClient& make_client,
                          std::chrono::milliseconds patience);

}  // namespace observeai::controlplane
