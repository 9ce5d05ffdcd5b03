// What all Paho clients of a process share: its threads, which must not be started and stopped at
// once, and its sleep, from which a new connection does not wake it.
#pragma once

#include <memory>
#include <string>

#include <mqtt/async_client.h>

#include "protocol/base/thread_annotations.h"

namespace observeai::mqtt {

// Thread-safe. One for the process, never destroyed: Paho's threads outlive main().
//
// Paho 1.3.12 starts its threads with the first client and stops them with the last; doing both at
// once is a race. An idle client, the anchor, keeps them until the process ends.
//
// Its receiving thread polls the sockets it knew before, for up to a second, so that each
// connection takes one or two seconds. With prompt connects one more client, the bell, is connected
// to this process itself over loopback, and nudge() sends it a PINGRESP: Paho wakes and looks
// around.
class PahoProcess {
 public:
  static PahoProcess& instance();

  std::unique_ptr<::mqtt::async_client> make_client(const std::string& uri, const std::string& id)
      EXCLUDES(mutex_);
  void destroy_client(std::unique_ptr<::mqtt::async_client> client) EXCLUDES(mutex_);

  // Once for the process; a failure only leaves connections slow.
  void enable_prompt_connects() EXCLUDES(mutex_);
  // False without prompt connects. Never blocks.
  bool nudge() EXCLUDES(mutex_);

 private:
  PahoProcess() = default;
  void keep_threads() REQUIRES(mutex_);
  void answer_bell() REQUIRES(mutex_);

  Mutex mutex_;
  std::unique_ptr<::mqtt::async_client> anchor_ GUARDED_BY(mutex_);
  std::unique_ptr<::mqtt::async_client> bell_ GUARDED_BY(mutex_);
  int listener_ GUARDED_BY(mutex_) = -1;  // Until the bell has connected
  int bell_socket_ GUARDED_BY(mutex_) = -1;
  bool greeted_ GUARDED_BY(mutex_) = false;
};

}  // namespace observeai::mqtt
