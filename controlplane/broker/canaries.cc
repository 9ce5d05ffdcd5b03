#include "controlplane/broker/canaries.h"

#include <random>

#include "controlplane/broker/broker_config.h"
#include "protocol/base/bounded_queue.h"

namespace observeai::controlplane {
namespace {

using std::chrono::milliseconds;
using Steady = std::chrono::steady_clock;

constexpr std::size_t kMaxPosted = 1024;  // Far more than the canaries' own handful of messages.
constexpr int kConnectAttempts = 3;
constexpr const char* kOtherAgent = "canary-other";

using Inbox = std::vector<mqtt::Message>;

struct Canary {
  std::string name;
  std::unique_ptr<mqtt::BrokerClient> client;
  std::optional<Result<void>> connected;
  std::optional<Result<void>> subscribed;
  Inbox inbox;
};

// The clients share the caller's thread as their owner; it works off what they post.
class CanaryRun {
 public:
  CanaryRun(std::string host, std::uint16_t port, const CanaryIdentities& identities,
            const MakeClient& make_client, milliseconds patience)
      : host_(std::move(host)),
        port_(port),
        identities_(identities),
        make_client_(make_client),
        end_(Steady::now() + patience),
        nonce_(std::to_string(std::random_device{}())) {}

  ~CanaryRun() {
    for (auto& canary : canaries_)
      canary->client->disconnect();  // All at once, then wait for each.
  }

  // One connection after the other: with several at one time Paho's word on a failure may belong to
  // another one, and a refusal is believed only when it is one.
  Result<void> check() {
    TRY_VOID(expect_refused("revoked", "canary-revoked", identities_.revoked));
    TRY_VOID(expect_refused("foreign", "canary-foreign", identities_.foreign));
    TRY_VOID(expect_refused("without a certificate", "canary-bare", {}));
    TRY(Canary* const watcher, expect_accepted("watcher", kCanaryWatcher, identities_.watcher));
    TRY(Canary* const good, expect_accepted("good", identities_.own_id.value(), identities_.good));
    TRY_VOID(subscribe(*watcher, up(/*agent=*/"+") + "#"));
    TRY_VOID(subscribe(*good, "#"));
    return check_delivery(*watcher, *good);
  }

 private:
  static std::string topic(const std::string& agent, const char* direction) {
    return std::string("observeai/v1/") + kCanaryTenant + "/0/" + agent + direction;
  }
  static std::string up(const std::string& agent) { return topic(agent, "/up/"); }
  static std::string down(const std::string& agent) { return topic(agent, "/down/"); }

  // Waits for the broker's answer, and asks again when the connection broke without one.
  Canary& connect(const std::string& name, const std::string& client_id,
                  const CanaryIdentity& files) {
    auto& canary = *canaries_.emplace_back(std::make_unique<Canary>());
    canary.name = name;
    canary.client =
        make_client_([this](std::function<void()> f) { posted_.try_push(std::move(f)); });
    canary.client->on_message([&canary](mqtt::Message m) { canary.inbox.push_back(std::move(m)); });
    mqtt::Identity identity;
    identity.host = host_;
    identity.port = port_;
    identity.client_id = client_id;
    identity.ca_file = identities_.server_ca_file;
    identity.certificate_file = files.certificate_file;
    identity.key_file = files.key_file;
    for (int attempt = 0; attempt < kConnectAttempts; ++attempt) {
      canary.connected.reset();
      canary.client->connect(identity,
                             [&canary](Result<void> r) { canary.connected = std::move(r); });
      if (!wait_for([&] { return canary.connected.has_value(); })) {
        canary.connected = Error(Errc::kTimeout, "the broker did not answer");
      }
      if (*canary.connected || canary.connected->error().code() != Errc::kUnavailable) break;
    }
    return canary;
  }

  template <class Condition>
  bool wait_for(Condition condition) {
    while (!condition()) {
      const auto left = std::chrono::duration_cast<milliseconds>(end_ - Steady::now());
      if (left.count() <= 0) return false;
      if (auto run = posted_.pop(left)) (*run)();
    }
    return true;
  }

  Result<Canary*> expect_accepted(const std::string& name, const std::string& client_id,
                                  const CanaryIdentity& files) {
    Canary& canary = connect(name, client_id, files);
    if (*canary.connected) return &canary;
    return Error(canary.connected->error().code(),
                 "the " + name + " canary is not let in: " + canary.connected->error().message());
  }

  // Anything but a plain no (a timeout, a broken connection) proves nothing and is a failure as
  // well.
  Result<void> expect_refused(const std::string& name, const std::string& client_id,
                              const CanaryIdentity& files) {
    Canary& canary = connect(name, client_id, files);
    if (*canary.connected)
      return Error(Errc::kDenied, "the broker lets the " + name + " canary in");
    const auto& answer = canary.connected->error();
    canary.client->disconnect();
    if (answer.code() == Errc::kDenied) return {};
    return Error(answer.code(),
                 "the " + name + " canary is not clearly refused: " + answer.message());
  }

  Result<void> subscribe(Canary& canary, const std::string& filter) {
    canary.client->subscribe({filter},
                             [&canary](Result<void> r) { canary.subscribed = std::move(r); });
    if (!wait_for([&] { return canary.subscribed.has_value(); })) {
      return Error(Errc::kTimeout, "the " + canary.name + " canary could not subscribe in time");
    }
    return *canary.subscribed;
  }

  // On each connection the forbidden message goes first: when the allowed one behind it has
  // arrived, the broker has dealt with both.
  Result<void> check_delivery(Canary& watcher, Canary& good) {
    const std::string own = identities_.own_id.value();
    TRY_VOID(good.client->publish({up(kOtherAgent) + "l0", nonce_}, nullptr));
    TRY_VOID(good.client->publish({up(own) + "l0", nonce_}, nullptr));
    TRY_VOID(watcher.client->publish({down(kOtherAgent) + "ack", nonce_}, nullptr));
    TRY_VOID(watcher.client->publish({down(own) + "ack", nonce_}, nullptr));
    const auto has = [this](const Inbox& inbox, const std::string& where) {
      return std::any_of(inbox.begin(), inbox.end(), [&](const mqtt::Message& m) {
        return m.topic == where && m.payload == nonce_;
      });
    };
    if (!wait_for([&] { return has(watcher.inbox, up(own) + "l0"); })) {
      return Error(Errc::kUnavailable, "an agent's own publish is not delivered");
    }
    if (!wait_for([&] { return has(good.inbox, down(own) + "ack"); })) {
      return Error(Errc::kUnavailable, "a message to an agent is not delivered");
    }
    if (has(watcher.inbox, up(kOtherAgent) + "l0")) {
      return Error(Errc::kDenied, "the broker lets an agent publish as another agent");
    }
    for (const auto& message : good.inbox) {
      if (message.topic.starts_with(down(own))) continue;
      return Error(Errc::kDenied,
                   "the broker shows an agent what is not its own: " + message.topic);
    }
    return {};
  }

  const std::string host_;
  const std::uint16_t port_;
  const CanaryIdentities& identities_;
  const MakeClient& make_client_;
  const Steady::time_point end_;
  const std::string nonce_;
  BoundedQueue<std::function<void()>> posted_{kMaxPosted};
  std::vector<std::unique_ptr<Canary>> canaries_;  // Last: gone before what they post to.
};

}  // namespace

Result<void> run_canaries(const std::string& host, std::uint16_t port,
                          const CanaryIdentities& identities, const MakeClient& make_client,
                          milliseconds patience) {
  return CanaryRun(host, port, identities, make_client, patience).check();
}

}  // namespace observeai::controlplane
