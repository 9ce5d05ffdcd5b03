// A host as its packages leave it, in the systemd that in_systemd.sh boots: the programs in /usr/bin, the
// units, users and folders. Everybody who talks to its executor: signer, approvers, agent.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "agent/executor/frames.h"
#include "agent/executor/process_runner.h"
#include "tests/support/command_rig.h"

namespace observeai::test {

using agent::executor::Frame;
using agent::executor::FrameKind;

constexpr const char* kExecutorSocket = "/run/observeai/executor.sock";
constexpr const char* kExecutorUnit = "observeai-executor.service";

// A program by its argv; what it printed, both streams. `ok`: its exit code must be 0.
std::string call(const std::vector<std::string>& argv, bool ok = true);
agent::executor::ProgramEnd outcome_of(const std::vector<std::string>& argv);
// The value of one property of a unit.
std::string shown(const std::string& unit, const std::string& property);
// Pids of all processes that run `program` (its absolute path), whoever started them.
std::vector<pid_t> processes_of(const std::string& program);
// Until it holds; what fails otherwise is named.
void wait_until(const std::string& what, const std::function<bool()>& holds);
void write(const std::string& path, const std::string& text, unsigned mode = 0644);

class UnitRig {
 public:
  UnitRig();  // Installed, not enrolled, no socket yet; ends the program (77) outside of the container

  CommandRig keys;

  void enroll() const;  // And allows everything that the tests have done
  void allow(const std::string& more) const;
  Frame ask(FrameKind kind, const std::string& body = "") const;
  agent::executor::Status status() const;
  void learn_time() const;
  // Whole: dry run, approval by two persons, execution; the same difference, or the test fails.
  wire::CommandResult carry_out(const std::string& action, const wire::Parameters& parameters);
  // Its command, ready to be delivered; the dry run must do.
  std::string approved(const std::string& action, const wire::Parameters& parameters);
  std::vector<wire::CommandResult> waiting_results() const;
  // As carry_out(), whatever comes of it.
  wire::CommandResult attempt(const std::string& action, const wire::Parameters& parameters);

 private:
  wire::CommandResult deliver(const std::string& envelope) const;
  wire::CommandResult open_result(const std::string& envelope) const;
  wire::CommandResult look(wire::Intent& intent) const;
  std::string approve(const wire::Intent& intent) const;
  wire::Command addressed(wire::Command command) const;
};

}  // namespace observeai::test
