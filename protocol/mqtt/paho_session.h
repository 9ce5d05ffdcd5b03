// One connection attempt over Paho and what follows from it; never used for a second one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <mqtt/async_client.h>

#include "protocol/base/thread_annotations.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::mqtt {

// What a broker may have waiting for the owner's thread; more is dropped and counted, because Paho
// offers no back-pressure and its callbacks must not block.
inline constexpr std::size_t kMaxQueuedMessages = 8192;
inline constexpr std::size_t kMaxQueuedBytes = 64U << 20;

struct InboundMeter {
  std::atomic<std::size_t> messages{0};
  std::atomic<std::size_t> bytes{0};
  std::atomic<std::uint64_t> dropped{0};
};

// What a session tells, on the owner's thread (through post).
struct SessionEvents {
  std::function<void(Result<void>)> connected;
  std::function<void(Result<void>)> subscribed;
  std::function<void(std::uint64_t id, Result<void>)> published;
  std::function<void(Message)> message;
  std::function<void(Error)> lost;
};

// Life: made by the owner; start() and finish() on a thread that may block; subscribe() and
// publish() on the owner's thread between `connected` and mute(). Paho's threads only ever post.
class PahoSession final : public std::enable_shared_from_this<PahoSession>,
                          private ::mqtt::iaction_listener {
 public:
  PahoSession(Identity identity, BrokerClient::Post post, SessionEvents events,
              std::shared_ptr<InboundMeter> meter);
  ~PahoSession() override;

  void start();
  void subscribe(const std::vector<std::string>& filters);
  Result<void> publish(std::uint64_t id, Message message);
  // Nothing is posted after this returns. Any thread but Paho's.
  void mute() EXCLUDES(mutex_);
  // Disconnects, waits until Paho's threads have left this session, and destroys it. At most a few
  // seconds; mute() first.
  void finish();

 private:
  void on_success(const ::mqtt::token& token) override;
  void on_failure(const ::mqtt::token& token) override;
  void on_arrival(const ::mqtt::const_message_ptr& message);
  template <class Event>
  void tell(Event event) EXCLUDES(mutex_);  // Posts unless muted.
  void nudge_until_settled();
  bool become_quiet();

  const Identity identity_;
  const std::shared_ptr<const SessionEvents> events_;
  const std::shared_ptr<InboundMeter> meter_;
  std::unique_ptr<::mqtt::async_client>
      client_;                        // Written before Paho knows it, cleared by finish().
  std::atomic<bool> settled_{false};  // Connected, refused or muted
  std::atomic<int> callbacks_inside_{0};
  std::atomic<std::uint64_t> callbacks_{0};
  Mutex mutex_;
  BrokerClient::Post post_ GUARDED_BY(mutex_);  // Empty when muted.
};

}  // namespace observeai::mqtt
