// The canaries against a broker in memory that can be made to say yes where it must say no.
#include <doctest/doctest.h>

#include "controlplane/broker/canaries.h"
#include "tests/support/fake_broker.h"

using namespace observeai;
using namespace observeai::controlplane;
using observeai::test::FakeBroker;

namespace {

// The fake knows no certificates: their file names stand for what a real broker makes of them.
class CertifiedClient final : public mqtt::BrokerClient {
 public:
  CertifiedClient(FakeBroker& broker, const std::set<std::string>& let_in, Post post)
      : let_in_(let_in), broker_(broker), inner_(broker.client()), post_(std::move(post)) {}

  void connect(const mqtt::Identity& identity, Done done) override {
    if (identity.certificate_file == "broken") {
      post_([done] { done(Error(Errc::kUnavailable, "connection broke")); });
      return;
    }
    if (!let_in_.contains(identity.certificate_file)) {
      post_([done] { done(Error(Errc::kDenied, "refused")); });
      return;
    }
    inner_->connect(identity, std::move(done));
    turn();
  }
  void subscribe(const std::vector<std::string>& filters, Done done) override {
    inner_->subscribe(filters, std::move(done));
    turn();
  }
  Result<void> publish(mqtt::Message message, Done done) override {
    auto sent = inner_->publish(std::move(message), std::move(done));
    turn();
    return sent;
  }
  void disconnect() override { inner_->disconnect(); }
  std::size_t in_flight() const override { return inner_->in_flight(); }
  bool connected() const override { return inner_->connected(); }
  void on_message(std::function<void(mqtt::Message)> h) override {
    inner_->on_message(std::move(h));
  }
  void on_disconnected(std::function<void(Error)> h) override {
    inner_->on_disconnected(std::move(h));
  }

 private:
  void turn() {
    post_([this] { broker_.run(); });
  }
  const std::set<std::string>& let_in_;
  FakeBroker& broker_;
  std::unique_ptr<test::FakeBrokerClient> inner_;
  Post post_;
};

struct Yard {
  FakeBroker broker;
  std::set<std::string> let_in{"good", "watcher"};
  CanaryIdentities identities{AgentId::parse("canary-1").value(),
                              {"good", "k"},
                              {"revoked", "k"},
                              {"foreign", "k"},
                              {"watcher", "k"},
                              "ca"};

  Result<void> run() {
    const auto make = [this](mqtt::BrokerClient::Post post) {
      return std::make_unique<CertifiedClient>(broker, let_in, std::move(post));
    };
    return run_canaries("localhost", 1, identities, make, std::chrono::milliseconds(200));
  }
};

void check_fails(Yard& yard, Errc code, const std::string& words) {
  const auto result = yard.run();
  REQUIRE(!result.has_value());
  CHECK(result.error().code() == code);
  CHECK_MESSAGE(result.error().message().find(words) != std::string::npos,
                result.error().message());
}

}  // namespace

TEST_CASE("a broker that does as it should passes") {
  Yard yard;
  const auto result = yard.run();
  CHECK_MESSAGE(result.has_value(), (result ? "" : result.error().message()));
  CHECK(yard.broker.denied == 1);  // The canary's publish as another agent
}

TEST_CASE("who gets in that must not is named") {
  Yard yard;
  SUBCASE("revoked") {
    yard.let_in.insert("revoked");
    check_fails(yard, Errc::kDenied, "revoked canary in");
  }
  SUBCASE("foreign CA") {
    yard.let_in.insert("foreign");
    check_fails(yard, Errc::kDenied, "foreign canary in");
  }
  SUBCASE("no certificate") {
    yard.let_in.insert("");
    check_fails(yard, Errc::kDenied, "without a certificate canary in");
  }
}

TEST_CASE("a connection that breaks is not a refusal") {
  Yard yard;
  yard.identities.revoked.certificate_file = "broken";
  check_fails(yard, Errc::kUnavailable, "revoked canary is not clearly refused");
}

TEST_CASE("who must get in and does not is named") {
  Yard yard;
  SUBCASE("agent") {
    yard.let_in.erase("good");
    check_fails(yard, Errc::kDenied, "good canary is not let in");
  }
  SUBCASE("control plane") {
    yard.let_in.erase("watcher");
    check_fails(yard, Errc::kDenied, "watcher canary is not let in");
  }
}

TEST_CASE("lost and misdirected messages are noticed") {
  Yard yard;
  SUBCASE("up is not delivered") {
    yard.broker.faults.drop_if = [](const mqtt::Message& m) {
      return m.topic.find("canary-1/up/") != std::string::npos;
    };
    check_fails(yard, Errc::kUnavailable, "own publish is not delivered");
  }
  SUBCASE("down is not delivered") {
    yard.broker.faults.drop_if = [](const mqtt::Message& m) {
      return m.topic.find("canary-1/down/") != std::string::npos;
    };
    check_fails(yard, Errc::kUnavailable, "to an agent is not delivered");
  }
  SUBCASE("an agent sees what is another's") {
    yard.broker.faults.drop_if = [&](const mqtt::Message& m) {
      if (m.topic.find("canary-other/down/") != std::string::npos) yard.broker.inject(m);
      return false;
    };
    check_fails(yard, Errc::kDenied, "shows an agent what is not its own");
  }
}
