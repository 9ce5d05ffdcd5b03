#include "agent/app/broker_choice.h"

namespace observeai::agent {
namespace {

std::vector<pki::BrokerAddress> brokers_of(const Identity& identity) {
  std::vector<pki::BrokerAddress> brokers{{identity.server.host, identity.brokers.front().port}};
  for (const auto& broker : identity.brokers) {
    if (broker.host != identity.server.host) brokers.push_back(broker);
  }
  return brokers;
}

}  // namespace

BrokerChoice::BrokerChoice(const IdentityStore& store, const Identity& identity)
    : store_(store), client_id_(identity.agent.value()), brokers_(brokers_of(identity)) {}

void BrokerChoice::renew(const Identity& identity) {
  brokers_ = brokers_of(identity);
}

mqtt::Identity BrokerChoice::chosen() const {
  const auto& broker = brokers_[turn_ % brokers_.size()];
  mqtt::Identity identity;
  identity.host = broker.host;
  identity.port = broker.port;
  identity.client_id = client_id_;
  identity.ca_file = store_.server_ca_path();
  identity.certificate_file = store_.tls_path();
  identity.key_file = store_.tls_path();
  return identity;
}

}  // namespace observeai::agent
