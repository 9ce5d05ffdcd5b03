#include "controlplane/ingest/ingest_service.h"

#include <doctest/doctest.h>

#include <future>

#include "tests/support/memory_repositories.h"

using namespace observeai;
using namespace observeai::controlplane;

namespace {

// A broker that is there at once and hands over whatever a test pushes.
class PushedClient final : public mqtt::BrokerClient {
 public:
  explicit PushedClient(Post post) : post_(std::move(post)) {}
  void connect(const mqtt::Identity&, Done done) override {
    post_([this, done] {
      connected_ = true;
      done({});
    });
  }
  void subscribe(const std::vector<std::string>&, Done done) override {
    post_([done] { done({}); });
  }
  Result<void> publish(mqtt::Message message, Done) override {
    published.push_back(message.payload);
    return {};
  }
  void disconnect() override { connected_ = false; }
  std::size_t in_flight() const override { return busy ? mqtt::kMaxInFlightOfService : 0; }
  bool connected() const override { return connected_; }
  void on_message(std::function<void(mqtt::Message)> handler) override {
    handler_ = std::move(handler);
  }
  void on_disconnected(std::function<void(Error)>) override {}

  std::atomic<bool> busy = false;      // Its window is full
  std::vector<std::string> published;  // On the service's thread

  // In a turn of the service's thread.
  void run(const std::function<void()>& task) {
    std::promise<void> done;
    post_([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  // All of them in one turn of the service's thread: it cannot work any off meanwhile.
  void push(std::size_t count, std::size_t bytes) {
    std::promise<void> done;
    post_([&] {
      for (std::size_t i = 0; i < count; ++i) handler_({"nobody's", std::string(bytes, 'x')});
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  Post post_;
  bool connected_ = false;
  std::function<void(mqtt::Message)> handler_;
};

class NoWriter final : public model::TelemetryWriter {
 public:
  Result<model::CommitOutcome> commit(const wire::Batch&) override { return refused(); }
  Result<std::vector<Result<model::CommitOutcome>>> commit_all(
      const std::vector<wire::Batch>&) override {
    return refused();
  }
  Result<void> give_up(const wire::Batch&) override { return refused(); }
  Result<model::LaneCursors> cursors(const AgentId&, const Epoch&) override { return refused(); }
  Result<model::SpoolComparison> compare(const wire::Hello&) override { return refused(); }
  Result<std::string> inventory_digest(const AgentId&) override { return refused(); }
  Result<std::uint64_t> series_known(const AgentId&, const Epoch&) override { return refused(); }
  void on_committed(std::function<void(const model::Committed&)>) override {}

 private:
  static Error refused() { return Error(Errc::kUnavailable, "no store"); }
};

struct Fixture {
  SystemClock clock;
  test::MemoryAgentRegistry registry;
  test::MemoryAlertRepository alerts;
  NoWriter writer;
  PushedClient* client = nullptr;
  IngestService service{
      std::make_unique<IngestPipeline>(registry, writer, alerts, clock,
                                       signing::generate_key_agreement_pair(), IngestLimits()),
      [this](mqtt::BrokerClient::Post post) {
        auto made = std::make_unique<PushedClient>(std::move(post));
        client = made.get();
        return made;
      },
      [] { return mqtt::Identity(); }, clock};

  // What has arrived when everything pushed so far is processed or dropped.
  IngestStatus settled(std::uint64_t messages) {
    for (;;) {
      const auto status = service.status();
      if (status.counters.messages + status.overflowed >= messages) return status;
      std::this_thread::yield();
    }
  }
};

}  // namespace

TEST_CASE("a broker that pushes more messages than fit loses what is beyond, and it is counted") {
  Fixture f;
  constexpr std::size_t kPushed = IngestService::kMaxQueuedMessages + 100;
  f.client->push(kPushed, 10);
  const auto status = f.settled(kPushed);
  CHECK(status.overflowed == 100);
  CHECK(status.counters.messages == IngestService::kMaxQueuedMessages);
}

TEST_CASE("a broker that pushes more bytes than fit loses what is beyond, and it is counted") {
  Fixture f;
  constexpr std::size_t kBytes = 1U << 20;
  constexpr std::size_t kFit = IngestService::kMaxQueuedBytes / kBytes;
  f.client->push(kFit + 3, kBytes);
  auto status = f.settled(kFit + 3);
  CHECK(status.overflowed == 3);
  CHECK(status.counters.bytes_received == IngestService::kMaxQueuedBytes);
  // The room comes back.
  f.client->push(kFit, kBytes);
  status = f.settled(2 * kFit + 3);
  CHECK(status.overflowed == 3);
}

TEST_CASE(
    "what others send goes out in order as the window allows; beyond the limit the oldest is "
    "lost") {
  Fixture f;
  f.client->busy = true;
  for (std::size_t i = 0; i < IngestService::kMaxOutgoing + 2; ++i)
    f.service.send({"topic", std::to_string(i)});
  CHECK(f.service.status().outgoing_dropped == 2);
  f.client->busy = false;
  std::vector<std::string> published;
  while (published.size() < IngestService::kMaxOutgoing) {
    std::this_thread::yield();
    f.client->run([&] { published = f.client->published; });
  }
  CHECK(published.front() == "2");
  CHECK(published.back() == std::to_string(IngestService::kMaxOutgoing + 1));
}
