// systemd as `systemctl show` tells it. systemctl and not libsystemd: no parser of D-Bus in a program that
// runs as root, a deadline that holds whatever the manager does, and it needs no bus daemon.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/executor/action.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

struct Unit {
  std::string id;
  std::string load;    // "loaded", "not-found", "masked" ...
  std::string active;  // "active", "failed", "inactive", "activating" ...
  std::string sub;
  std::string type;        // Of a service: "simple", "oneshot" ...
  std::string result;      // Of a service: "success", "exit-code" ...
  std::string fragment;    // Path of the unit file
  std::string invocation;  // Another one with each start
  std::vector<std::string> drop_ins;
  std::vector<std::string> restarted_along;  // What systemd restarts with it, one step away
  std::uint64_t restarts = 0;                // By itself
  bool transient = false;
  bool remains = false;       // RemainAfterExit
  bool file_changed = false;  // Since systemd read it
  bool operator==(const Unit&) const = default;

  // A service that does its work and ends, so that "active" is not how it should be afterwards.
  bool runs_to_its_end() const { return type == "oneshot" && !remains; }
};

// Pure. kCorrupt: a property that is asked for is missing.
Result<Unit> parse_unit(std::string_view shown);

// "name.service", .socket, .timer or .path, of the characters of unit names, not "-" first.
bool is_unit_name(std::string_view name);

class Systemctl {
 public:
  explicit Systemctl(std::string program) : program_(std::move(program)) {}
  // kNotFound: no such unit; kUnavailable: systemd does not answer.
  Result<Unit> show(const std::string& name, const Run& run) const;
  Result<void> restart(const std::string& name, Run& run) const;
  Result<void> reset_failed(const std::string& name, Run& run) const;

 private:
  Result<std::string> call(std::vector<std::string> arguments, const std::string& name,
                           const Run& run) const;
  std::string program_;
};

}  // namespace observeai::agent::executor
