// A real Docker daemon of this test, and actions as the executor runs them: assess, compare, execute,
// verify, undo.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/actions/registry.h"
#include "protocol/base/clock.h"
#include "tests/support/temp_dir.h"

namespace observeai::test {

using agent::executor::Action;
using agent::executor::Assessment;

// Ends the program with 77 where something is missing.
class DockerRig {
 public:
  DockerRig();
  ~DockerRig();  // Removes every container, volume and network that the case made

  // The output of the docker client without its last newline; the case fails when it fails.
  std::string docker(const std::string& arguments) const;
  bool docker_fails(const std::string& arguments) const;
  // With a template of docker inspect: "{{.State.Status}}".
  std::string inspect(const std::string& what, const std::string& format) const;
  // From obs:base with these lines of a Dockerfile: "ENV A=b".
  void make_image(const std::string& name, const std::vector<std::string>& lines) const;
  // Builds the image built:<mark> with BuildKit: four records of the build cache, one of them a parent.
  void make_build_cache(const std::string& mark) const;
  std::string socket() const;
  const std::string& directory() const;

  struct Outcome {
    Result<Assessment> seen = Error(Errc::kInternal, "not run");
    bool stale = false;  // Another assessment before executing: it differs
    Result<void> executed = Error(Errc::kInternal, "not run");
    Result<std::vector<wire::Change>> verified = Error(Errc::kInternal, "not run");
    Result<void> undone = Error(Errc::kInternal, "not run");
    std::vector<wire::ResultStep> steps;

    // Done, verified, and what changed is what was simulated.
    bool as_simulated() const;
    // The first error, for messages.
    std::string why() const;
  };
  // A dry run.
  Result<Assessment> assess(const std::string& action, const wire::Parameters& parameters);
  // A dry run, then the same again with execution, as long as nothing fails. `roll_back`: undo when verify
  // fails.
  Outcome perform(const std::string& action, const wire::Parameters& parameters,
                  bool roll_back = false,
                  std::chrono::milliseconds limit = std::chrono::seconds(40));
  // Executes what was approved as `approved`, unless it is stale.
  Outcome perform_approved(const std::string& action, const wire::Parameters& parameters,
                           const Assessment& approved, bool roll_back = false,
                           std::chrono::milliseconds limit = std::chrono::seconds(40));
  Result<void> undo(const std::string& action, const wire::Parameters& parameters,
                    const Assessment& seen);
  // What the last command left that was executed, as after the next start.
  Result<std::string> recover(const std::string& action, const Assessment& seen);
  // The run of one command more, each with an id of its own.
  agent::executor::Run begin(std::chrono::milliseconds limit = std::chrono::seconds(40));
  const std::string& command() const { return command_; }

  agent::executor::Host& host() { return host_; }
  Action& action(const std::string& name) { return *actions_.at(name); }
  const SystemClock& clock() const { return clock_; }

 private:
  SystemClock clock_;
  agent::executor::Host host_;
  agent::executor::Actions actions_;
  std::string command_;  // The last one's id
};

std::string text_of(const std::vector<wire::Change>& changes);
std::string fact(const Assessment& seen, const std::string& name);

}  // namespace observeai::test
