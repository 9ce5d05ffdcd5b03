#include "agent/app/broker_choice.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

Identity identity_with(std::vector<pki::BrokerAddress> brokers) {
  return Identity{AgentId::parse("agent-1").value(),
                  TenantId::parse("home").value(),
                  0,
                  {"control.example", 443, std::string(64, 'a')},
                  std::move(brokers),
                  pki::PrivateKey::generate().value(),
                  pki::Certificate(),
                  "",
                  signing::generate_key_agreement_pair(),
                  signing::generate_key_agreement_pair().public_key,
                  signing::SigningKeyPair::generate(),
                  "",
                  true};
}

}  // namespace

TEST_CASE("the broker beside the control plane comes first, the others in turn") {
  const IdentityStore store("/nowhere");
  BrokerChoice choice(store, identity_with({{"control.example", 8883}, {"other.example", 9000}}));
  const auto first = choice.chosen();
  CHECK_EQ(first.host, "control.example");
  CHECK_EQ(first.port, 8883);
  CHECK_EQ(first.client_id, "agent-1");
  CHECK_EQ(first.ca_file, "/nowhere/server-ca.pem");
  CHECK_EQ(first.certificate_file, "/nowhere/tls.pem");
  choice.next();
  CHECK_EQ(choice.chosen().host, "other.example");
  CHECK_EQ(choice.chosen().port, 9000);
  choice.next();
  CHECK_EQ(choice.chosen().host, "control.example");
}

TEST_CASE("where the host was enrolled is tried first also when the identity names other brokers") {
  const IdentityStore store("/nowhere");
  BrokerChoice choice(store, identity_with({{"internal.example", 8884}}));
  CHECK_EQ(choice.chosen().host, "control.example");
  CHECK_EQ(choice.chosen().port, 8884);
  choice.next();
  CHECK_EQ(choice.chosen().host, "internal.example");
}

TEST_CASE("a renewed identity brings its brokers") {
  const IdentityStore store("/nowhere");
  BrokerChoice choice(store, identity_with({{"old.example", 8883}}));
  choice.next();
  choice.renew(identity_with({{"new.example", 8885}}));
  CHECK_EQ(choice.chosen().host, "new.example");
  choice.next();
  CHECK_EQ(choice.chosen().host, "control.example");
  CHECK_EQ(choice.chosen().port, 8885);
}
