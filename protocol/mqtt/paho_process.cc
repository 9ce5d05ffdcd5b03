#include "protocol/mqtt/paho_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol/base/log.h"
#include "protocol/mqtt/broker_client.h"

namespace observeai::mqtt {
namespace {

// Never connected: its address is not used.
constexpr const char* kNowhere = "tcp://127.0.0.1:1";
// MQTT 3.1.1 sections 3.2 and 3.13.
constexpr std::string_view kConnack("\x20\x02\x00\x00", 4);
constexpr std::string_view kPingresp("\xd0\x00", 2);

void send_now(int fd, std::string_view bytes) {
  [[maybe_unused]] const auto sent =
      ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// A loopback listener on a free port; -1 on failure.
int listen_on_loopback(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd >= 0 && ::bind(fd, generic, size) == 0 && ::listen(fd, 1) == 0 &&
      ::getsockname(fd, generic, &size) == 0) {
    port = ntohs(address.sin_port);
    return fd;
  }
  if (fd >= 0) ::close(fd);
  return -1;
}

}  // namespace

PahoProcess& PahoProcess::instance() {
  static auto* const process = new PahoProcess;
  return *process;
}

void PahoProcess::keep_threads() {
  if (!anchor_) anchor_ = std::make_unique<::mqtt::async_client>(kNowhere, "anchor");
}

std::unique_ptr<::mqtt::async_client> PahoProcess::make_client(const std::string& uri,
                                                               const std::string& id) {
  MutexLock lock(mutex_);
  keep_threads();
  return std::make_unique<::mqtt::async_client>(
      uri, id,
      ::mqtt::create_options(MQTTVERSION_3_1_1, static_cast<int>(2 * kMaxInFlightOfService)));
}

void PahoProcess::destroy_client(std::unique_ptr<::mqtt::async_client> client) {
  MutexLock lock(mutex_);
  client.reset();
}

void PahoProcess::enable_prompt_connects() {
  MutexLock lock(mutex_);
  if (bell_) return;
  std::uint16_t port = 0;
  listener_ = listen_on_loopback(port);
  if (listener_ < 0) return;
  try {
    keep_threads();
    bell_ =
        std::make_unique<::mqtt::async_client>("tcp://127.0.0.1:" + std::to_string(port), "bell");
    ::mqtt::connect_options options;
    options.set_mqtt_version(MQTTVERSION_3_1_1);
    options.set_keep_alive_interval(0);  // Nobody answers pings.
    bell_->connect(options);
  } catch (const ::mqtt::exception& e) {
    log::warning(std::string("connections to the broker will be slow: ") + e.what());
  }
}

bool PahoProcess::nudge() {
  MutexLock lock(mutex_);
  if (listener_ >= 0 && bell_socket_ < 0) {
    bell_socket_ = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (bell_socket_ < 0) return true;  // On its way
    ::close(listener_);
    listener_ = -1;
  }
  if (bell_socket_ < 0) return false;
  answer_bell();
  return true;
}

void PahoProcess::answer_bell() {
  std::array<char, 256> ignored;
  const bool heard = ::recv(bell_socket_, ignored.data(), ignored.size(), MSG_DONTWAIT) > 0;
  if (greeted_) {
    send_now(bell_socket_, kPingresp);
  } else if (heard) {  // Its CONNECT
    send_now(bell_socket_, kConnack);
    greeted_ = true;
  }
}

}  // namespace observeai::mqtt
