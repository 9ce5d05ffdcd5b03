// Complete sets of broker files on disk: <state>/broker/gen-<n>/ and the link `current`.
#pragma once

#include <string>

#include "controlplane/broker/broker_config.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

// A generation is never changed after write(); which one counts is one atomic rename. One writer.
class Generations {
 public:
  explicit Generations(const std::string& state_directory) : root_(state_directory + "/broker") {}

  const std::string& root() const { return root_; }
  // "gen-7" of its folder.
  static std::string name(const std::string& generation);
  static std::string config_file(const std::string& generation) {
    return generation + "/mosquitto.conf";
  }

  // A new folder with all files, for the caller and the broker's user only. Returns its path.
  Result<std::string> write(const BrokerSettings& settings, const BrokerFiles& files) const;
  Result<void> activate(const std::string& generation) const;
  // The active generation's folder; kNotFound before the first activate().
  Result<std::string> current() const;
  // Removes all but the newest `keep` and the active one.
  void prune(std::size_t keep) const;

  // Which generation passed its live checks since it was last started on purpose: a control plane that
  // was killed half-way through an apply finds out here. Durable on return.
  Result<void> set_checked(const std::string& generation) const;
  Result<void> clear_checked() const;
  bool is_checked(const std::string& generation) const;

  // A broker that failed its live checks stays down until the next successful apply, also across
  // restarts of the supervisor.
  Result<void> set_halted(const std::string& reason) const;
  Result<void> clear_halted() const;
  std::string halted() const;  // The reason; empty = not halted

 private:
  std::string root_;
};

}  // namespace observeai::controlplane
