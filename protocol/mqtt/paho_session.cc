#include "protocol/mqtt/paho_session.h"

#include <thread>

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/mqtt/paho_process.h"
#include "protocol/mqtt/tls_diagnosis.h"

namespace observeai::mqtt {
namespace {

using std::chrono::milliseconds;

constexpr int kQos = 1;
constexpr std::size_t kMaxKeyFileBytes = 1U << 20;
// Paho unlocks its mutex around our callbacks and touches the session again when they return, so
// "no callback inside" is not enough: nothing may have entered for this long either.
constexpr milliseconds kQuiet{100};
constexpr milliseconds kQuietPatience{3000};
constexpr milliseconds kDisconnectPatience{1000};
constexpr milliseconds kNudgeEvery{10};

// Paho reports a missing file as "-1" only.
Result<void> check_readable(const Identity& identity) {
  for (const auto* path : {&identity.ca_file, &identity.certificate_file, &identity.key_file}) {
    if (path->empty()) continue;
    auto bytes = files::read(*path, kMaxKeyFileBytes);
    if (!bytes) return std::move(bytes).error();
  }
  if (identity.ca_file.empty()) {
    return Error(Errc::kInvalid, "no CA file is given: the broker could not be verified");
  }
  return {};
}

::mqtt::connect_options options_for(const Identity& identity) {
  ::mqtt::ssl_options tls;
  tls.set_trust_store(identity.ca_file);
  if (!identity.certificate_file.empty()) {
    tls.set_key_store(identity.certificate_file);
    tls.set_private_key(identity.key_file);
  }
  tls.set_enable_server_cert_auth(true);
  tls.set_verify(true);  // Host name; off by default in Paho C++.
  tls.set_ssl_version(MQTT_SSL_VERSION_TLS_1_2);
  ::mqtt::connect_options options;
  options.set_mqtt_version(MQTTVERSION_3_1_1);  // Without it Paho falls back to 3.1.
  options.set_clean_session(true);
  options.set_automatic_reconnect(false);
  options.set_keep_alive_interval(identity.keep_alive);
  options.set_connect_timeout(identity.connect_timeout);
  options.set_max_inflight(
      static_cast<int>(2 * identity.window));  // Ours is the window that counts.
  options.set_ssl(std::move(tls));
  return options;
}

std::string text_of(const ::mqtt::token& token) {
  try {
    // Complete already, so this only throws what the C library said.
    const_cast<::mqtt::token&>(token).try_wait();
  } catch (const ::mqtt::exception& e) {
    return e.what();
  }
  return {};
}

}  // namespace

PahoSession::PahoSession(Identity identity, BrokerClient::Post post, SessionEvents events,
                         std::shared_ptr<InboundMeter> meter)
    : identity_(std::move(identity)),
      events_(std::make_shared<const SessionEvents>(std::move(events))),
      meter_(std::move(meter)),
      post_(std::move(post)) {}

PahoSession::~PahoSession() = default;

template <class Event>
void PahoSession::tell(Event event) {
  MutexLock lock(mutex_);
  if (post_) post_([events = events_, event = std::move(event)]() mutable { event(*events); });
}

void PahoSession::mute() {
  settled_ = true;
  BrokerClient::Post dropped;  // Destroyed outside the lock.
  MutexLock lock(mutex_);
  dropped.swap(post_);
}

void PahoSession::start() {
  if (settled_) return;  // Muted before its turn came: nobody waits for this connection.
  watch_tls();
  if (auto readable = check_readable(identity_); !readable) {
    tell([error = readable.error()](const SessionEvents& e) { e.connected(Result<void>(error)); });
    return;
  }
  const std::string uri = "ssl://" + identity_.host + ":" + std::to_string(identity_.port);
  try {
    client_ = PahoProcess::instance().make_client(uri, identity_.client_id);
    // Not set_callback(): its `connected` handler completes the connect token a second time.
    client_->set_connection_lost_handler([this](const std::string& cause) {
      ++callbacks_inside_;
      take_tls_note();
      tell([error = Error(Errc::kUnavailable, "connection to the broker was lost" +
                                                  (cause.empty() ? "" : ": " + cause))](
               const SessionEvents& e) { e.lost(error); });
      ++callbacks_;
      --callbacks_inside_;
    });
    client_->set_message_callback([this](::mqtt::const_message_ptr message) {
      ++callbacks_inside_;
      on_arrival(message);
      ++callbacks_;
      --callbacks_inside_;
    });
    client_->connect(options_for(identity_), nullptr, *this);
    nudge_until_settled();
  } catch (const ::mqtt::exception& e) {
    tell([error = Error(Errc::kUnavailable, std::string("cannot start a connection: ") + e.what())](
             const SessionEvents& events) { events.connected(Result<void>(error)); });
  }
}

void PahoSession::nudge_until_settled() {
  const auto give_up = std::chrono::steady_clock::now() + identity_.connect_timeout;
  while (!settled_ && std::chrono::steady_clock::now() < give_up &&
         PahoProcess::instance().nudge()) {
    std::this_thread::sleep_for(kNudgeEvery);
  }
}

// One filter in each SUBSCRIBE: with several, Paho C++ 1.2.0 believes the broker about the length
// of the list in its answer and reads past it.
void PahoSession::subscribe(const std::vector<std::string>& filters) {
  try {
    for (const auto& filter : filters) client_->subscribe(filter, kQos, nullptr, *this);
  } catch (const ::mqtt::exception& e) {
    tell([error = Error(Errc::kUnavailable, std::string("cannot subscribe: ") + e.what())](
             const SessionEvents& events) { events.subscribed(Result<void>(error)); });
  }
}

Result<void> PahoSession::publish(std::uint64_t id, Message message) {
  try {
    auto out =
        ::mqtt::make_message(std::move(message.topic), std::move(message.payload), kQos, false);
    client_->publish(std::move(out), reinterpret_cast<void*>(id), *this);
    return {};
  } catch (const ::mqtt::exception& e) {
    return Error(Errc::kUnavailable, std::string("cannot publish: ") + e.what());
  }
}

void PahoSession::on_success(const ::mqtt::token& token) {
  ++callbacks_inside_;
  switch (token.get_type()) {
    case ::mqtt::token::CONNECT:
      settled_ = true;
      take_tls_note();
      tell([](const SessionEvents& e) { e.connected({}); });
      break;
    case ::mqtt::token::SUBSCRIBE: {
      const auto answer = token.get_subscribe_response();
      const auto& codes = answer.get_reason_codes();
      const bool granted = codes.size() == 1 && int(codes.front()) >= 0 && int(codes.front()) <= 2;
      Result<void> result;
      if (!granted) result = Error(Errc::kDenied, "the broker refused the subscription");
      tell([result](const SessionEvents& e) { e.subscribed(result); });
      break;
    }
    case ::mqtt::token::PUBLISH:
      tell([id = reinterpret_cast<std::uint64_t>(token.get_user_context())](
               const SessionEvents& e) { e.published(id, {}); });
      break;
    default:
      break;
  }
  ++callbacks_;
  --callbacks_inside_;
}

void PahoSession::on_failure(const ::mqtt::token& token) {
  ++callbacks_inside_;
  const int code = token.get_return_code();
  switch (token.get_type()) {
    case ::mqtt::token::CONNECT: {
      settled_ = true;
      Error error = explain_connect_failure(code, text_of(token), take_tls_note(),
                                            identity_.host + ":" + std::to_string(identity_.port));
      tell(
          [error = std::move(error)](const SessionEvents& e) { e.connected(Result<void>(error)); });
      break;
    }
    case ::mqtt::token::SUBSCRIBE:
      tell([text = text_of(token)](const SessionEvents& e) {
        e.subscribed(Result<void>(Error(Errc::kUnavailable, "subscribe failed: " + text)));
      });
      break;
    case ::mqtt::token::PUBLISH:
      tell([id = reinterpret_cast<std::uint64_t>(token.get_user_context()),
            text = text_of(token)](const SessionEvents& e) {
        e.published(id, Result<void>(Error(Errc::kUnavailable, "publish failed: " + text)));
      });
      break;
    default:
      break;
  }
  ++callbacks_;
  --callbacks_inside_;
}

void PahoSession::on_arrival(const ::mqtt::const_message_ptr& message) {
  const auto& payload = message->get_payload_ref();
  const std::size_t bytes = payload.size() + message->get_topic().size();
  if (meter_->messages >= kMaxQueuedMessages || meter_->bytes + bytes > kMaxQueuedBytes) {
    ++meter_->dropped;
    return;
  }
  ++meter_->messages;
  meter_->bytes += bytes;
  // The release travels with the function, so that one which is never run is counted out as well.
  std::shared_ptr<void> release(nullptr, [meter = meter_, bytes](void*) {
    --meter->messages;
    meter->bytes -= bytes;
  });
  tell([arrived = Message{message->get_topic(), message->to_string()},
        release](const SessionEvents& e) mutable { e.message(std::move(arrived)); });
}

void PahoSession::finish() {
  if (!client_) return;
  try {
    client_->disconnect(milliseconds(0))->wait_for(kDisconnectPatience);
  } catch (const ::mqtt::exception&) {
    // Not connected any more: nothing to close.
  }
  if (become_quiet()) {
    PahoProcess::instance().destroy_client(std::move(client_));
    return;
  }
  // Destroying under a running callback corrupts memory; losing a few kilobytes does not.
  log::warning("a broker session did not become quiet and is abandoned");
  static_cast<void>(client_.release());
  static_cast<void>(new std::shared_ptr<PahoSession>(shared_from_this()));
}

bool PahoSession::become_quiet() {
  const auto give_up = std::chrono::steady_clock::now() + kQuietPatience;
  while (std::chrono::steady_clock::now() < give_up) {
    const auto before = callbacks_.load();
    std::this_thread::sleep_for(kQuiet);
    if (callbacks_inside_ == 0 && callbacks_ == before) return true;
  }
  return false;
}

}  // namespace observeai::mqtt
