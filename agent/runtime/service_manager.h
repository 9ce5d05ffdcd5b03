// Tells systemd that the agent is up and alive: sd_notify(3) is one datagram, so no library is needed.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace observeai::agent {

// Nothing is sent without a socket, and a failure does not matter: the manager notices by itself.
class ServiceManager {
 public:
  // Values of the variables NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, empty where not set.
  static ServiceManager from_environment(std::string socket, std::string_view watchdog_usec,
                                         std::string_view watchdog_pid);
  // `socket`: a path, or "@name" for an abstract one; empty: none.
  ServiceManager(std::string socket, std::chrono::microseconds watchdog)
      : socket_(std::move(socket)), watchdog_(watchdog) {}

  void ready() const { send("READY=1"); }
  void stopping() const { send("STOPPING=1"); }
  void alive() const { send("WATCHDOG=1"); }
  // One line for `systemctl status`.
  void status(std::string_view text) const { send("STATUS=" + std::string(text)); }
  // How often alive() is due, half of what the manager waits; nullopt: it does not watch.
  std::optional<std::chrono::microseconds> alive_every() const;

 private:
  void send(const std::string& message) const;

  std::string socket_;
  std::chrono::microseconds watchdog_;
};

}  // namespace observeai::agent
