#include "controlplane/ingest/ingest_service.h"

#include <future>
#include <random>

#include "protocol/base/log.h"

namespace observeai::controlplane {
namespace {

constexpr std::chrono::milliseconds kFirstRetry(
    100);  // A guarded apply restarts the broker: be back fast
constexpr std::chrono::milliseconds kMostRetry(5'000);
constexpr std::chrono::milliseconds kIdle(200);
constexpr std::size_t kWindow = mqtt::kMaxInFlightOfService;

}  // namespace

IngestService::IngestService(std::unique_ptr<IngestPipeline> pipeline, MakeClient make_client,
                             std::function<mqtt::Identity()> identity, const Clock& clock)
    : pipeline_(std::move(pipeline)),
      identity_(std::move(identity)),
      clock_(clock),
      backoff_(kFirstRetry, kMostRetry) {
  client_ = make_client([this](std::function<void()> task) { post(std::move(task)); });
  client_->on_message([this](mqtt::Message message) { take_in(std::move(message)); });
  client_->on_disconnected([this](const Error& error) { connection_failed(error.message()); });
  thread_ = std::thread([this] { run(); });
}

IngestService::~IngestService() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
  client_.reset();  // Its threads may still post: before the queue they post to is gone.
}

void IngestService::forget(const AgentId& agent) {
  std::promise<void> done;
  post([this, &agent, &done] {
    pipeline_->forget(agent);
    done.set_value();
  });
  done.get_future().wait();
}

IngestStatus IngestService::status() {
  MutexLock lock(mutex_);
  return status_;
}

void IngestService::post(std::function<void()> task) {
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_.notify_one();
}

// Runs what was posted; false when it is time to stop.
bool IngestService::run_tasks() {
  std::vector<std::function<void()>> tasks;
  {
    MutexLock lock(mutex_);
    // What waits for room in the window waits for a PUBACK, which is a task.
    const bool may_send = !outgoing_.empty() && !sending_is_held_up_;
    if (tasks_.empty() && incoming_.empty() && !stopping_ && !may_send)
      wake_.wait_for(mutex_, kIdle);
    if (stopping_ && tasks_.empty()) return false;
    tasks.swap(tasks_);
  }
  for (auto& task : tasks) task();
  return true;
}

void IngestService::take_in(mqtt::Message message) {
  if (incoming_.size() < kMaxQueuedMessages &&
      incoming_bytes_ + message.payload.size() <= kMaxQueuedBytes) {
    incoming_bytes_ += message.payload.size();
    incoming_.push_back(std::move(message));
    return;
  }
  MutexLock lock(mutex_);
  ++status_.overflowed;
}

std::vector<mqtt::Message> IngestService::next_group() {
  std::vector<mqtt::Message> group;
  for (std::size_t bytes = 0;
       !incoming_.empty() && group.size() < kGroupMessages && bytes < kGroupBytes;) {
    bytes += incoming_.front().payload.size();
    group.push_back(std::move(incoming_.front()));
    incoming_.pop_front();
  }
  for (const auto& message : group) incoming_bytes_ -= message.payload.size();
  return group;
}

void IngestService::run() {
  start_connecting();
  while (run_tasks()) {
    while (!incoming_.empty()) {
      publish_outgoing();
      pipeline_->process(next_group());
      publish_acks();
    }
    publish_outgoing();
    publish_acks();
    pipeline_->tick();
    {
      MutexLock lock(mutex_);
      status_.counters = pipeline_->counters();
    }
    if (!client_->connected() && !connecting_ && clock_.steady_now() >= retry_at_) {
      start_connecting();
    }
  }
  pipeline_->write_collected_alerts();
  client_->disconnect();
}

void IngestService::start_connecting() {
  connecting_ = true;
  mqtt::Identity identity = identity_();
  identity.window = kWindow;
  client_->connect(identity, [this](Result<void> connected) {
    if (!connected) return connection_failed(connected.error().message());
    client_->subscribe({topics::ingest_filter(std::nullopt)}, [this](Result<void> subscribed) {
      if (!subscribed) {
        client_->disconnect();
        return connection_failed(subscribed.error().message());
      }
      connecting_ = false;
      backoff_.reset();
      log::info("ingest is connected to the broker");
      pipeline_->ask_for_hellos();
      MutexLock lock(mutex_);
      status_.connected = true;
      status_.since_ms = clock_.unix_ms();
      status_.last_error.clear();
    });
  });
}

void IngestService::connection_failed(const std::string& why) {
  connecting_ = false;
  static thread_local std::minstd_rand random(std::random_device{}());
  retry_at_ = clock_.steady_now() + backoff_.next(random());
  MutexLock lock(mutex_);
  if (status_.last_error != why) log::warning("broker connection: " + why);
  if (status_.connected || status_.since_ms == 0) status_.since_ms = clock_.unix_ms();
  status_.connected = false;
  status_.last_error = why;
  ++status_.reconnects;
}

void IngestService::send(mqtt::Message message) {
  MutexLock lock(mutex_);
  if (outgoing_.size() >= kMaxOutgoing) {
    outgoing_.pop_front();
    ++status_.outgoing_dropped;
  }
  outgoing_.push_back(std::move(message));
  wake_.notify_one();
}

void IngestService::publish_outgoing() {
  for (;;) {
    sending_is_held_up_ = !client_->connected() || client_->in_flight() >= kWindow;
    if (sending_is_held_up_) return;
    mqtt::Message message;
    {
      MutexLock lock(mutex_);
      if (outgoing_.empty()) return;
      message = std::move(outgoing_.front());
      outgoing_.pop_front();
    }
    ignore(client_->publish(std::move(message), [](Result<void>) {}), "it is sent again");
  }
}

void IngestService::publish_acks() {
  if (!client_->connected() || client_->in_flight() >= kWindow) return;
  for (auto& ack : pipeline_->take_acks(kWindow - client_->in_flight(), incoming_.empty())) {
    // A lost ack is healed by the next one: the agent sends again what it believes unacknowledged.
    ignore(client_->publish(std::move(ack), [](Result<void>) {}), "the agent asks again");
  }
}

}  // namespace observeai::controlplane
