// A thousand uplinks that lose one broker at one moment. No control plane is needed: the connection is
// what a storm hits.
#include "agent/uplink/uplink.h"
#include "tests/unit/agent/uplink/uplink_fixture.h"

using namespace observeai;
using namespace observeai::test;
using agent::Uplink;
using agent::UplinkState;

namespace {

constexpr int kAgents = 1000;

struct Fleet {
  struct Member {
    MemorySpool spool;
    std::unique_ptr<FakeBrokerClient> client;
    std::unique_ptr<Uplink> uplink;
  };

  FakeBroker broker;
  ManualClock clock;
  RecordedEvents events;
  std::mt19937_64 random{4};
  std::vector<std::unique_ptr<Member>> members;
  std::vector<int> connects_of_second;  // Attempts

  Fleet() {
    const auto pair = signing::generate_key_agreement_pair();
    const auto keys = signing::agent_session_keys(pair, pair.public_key).value();
    for (int i = 0; i < kAgents; ++i) {
      auto& member = *members.emplace_back(std::make_unique<Member>());
      const std::string name = "agent-" + std::to_string(i);
      member.client = broker.client();
      agent::UplinkIdentity identity{
          {TenantId::parse("home").value(), 0, AgentId::parse(name).value()},
          keys,
          [name]() -> Result<mqtt::Identity> {
            mqtt::Identity id;
            id.client_id = name;
            return id;
          },
          [] { return wire::Hello{}; }};
      member.uplink = std::make_unique<Uplink>(member.spool, *member.client, clock, events,
                                               std::move(identity), [this] { return random(); });
      member.uplink->start();
    }
    broker.run();
  }

  int attempts() const {
    int sum = 0;
    for (const auto& member : members) sum += member->client->connects;
    return sum;
  }
  int connected() const {
    return static_cast<int>(std::count_if(members.begin(), members.end(), [](const auto& member) {
      return member->uplink->state() == UplinkState::kGreeting;
    }));
  }
  void run(int seconds_long) {
    for (int second = 0; second < seconds_long; ++second) {
      const int before = attempts();
      for (int tick = 0; tick < 5; ++tick) {
        clock.advance(milliseconds(200));
        for (auto& member : members) member->uplink->tick();
        broker.run(1'000'000);
      }
      connects_of_second.push_back(attempts() - before);
    }
  }
  int peak() const {
    return *std::max_element(connects_of_second.begin(), connects_of_second.end());
  }
};

// Evenly spread over the first wait, with room for chance.
constexpr int kPeak = kAgents * 1000 / static_cast<int>(Uplink::kFirstWait.count()) * 13 / 10;

}  // namespace

TEST_CASE("a broker that restarts is not hit by all at once, and has them back within seconds") {
  Fleet fleet;
  REQUIRE(fleet.connected() == kAgents);
  fleet.broker.kill();
  CHECK(fleet.connected() == 0);
  fleet.run(5);
  CHECK(fleet.connected() == kAgents);
  CHECK(fleet.peak() <= kPeak);
  MESSAGE("restart: at most ", fleet.peak(), " connects in a second");
}

TEST_CASE("a broker that is away for ten minutes is not hit harder when it is back") {
  Fleet fleet;
  fleet.broker.set_reachable(false);
  fleet.broker.kill();
  fleet.run(600);
  CHECK(fleet.connected() == 0);
  // Who fails at once tries again within the next wait; later all is spread over a minute.
  const int steady =
      *std::max_element(fleet.connects_of_second.begin() + 300, fleet.connects_of_second.end());
  CHECK(fleet.peak() <= kPeak * 3 / 2);
  CHECK(steady <= 3 * kAgents / 60 * 13 / 10);
  fleet.connects_of_second.clear();
  fleet.broker.set_reachable(true);
  fleet.run(61);
  CHECK(fleet.connected() == kAgents);
  CHECK(fleet.peak() <= steady * 13 / 10);
  MESSAGE("ten minutes: at most ", fleet.peak(), " connects in a second when it is back");
}
