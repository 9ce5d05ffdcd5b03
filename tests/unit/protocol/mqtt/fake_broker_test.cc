// The fake is what the uplink and ingest are tested with: it must keep the contract itself.
#include <doctest/doctest.h>

#include "tests/support/fake_broker.h"

using namespace observeai;
using namespace observeai::test;

namespace {

mqtt::Identity named(const std::string& name) {
  mqtt::Identity identity;
  identity.client_id = name;
  return identity;
}

struct Pair {
  FakeBroker broker;
  std::unique_ptr<FakeBrokerClient> agent = broker.client();
  std::unique_ptr<FakeBrokerClient> ingest = broker.client();
  std::vector<mqtt::Message> at_agent;
  std::vector<mqtt::Message> at_ingest;

  Pair() {
    agent->on_message([this](mqtt::Message m) { at_agent.push_back(std::move(m)); });
    ingest->on_message([this](mqtt::Message m) { at_ingest.push_back(std::move(m)); });
    for (auto* client : {agent.get(), ingest.get()}) {
      client->connect(named(client == agent.get() ? "agent-1" : "cp-ingest-0"),
                      [](const Result<void>&) {});
      broker.run();
      client->subscribe({"#"}, [](const Result<void>&) {});
      broker.run();
    }
  }
};

}  // namespace

TEST_CASE("the topic rules of the real broker") {
  Pair pair;
  CHECK(pair.agent->publish({"observeai/v1/t/1/agent-1/up/l0", "own"}, nullptr));
  CHECK(pair.agent->publish({"observeai/v1/t/1/agent-2/up/l0", "foreign"}, nullptr));
  CHECK(pair.agent->publish({"observeai/v1/t/1/agent-1/down/ack", "forged"}, nullptr));
  CHECK(pair.ingest->publish({"observeai/v1/t/1/agent-1/down/ack", "ack"}, nullptr));
  CHECK(pair.ingest->publish({"observeai/v1/t/1/agent-2/down/ack", "other"}, nullptr));
  pair.broker.run();
  REQUIRE(pair.at_ingest.size() == 1);
  CHECK(pair.at_ingest[0].payload == "own");
  REQUIRE(pair.at_agent.size() == 1);
  CHECK(pair.at_agent[0].payload == "ack");
  CHECK(pair.broker.denied == 2);
}

TEST_CASE("window, loss of the connection, silence after disconnect") {
  Pair pair;
  std::string order;
  pair.agent->on_disconnected([&](const Error&) { order += "L"; });
  for (std::size_t i = 0; i < mqtt::kMaxInFlight; ++i) {
    CHECK(pair.agent->publish({"observeai/v1/t/1/agent-1/up/l0", "x"}, [&](const Result<void>& r) {
      CHECK(r.error().code() == Errc::kUnavailable);
      order += "p";
    }));
  }
  const auto full = pair.agent->publish({"t", "x"}, nullptr);
  REQUIRE(!full.has_value());
  CHECK(full.error().code() == Errc::kLimit);
  SUBCASE("killed: open publishes end first") {
    pair.broker.kill();
    CHECK(order == std::string(mqtt::kMaxInFlight, 'p') + "L");
  }
  SUBCASE("disconnected by the owner: nothing is called") {
    pair.agent->disconnect();
    pair.broker.run();
    CHECK(order.empty());
  }
  CHECK(pair.agent->in_flight() == 0);
  const auto closed = pair.agent->publish({"t", "x"}, nullptr);
  REQUIRE(!closed.has_value());
  CHECK(closed.error().code() == Errc::kUnavailable);
}
