// The control plane: builds every module, owns what runs, and decides what happens between them.
#pragma once

#include <memory>
#include <string>

#include "controlplane/config/controlplane_config.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

// One for each process and state folder.
class ControlPlane {
 public:
  virtual ~ControlPlane() = default;
  // Makes keys, authorities and the broker's first configuration when they are missing, opens the
  // store and the listener. Errors say what to do; nothing is replaced that is damaged.
  static Result<std::unique_ptr<ControlPlane>> create(const ControlPlaneConfig& config);
  // Until SIGTERM or SIGINT.
  virtual void run() = 0;
};

// What clients inside this machine use as the broker's name: one its certificate carries.
std::string local_broker_host(const ControlPlaneConfig& config);

}  // namespace observeai::controlplane
