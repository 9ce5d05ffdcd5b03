// Which broker the uplink connects to next.
#pragma once

#include <cstddef>
#include <vector>

#include "agent/enroll/identity.h"
#include "protocol/base/result.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::agent {

// Brokers of the identity in turn, where the host was enrolled first: the broker stands beside the
// control plane by default.
class BrokerChoice {
 public:
  BrokerChoice(const IdentityStore& store, const Identity& identity);

  // How to connect to the one whose turn it is. The store must outlive this.
  mqtt::Identity chosen() const;
  void next() { ++turn_; }
  // A renewed identity may name others; the turn stays.
  void renew(const Identity& identity);

 private:
  const IdentityStore& store_;
  const std::string client_id_;
  std::vector<pki::BrokerAddress> brokers_;  // At least one
  std::size_t turn_ = 0;
};

}  // namespace observeai::agent
