// One running mosquitto: started, watched and ended by its own pid, never by name.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/result.h"

namespace observeai::controlplane {

// One thread. Started by root it runs as the user in its configuration (broker_user.h), in the folder of
// its configuration. The kernel kills the broker when that thread ends (PR_SET_PDEATHSIG), so that it
// never outlives its keeper.
class MosquittoProcess {
 public:
  struct Options {
    std::string program = "/usr/sbin/mosquitto";
    std::string config_file;
    bool forward_output = true;  // Its lines go to our log.
  };
  // Starts and returns at once. kNotFound: no such program, no such user.
  static Result<std::unique_ptr<MosquittoProcess>> start(const Options& options);
  ~MosquittoProcess();  // stop()
  MosquittoProcess(const MosquittoProcess&) = delete;
  MosquittoProcess& operator=(const MosquittoProcess&) = delete;

  // Its listeners are open. kUnavailable: it ended (with what it said last), kTimeout.
  Result<void> wait_until_ready(std::chrono::milliseconds patience);
  // SIGTERM, then SIGKILL after `grace` (it keeps no state: killing is safe). Reaps it.
  void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(1000));

  int pid() const { return pid_; }
  int output() const { return output_; }     // For poll()
  int exit_event() const { return pidfd_; }  // For poll(): readable when it has ended
  void read_output();                        // Never blocks
  bool ready() const { return ready_; }
  // How it ended, once it has; reaps it.
  std::optional<std::string> ended();
  const std::string& last_words() const { return last_error_; }

 private:
  MosquittoProcess(int pid, int pidfd, int output, bool forward)
      : pid_(pid), pidfd_(pidfd), output_(output), forward_(forward) {}
  void take_line(std::string_view line);

  int pid_;
  int pidfd_;
  int output_;
  bool forward_;
  bool ready_ = false;
  std::string partial_;
  std::string last_error_;
  std::optional<std::string> ended_;
};

}  // namespace observeai::controlplane
