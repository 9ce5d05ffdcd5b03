// PahoBrokerClient against a real mosquitto with mutual TLS.
#include <signal.h>

#include <doctest/doctest.h>

#include "tests/support/test_broker.h"

using namespace observeai;
using namespace observeai::test;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

struct Site {
  TestInstallation installation;
  CertificateFiles agent = installation.agents.issue_client("agent-1");
  CertificateFiles ingest = installation.services.issue_client("cp-ingest-0");
  std::unique_ptr<TestBroker> broker;
  PostedWork work;

  void start() { broker = installation.start_broker(); }
  std::unique_ptr<mqtt::BrokerClient> client() { return mqtt::make_paho_client(work.post()); }
  mqtt::Identity agent_identity() const { return installation.identity("agent-1", agent); }
  mqtt::Identity ingest_identity() const { return installation.identity("cp-ingest-0", ingest); }

  Result<void> connect(mqtt::BrokerClient& client, const mqtt::Identity& identity) {
    std::optional<Result<void>> answer;
    client.connect(identity, [&](Result<void> r) { answer = std::move(r); });
    REQUIRE(work.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
  Result<void> subscribe(mqtt::BrokerClient& client, const std::vector<std::string>& filters) {
    std::optional<Result<void>> answer;
    client.subscribe(filters, [&](Result<void> r) { answer = std::move(r); });
    REQUIRE(work.run_until([&] { return answer.has_value(); }));
    return *answer;
  }
};

void check_refused(Site& site, const mqtt::Identity& identity, Errc code,
                   const std::string& words) {
  const auto client = site.client();
  const auto answer = site.connect(*client, identity);
  REQUIRE(!answer.has_value());
  CHECK(answer.error().code() == code);
  CHECK_MESSAGE(answer.error().message().find(words) != std::string::npos,
                answer.error().message());
  CHECK(!client->connected());
}

constexpr const char* kUpTopic = "observeai/v1/home/0/agent-1/up/l0";

}  // namespace

TEST_CASE("messages pass in both directions, and 5,000 through the window") {
  Site site;
  site.start();
  const auto ingest = site.client();
  const auto agent = site.client();
  std::vector<std::uint8_t> seen(5000);
  std::size_t arrived = 0;
  ingest->on_message([&](mqtt::Message m) {
    REQUIRE(m.topic == kUpTopic);
    ++seen.at(std::stoul(m.payload));
    ++arrived;
  });
  std::string down;
  agent->on_message([&](mqtt::Message m) { down = m.payload; });
  REQUIRE(site.connect(*ingest, site.ingest_identity()));
  REQUIRE(site.connect(*agent, site.agent_identity()));
  REQUIRE(site.subscribe(*ingest, {"observeai/v1/+/+/+/up/#"}));
  REQUIRE(site.subscribe(*agent, {"observeai/v1/home/0/agent-1/down/#"}));

  const std::string zero_inside("a\0b", 3);
  REQUIRE(ingest->publish({"observeai/v1/home/0/agent-1/down/ack", zero_inside}, nullptr));
  CHECK(site.work.run_until([&] { return down == zero_inside; }));

  std::size_t next = 0;
  std::size_t acknowledged = 0;
  std::size_t refused = 0;
  std::size_t most_open = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto fill = [&] {
    while (next < seen.size()) {
      const auto sent =
          agent->publish({kUpTopic, std::to_string(next)},
                         [&](const Result<void>& r) { acknowledged += r.has_value(); });
      if (!sent) {
        CHECK(sent.error().code() == Errc::kLimit);
        ++refused;
        break;
      }
      ++next;
      most_open = std::max(most_open, agent->in_flight());
    }
  };
  CHECK(site.work.run_until(
      [&] {
        fill();
        return acknowledged == seen.size() && arrived >= seen.size();
      },
      seconds(60)));
  MESSAGE(
      "5,000 messages in "
      << std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start).count()
      << " ms");
  CHECK(most_open == mqtt::kMaxInFlight);
  CHECK(refused > 0);
  CHECK(std::count(seen.begin(), seen.end(), 1) == 5000);
  CHECK(ingest->dropped_messages() == 0);
}

TEST_CASE("a broker that is not ours is refused, and the message says why") {
  Site site;
  SUBCASE("certificate of another CA") {
    site.start();
    auto identity = site.agent_identity();
    identity.ca_file = site.installation.stranger.certificate_file();
    check_refused(site, identity, Errc::kDenied, "not signed by the expected CA");
  }
  SUBCASE("right CA, other host") {
    site.installation.broker = site.installation.services.issue_server("DNS:other.example");
    site.start();
    check_refused(site, site.agent_identity(), Errc::kDenied, "for another name");
  }
  SUBCASE("an agent's certificate of the trusted CA as a server certificate") {
    site.installation.broker = site.installation.services.issue_client("agent-9");
    site.start();
    check_refused(site, site.agent_identity(), Errc::kDenied, "not meant for a server");
  }
}

TEST_CASE("a client that is not one of ours is refused, and the message says so") {
  Site site;
  SUBCASE("revoked") {
    site.installation.agents.revoke(site.agent);
    site.start();
    check_refused(site, site.agent_identity(), Errc::kDenied, "certificate");
  }
  SUBCASE("of another CA") {
    site.agent = site.installation.stranger.issue_client("agent-1");
    site.start();
    check_refused(site, site.agent_identity(), Errc::kDenied, "certificate");
  }
  SUBCASE("without a certificate") {
    site.agent = {};
    site.start();
    check_refused(site, site.agent_identity(), Errc::kDenied, "certificate");
  }
}

TEST_CASE("what cannot be reached is not called refused") {
  Site site;
  check_refused(site, site.agent_identity(), Errc::kUnavailable, "cannot be reached");
  auto nowhere = site.agent_identity();
  nowhere.host = "no-such-host.invalid";
  check_refused(site, nowhere, Errc::kUnavailable, "cannot be reached");
  auto missing = site.agent_identity();
  missing.key_file = site.installation.directory / "missing.key";
  check_refused(site, missing, Errc::kNotFound, "missing.key");
  auto blind = site.agent_identity();
  blind.ca_file.clear();
  check_refused(site, blind, Errc::kInvalid, "no CA file");
}

TEST_CASE("a broker that dies is reported once, and a new connection works") {
  Site site;
  site.start();
  const auto client = site.client();
  int lost = 0;
  int failed = 0;
  std::string order;
  client->on_disconnected([&](const Error& e) {
    ++lost;
    order += "L";
    CHECK(e.code() == Errc::kUnavailable);
    CHECK(client->in_flight() == 0);
  });
  REQUIRE(site.connect(*client, site.agent_identity()));
  ::kill(site.broker->pid(), SIGSTOP);  // So that the publish stays open.
  REQUIRE(client->publish({kUpTopic, "x"}, [&](const Result<void>& r) {
    failed += !r.has_value();
    order += "p";
  }));
  ::kill(site.broker->pid(), SIGKILL);
  CHECK(site.work.run_until([&] { return lost > 0; }));
  CHECK(order == "pL");
  CHECK(failed == 1);
  CHECK(!client->connected());
  const auto refused = client->publish({kUpTopic, "x"}, nullptr);
  REQUIRE(!refused.has_value());
  CHECK(refused.error().code() == Errc::kUnavailable);

  site.start();
  REQUIRE(site.connect(*client, site.agent_identity()));
  std::optional<Result<void>> done;
  REQUIRE(client->publish({kUpTopic, "y"}, [&](Result<void> r) { done = std::move(r); }));
  CHECK(site.work.run_until([&] { return done.has_value(); }));
  CHECK(done->has_value());
  CHECK(lost == 1);
}

TEST_CASE("a second connection of the same identity takes over from the first") {
  Site site;
  site.start();
  const auto first = site.client();
  const auto second = site.client();
  int lost = 0;
  first->on_disconnected([&](const Error&) { ++lost; });
  REQUIRE(site.connect(*first, site.agent_identity()));
  REQUIRE(site.connect(*second, site.agent_identity()));
  CHECK(site.work.run_until([&] { return lost == 1; }));
  CHECK(second->connected());
}

TEST_CASE("an agent's '#' shows it nothing of others, whatever client id it names") {
  Site site;
  site.start();
  const auto spy = site.client();
  const auto agent = site.client();
  const auto ingest = site.client();
  std::vector<std::string> seen;
  spy->on_message([&](const mqtt::Message& m) { seen.push_back(m.topic); });
  bool at_ingest = false;
  ingest->on_message([&](const mqtt::Message&) { at_ingest = true; });
  const auto spy_certificate = site.installation.agents.issue_client("agent-2");
  // Claims the other agent's client id: the certificate's name counts, so nobody is pushed out.
  REQUIRE(site.connect(*agent, site.agent_identity()));
  REQUIRE(site.connect(*spy, site.installation.identity("agent-1", spy_certificate)));
  REQUIRE(site.connect(*ingest, site.ingest_identity()));
  REQUIRE(site.subscribe(*spy, {"#", "observeai/v1/home/0/agent-1/down/#"}));
  REQUIRE(site.subscribe(*ingest, {"observeai/v1/+/+/+/up/#"}));
  REQUIRE(agent->publish({kUpTopic, "secret"}, nullptr));
  REQUIRE(ingest->publish({"observeai/v1/home/0/agent-1/down/ack", "secret"}, nullptr));
  REQUIRE(ingest->publish({"observeai/v1/home/0/agent-2/down/ack", "fence"}, nullptr));
  CHECK(site.work.run_until([&] { return at_ingest && !seen.empty(); }));
  CHECK(seen == std::vector<std::string>(seen.size(), "observeai/v1/home/0/agent-2/down/ack"));
  CHECK(agent->connected());
}

TEST_CASE("no handler runs after disconnect, nor after destruction, during traffic") {
  mqtt::enable_prompt_connects();
  Site site;
  site.start();
  const auto feeder = site.client();
  REQUIRE(site.connect(*feeder, site.ingest_identity()));
  bool feeding = true;
  const auto feed = [&] {
    while (feeding && feeder->connected()) {
      if (!feeder->publish({"observeai/v1/home/0/agent-1/down/ack", std::string(1000, 'x')},
                           nullptr))
        break;
    }
  };
  constexpr int kRounds = 50;
  int events_after = 0;
  int received = 0;
  for (int round = 0; round < kRounds; ++round) {
    auto gone = std::make_shared<bool>(false);
    auto agent = site.client();
    agent->on_message([&, gone](const mqtt::Message&) {
      ++received;
      events_after += *gone;
    });
    agent->on_disconnected([&, gone](const Error&) { events_after += *gone; });
    REQUIRE(site.connect(*agent, site.agent_identity()));
    REQUIRE(site.subscribe(*agent, {"observeai/v1/home/0/agent-1/down/#"}));
    const int before = received;
    const auto flood = [&] {
      feed();
      while (agent->publish({kUpTopic, "x"},
                            [&, gone](const Result<void>&) { events_after += *gone; })) {
      }
      return received > before + 20;
    };
    CHECK(site.work.run_until(flood));
    *gone = true;
    if (round % 2 == 0) agent->disconnect();
    agent.reset();
  }
  feeding = false;
  site.work.run_for(milliseconds(300));
  CHECK(events_after == 0);
  CHECK(received > 50 * 20);
}

TEST_CASE("prompt connects are prompt, also beside idle connections") {
  mqtt::enable_prompt_connects();
  Site site;
  site.start();
  const auto idle = site.client();
  REQUIRE(site.connect(*idle, site.ingest_identity()));
  for (int i = 0; i < 10; ++i) {
    const auto client = site.client();
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(site.connect(*client, site.agent_identity()));
    CHECK(std::chrono::steady_clock::now() - start < milliseconds(500));
  }
}

TEST_CASE("a client may be destroyed inside its own handlers and while it connects") {
  Site site;
  site.start();
  auto client = site.client();
  bool inside = false;
  client->connect(site.agent_identity(), [&](const Result<void>&) {
    client.reset();
    inside = true;
  });
  CHECK(site.work.run_until([&] { return inside; }));
  for (int i = 0; i < 5; ++i) {
    auto hasty = site.client();
    hasty->connect(site.agent_identity(),
                   [&](const Result<void>&) { FAIL("ran after destruction"); });
  }
  site.work.run_for(milliseconds(200));
}
