// A broker in memory, as hostile as a test wants: it keeps the topic rules of the real one (an
// agent writes below its own up/ and reads below its own down/; "cp-..." reads all up/ and writes
// all down/) and loses, doubles and reorders what it is told to, always with a PUBACK.
//
// One thread: everything waits until run() works it off, in an order given by the seed alone.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "protocol/base/text.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::test {

class FakeBrokerClient;

class FakeBroker {
 public:
  struct Faults {
    double drop = 0;  // Of messages that pass, by share
    double duplicate = 0;
    double reorder = 0;   // Goes behind what waits
    bool confirm = true;  // PUBACKs are sent
    // Neither passed on nor confirmed when true.
    std::function<bool(const mqtt::Message&)> swallow_if;
    // Decides alone when set: true = drop.
    std::function<bool(const mqtt::Message&)> drop_if;
  };

  explicit FakeBroker(std::uint64_t seed = 1) : random_(seed) {}

  Faults faults;
  std::uint64_t passed = 0, dropped = 0, denied = 0;

  void set_reachable(bool reachable) { reachable_ = reachable; }
  void refuse(const std::string& client_id) { refused_.insert(client_id); }
  inline void kill();  // All connections are lost; what it held is gone.
  // A broker that invents: delivers to whoever is subscribed, past all rules.
  inline void inject(const mqtt::Message& message);

  // Works off what waits, including what that brings; at most `limit` steps.
  std::size_t run(std::size_t limit = 100'000) {
    std::size_t steps = 0;
    while (!waiting_.empty() && steps < limit) {
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      next();
      ++steps;
    }
    return steps;
  }
  std::unique_ptr<FakeBrokerClient> client();

 private:
  friend class FakeBrokerClient;

  bool chance(double share) {
    return share > 0 && std::uniform_real_distribution<>(0, 1)(random_) < share;
  }
  void later(std::function<void()> f) { waiting_.push_back(std::move(f)); }
  inline void accept(const std::string& from, const mqtt::Message& message);

  static std::vector<std::string_view> levels(const std::string& topic) {
    return text::split(topic, '/');
  }
  static bool matches(const std::string& filter, const std::string& topic) {
    const auto f = levels(filter);
    const auto t = levels(topic);
    for (std::size_t i = 0; i < f.size(); ++i) {
      if (f[i] == "#") return true;
      if (i >= t.size() || (f[i] != "+" && f[i] != t[i])) return false;
    }
    return f.size() == t.size();
  }
  // observeai/v1/<tenant>/<shard>/<agent>/<up|down>/...
  static bool allowed(const std::string& name, const std::string& topic, bool write) {
    const auto t = levels(topic);
    if (t.size() < 7 || t[0] != "observeai" || t[1] != "v1") return false;
    const bool controlplane = name.starts_with("cp-");
    const bool up = t[5] == "up";
    if (controlplane) return up != write;
    return t[4] == name && up == write;
  }

  std::mt19937_64 random_;
  bool reachable_ = true;
  std::set<std::string> refused_;
  std::deque<std::function<void()>> waiting_;
  std::set<FakeBrokerClient*> clients_;
};

// Honours the contract of BrokerClient, with the broker's run() as the posting thread.
class FakeBrokerClient final : public mqtt::BrokerClient {
 public:
  explicit FakeBrokerClient(FakeBroker& broker) : broker_(broker) { broker_.clients_.insert(this); }
  ~FakeBrokerClient() override {
    broker_.clients_.erase(this);
    *alive_ = 0;
  }

  void connect(const mqtt::Identity& identity, Done done) override {
    forget();
    identity_ = identity;
    ++connects;
    later([this, done = std::move(done)] {
      if (!broker_.reachable_) return done(Error(Errc::kUnavailable, "broker cannot be reached"));
      if (broker_.refused_.contains(identity_.client_id)) {
        return done(Error(Errc::kDenied, "broker refuses this client"));
      }
      for (auto* other : broker_.clients_) {
        if (other != this && other->connected_ &&
            other->identity_.client_id == identity_.client_id) {
          other->lose("taken over");
        }
      }
      connected_ = true;
      done({});
    });
  }
  void subscribe(const std::vector<std::string>& filters, Done done) override {
    later([this, filters, done = std::move(done)] {
      if (!connected_) return done(Error(Errc::kUnavailable, "not connected"));
      filters_.insert(filters_.end(), filters.begin(), filters.end());
      done({});
    });
  }
  Result<void> publish(mqtt::Message message, Done done) override {
    if (!connected_) return Error(Errc::kUnavailable, "not connected");
    if (open_.size() >= mqtt::kMaxInFlight) return Error(Errc::kLimit, "window is full");
    const auto id = ++next_id_;
    open_.emplace(id, std::move(done));
    later([this, id, message = std::move(message)] {
      if (broker_.faults.swallow_if && broker_.faults.swallow_if(message)) return;
      broker_.accept(identity_.client_id, message);
      if (!broker_.faults.confirm) return;
      const auto found = open_.find(id);
      if (found == open_.end()) return;
      auto confirmed = std::move(found->second);
      open_.erase(found);
      if (confirmed) confirmed({});
    });
    return {};
  }
  void disconnect() override { forget(); }
  std::size_t in_flight() const override { return open_.size(); }
  bool connected() const override { return connected_; }
  void on_message(std::function<void(mqtt::Message)> handler) override {
    message_ = std::move(handler);
  }
  void on_disconnected(std::function<void(Error)> handler) override { lost_ = std::move(handler); }

  const mqtt::Identity& identity() const { return identity_; }
  int connects = 0;

 private:
  friend class FakeBroker;

  void forget() {
    ++*alive_;  // What was on its way belongs to the past.
    connected_ = false;
    filters_.clear();
    open_.clear();
  }
  // Runs `f` only if the connection has not changed until then.
  void later(std::function<void()> f) {
    broker_.later([alive = alive_, mine = *alive_, f = std::move(f)] {
      if (*alive == mine) f();
    });
  }
  void lose(const std::string& why) {
    if (!connected_) return;
    auto open = std::exchange(open_, {});
    forget();
    const auto mine = *alive_;
    const auto alive = alive_;
    const Error error(Errc::kUnavailable, "connection to the broker was lost: " + why);
    for (auto& [id, done] : open) {
      if (done && *alive == mine) done(Result<void>(error));
    }
    if (*alive == mine && lost_) lost_(error);
  }
  void deliver(const mqtt::Message& message) {
    later([this, message] {
      const auto handler = message_;
      if (connected_ && handler) handler(message);
    });
  }

  FakeBroker& broker_;
  mqtt::Identity identity_;
  bool connected_ = false;
  std::vector<std::string> filters_;
  std::uint64_t next_id_ = 0;
  std::map<std::uint64_t, Done> open_;
  std::function<void(mqtt::Message)> message_;
  std::function<void(Error)> lost_;
  std::shared_ptr<std::uint64_t> alive_ = std::make_shared<std::uint64_t>(1);
};

inline std::unique_ptr<FakeBrokerClient> FakeBroker::client() {
  return std::make_unique<FakeBrokerClient>(*this);
}

inline void FakeBroker::kill() {
  waiting_.clear();
  for (auto* client : std::set<FakeBrokerClient*>(clients_)) client->lose("broker died");
}

inline void FakeBroker::inject(const mqtt::Message& message) {
  for (auto* client : clients_) {
    for (const auto& filter : client->filters_) {
      if (client->connected_ && matches(filter, message.topic)) {
        client->deliver(message);
        break;
      }
    }
  }
}

inline void FakeBroker::accept(const std::string& from, const mqtt::Message& message) {
  if (!allowed(from, message.topic, true)) {
    ++denied;
    return;
  }
  const bool drop = faults.drop_if ? faults.drop_if(message) : chance(faults.drop);
  if (drop) {
    ++dropped;
    return;
  }
  ++passed;
  const int copies = chance(faults.duplicate) ? 2 : 1;
  for (auto* client : clients_) {
    if (!client->connected_ || !allowed(client->identity_.client_id, message.topic, false))
      continue;
    const bool wanted =
        std::any_of(client->filters_.begin(), client->filters_.end(),
                    [&](const std::string& f) { return matches(f, message.topic); });
    if (!wanted) continue;
    for (int i = 0; i < copies; ++i) {
      if (chance(faults.reorder)) {
        client->later([client, message] { client->deliver(message); });
      } else {
        client->deliver(message);
      }
    }
  }
}

}  // namespace observeai::test
