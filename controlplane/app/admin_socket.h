// A unix socket for who may read the state folder anyway: one line asked, one line answered. For
// the first login, before anybody has a key.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "protocol/base/result.h"

namespace observeai::controlplane {

// Answers on its own thread, one client at a time, only the owner of this process and root.
class AdminSocket {
 public:
  using Answer = std::function<Result<std::string>(const std::string& request)>;

  // kUnavailable: another control plane has this state folder, which is known by its lock: of two that
  // start at once one gets it, and only who has it touches the socket. kDenied: not writable.
  static Result<std::unique_ptr<AdminSocket>> open(const std::string& state_directory,
                                                   Answer answer);
  ~AdminSocket();
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;

 private:
  AdminSocket(int lock, int listener, int stop_event, std::string path, Answer answer);
  void run();
  void serve(int client);

  const int lock_;  // Released last
  const int listener_;
  const int stop_event_;
  const std::string path_;
  const Answer answer_;
  std::thread thread_;
};

// kUnavailable: no control plane runs on this state folder. An answer of "error: ..." becomes
// kDenied.
Result<std::string> ask_controlplane(const std::string& state_directory, const std::string& request,
                                     std::chrono::milliseconds patience);

}  // namespace observeai::controlplane
