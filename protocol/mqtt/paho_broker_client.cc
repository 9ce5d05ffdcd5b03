#include <deque>

#include "protocol/mqtt/broker_client.h"
#include "protocol/mqtt/paho_process.h"
#include "protocol/mqtt/paho_session.h"
#include "protocol/mqtt/worker.h"

namespace observeai::mqtt {
namespace {

// State of the owner's thread. Sessions hold it weakly and bring the generation that they belong
// to, so that what a retired one still had posted is dropped.
struct Core {
  enum class State { kIdle, kConnecting, kConnected };

  State state = State::kIdle;
  std::uint64_t generation = 0;
  std::shared_ptr<PahoSession> session;
  BrokerClient::Done connect_done;
  BrokerClient::Done subscribe_done;
  std::size_t subscriptions_open = 0;
  std::uint64_t next_publish = 1;
  std::size_t window = kMaxInFlight;
  std::map<std::uint64_t, BrokerClient::Done> publishes;
  std::function<void(Message)> message_handler;
  std::function<void(Error)> disconnected_handler;
  std::function<void(std::shared_ptr<PahoSession>)> close;  // Hands a session to the worker.
};

// Every handler may call back into the client, even destroy it: state first, then the call.
void retire(Core& core) {
  ++core.generation;
  core.state = Core::State::kIdle;
  core.connect_done = nullptr;
  core.subscribe_done = nullptr;
  core.publishes.clear();
  if (!core.session) return;
  core.session->mute();
  core.close(std::exchange(core.session, nullptr));
}

void call(BrokerClient::Done done, Result<void> result) {
  if (done) done(std::move(result));
}

void on_connected(Core& core, Result<void> result) {
  auto done = std::exchange(core.connect_done, nullptr);
  if (result) {
    core.state = Core::State::kConnected;
  } else {
    retire(core);
  }
  call(std::move(done), std::move(result));
}

void on_subscribed(Core& core, Result<void> result) {
  if (!core.subscribe_done) return;
  if (result && --core.subscriptions_open > 0) return;
  call(std::exchange(core.subscribe_done, nullptr), std::move(result));
}

void on_published(Core& core, std::uint64_t id, Result<void> result) {
  const auto found = core.publishes.find(id);
  if (found == core.publishes.end()) return;
  auto done = std::move(found->second);
  core.publishes.erase(found);
  call(std::move(done), std::move(result));
}

void on_lost(Core& core, const Error& error) {
  const bool connecting = core.state == Core::State::kConnecting;
  auto connect_done = std::exchange(core.connect_done, nullptr);
  auto subscribe_done = std::exchange(core.subscribe_done, nullptr);
  auto publishes = std::exchange(core.publishes, {});
  auto handler = core.disconnected_handler;
  retire(core);
  const auto generation = core.generation;
  const auto still_ours = [&] { return core.generation == generation; };
  if (connecting) return call(std::move(connect_done), Result<void>(error));
  if (subscribe_done) call(std::move(subscribe_done), Result<void>(error));
  for (auto& [id, done] : publishes) {
    if (!still_ours()) return;
    call(std::move(done), Result<void>(error));
  }
  if (still_ours() && handler) handler(error);
}

class PahoBrokerClient final : public BrokerClient {
 public:
  explicit PahoBrokerClient(Post post) : post_(std::move(post)) {
    core_->close = [this](std::shared_ptr<PahoSession> session) {
      worker_.run([session = std::move(session)] { session->finish(); });
    };
  }

  ~PahoBrokerClient() override {
    retire(*core_);
    core_->message_handler = nullptr;
    core_->disconnected_handler = nullptr;
  }

  void connect(const Identity& identity, Done done) override {
    retire(*core_);
    core_->state = Core::State::kConnecting;
    core_->connect_done = std::move(done);
    core_->window = std::min(identity.window, kMaxInFlightOfService);
    core_->session = std::make_shared<PahoSession>(identity, post_, events(), meter_);
    worker_.run([session = core_->session] { session->start(); });
  }

  void subscribe(const std::vector<std::string>& filters, Done done) override {
    if (!connected() || filters.empty()) {
      post_([done = std::move(done), ok = connected()] {
        call(done, ok ? Result<void>() : Result<void>(not_connected()));
      });
      return;
    }
    core_->subscribe_done = std::move(done);
    core_->subscriptions_open = filters.size();
    core_->session->subscribe(filters);
  }

  Result<void> publish(Message message, Done done) override {
    if (!connected()) return not_connected();
    if (core_->publishes.size() >= core_->window) {
      return Error(Errc::kLimit, "the window of open publishes is full");
    }
    const auto id = core_->next_publish++;
    core_->publishes.emplace(id, std::move(done));
    auto sent = core_->session->publish(id, std::move(message));
    if (!sent) core_->publishes.erase(id);
    return sent;
  }

  void disconnect() override { retire(*core_); }
  std::size_t in_flight() const override { return core_->publishes.size(); }
  bool connected() const override { return core_->state == Core::State::kConnected; }
  std::uint64_t dropped_messages() const override { return meter_->dropped; }

  void on_message(std::function<void(Message)> handler) override {
    core_->message_handler = std::move(handler);
  }
  void on_disconnected(std::function<void(Error)> handler) override {
    core_->disconnected_handler = std::move(handler);
  }

 private:
  static Error not_connected() { return Error(Errc::kUnavailable, "not connected to the broker"); }

  SessionEvents events() {
    const auto guarded = [weak = std::weak_ptr<Core>(core_),
                          generation = core_->generation](auto run) {
      return [weak, generation, run](auto&&... args) {
        const auto core = weak.lock();
        if (core && core->generation == generation)
          run(*core, std::forward<decltype(args)>(args)...);
      };
    };
    SessionEvents events;
    events.connected = guarded([](Core& c, Result<void> r) { on_connected(c, std::move(r)); });
    events.subscribed = guarded([](Core& c, Result<void> r) { on_subscribed(c, std::move(r)); });
    events.published = guarded(
        [](Core& c, std::uint64_t id, Result<void> r) { on_published(c, id, std::move(r)); });
    events.message = guarded([](Core& c, Message message) {
      const auto handler = c.message_handler;
      if (handler) handler(std::move(message));
    });
    events.lost = guarded([](Core& c, const Error& error) { on_lost(c, error); });
    return events;
  }

  const Post post_;
  const std::shared_ptr<InboundMeter> meter_ = std::make_shared<InboundMeter>();
  const std::shared_ptr<Core> core_ = std::make_shared<Core>();
  Worker worker_;  // Last: its jobs end before the rest goes.
};

}  // namespace

std::unique_ptr<BrokerClient> make_paho_client(BrokerClient::Post post) {
  return std::make_unique<PahoBrokerClient>(std::move(post));
}

void enable_prompt_connects() {
  PahoProcess::instance().enable_prompt_connects();
}

}  // namespace observeai::mqtt
