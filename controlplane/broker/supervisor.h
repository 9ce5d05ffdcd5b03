// Keeps one mosquitto running from <state>/broker/current: `observeai-controlplane broker`.
//
//   state             leaves for   when
//   no configuration  starting     restart requested
//   starting          running      its listeners are open
//   starting          waiting      it ended, or was not ready in 3 s
//   running           waiting      it ended
//   waiting           starting     back-off of 0.2 s .. 10 s is over, or restart requested
//   running, waiting  halted       halt requested
//   halted            starting     restart requested and the halt is cleared
//
// Requests come over the unix socket <state>/broker/control.sock (mode 0600), one line each:
//   restart   stop, start from `current`; answers as status when ready, or "failed <why>"
//   halt      stop and stay stopped; answers "halted"
//   status    answers "up <pid> <generation>", "down <why>" or "halted <why>"
//
// Never SIGHUP: Mosquitto 2.0.11 fails open on a broken CRL or ACL at reload, and closed at start.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "controlplane/broker/generations.h"
#include "controlplane/broker/mosquitto_process.h"
#include "protocol/base/backoff.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

class BrokerSupervisor {
 public:
  struct Options {
    std::string state_directory;
    std::string program = "/usr/sbin/mosquitto";
    bool forward_output = true;
  };
  // kDenied: another supervisor has this state folder.
  static Result<std::unique_ptr<BrokerSupervisor>> create(Options options);
  ~BrokerSupervisor();
  BrokerSupervisor(const BrokerSupervisor&) = delete;
  BrokerSupervisor& operator=(const BrokerSupervisor&) = delete;

  // Until stop(); the broker is gone when it returns. Call on the thread that lives as long as the
  // program: the kernel ends the broker with it.
  void run();
  // From any thread and from a signal handler.
  void stop();

 private:
  BrokerSupervisor(Options options, int lock, int listener, int stop_event);
  Result<void> start_broker();
  void broker_ended(const std::string& how);
  void serve_request();
  std::string answer(std::string_view request);
  std::string status() const;
  int poll_timeout_ms() const;

  const Options options_;
  const Generations generations_;
  const int lock_;
  const int listener_;
  const int stop_event_;
  std::unique_ptr<MosquittoProcess> broker_;
  std::string generation_;  // What broker_ was started from
  std::string down_because_ = "not started yet";
  Backoff backoff_{std::chrono::milliseconds(200), std::chrono::milliseconds(10'000)};
  std::chrono::steady_clock::time_point next_start_;
  std::chrono::steady_clock::time_point started_at_;
};

// Sends one request and waits for its answer. kUnavailable: no supervisor is running there; kTimeout:
// it does not answer.
Result<std::string> ask_supervisor(const std::string& state_directory, const std::string& request,
                                   std::chrono::milliseconds patience);
// That `status` (an answer to status or restart) says: up, and from this generation.
bool is_up_with(const std::string& status, const std::string& generation);

}  // namespace observeai::controlplane
