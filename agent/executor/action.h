// One action of the catalogue on this host. Implementations are in actions/, made by make_actions().
//
//   assess   reads only: the target's state and what would change. Runs for a dry run and again before
//            execute; the executor compares state and diff with what was approved.
//   execute  acts. Called once, after an assess() whose result it gets.
//   verify   the post-condition, and what has really changed, in the same words as assess()
//   undo     back to the state of `seen`; only where the manifest says so
//   recover  puts right what an execute, verify or undo has left that did not end: the program died, or the
//            way back failed (Run::recover_later)
//
// Blocking; one call at a time for each object, on the executor's worker thread. Every call ends by
// Run::deadline, children included. Parameters passed actions::check_parameters(), and have their defaults
// (actions::with_defaults).
//
// Errors of assess, with what the refusal's reason becomes: kNotFound no_target, kDenied policy (the site's
// lists do not allow it), kInvalid bad_parameter, others precondition. An error of execute or verify makes
// the command failed, or rolled back where that was asked for and undo() succeeds.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/actions/manifest.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

struct Assessment {
  // All that must not change between approval and execution, one "name=value" line each, sorted: its
  // sha256 is
  // the state hash. Nothing that moves by itself (uptime, counters, sizes of live files) belongs here.
  std::string state;
  std::vector<wire::Change> diff;  // What would change; empty only for actions that change nothing
  std::uint32_t downtime_ms = 0;   // Expected
  wire::Labels facts;              // For safety checks: names ascend strictly; see facts.h
  // What was found, under the one name that the host has for it, whatever the command called it:
  // "container/web" also for an id of web. Empty: as the command says. Policy, lock and cool-down go by it.
  std::string target;
};

// One run of an action: its deadline, what it did, and what it printed.
class Run {
 public:
  // `command`: the id of the command that this is for, in hex; empty for a look that changes nothing.
  Run(const Clock& clock, SteadyTime deadline, std::size_t output_limit, std::string command = "")
      : clock_(clock),
        deadline_(deadline),
        output_limit_(output_limit),
        command_(std::move(command)) {}

  // What was approved, as the sha256 of Assessment::state; none for a dry run. An assessment that depends on
  // the hour may look as of an earlier one to find it; whether it did is checked by the executor.
  void look_for(const wire::Digest& approved) { approved_ = approved; }
  const std::optional<wire::Digest>& approved() const { return approved_; }

  SteadyTime deadline() const { return deadline_; }
  const std::string& command() const { return command_; }
  std::chrono::milliseconds left() const;  // Never negative
  std::int64_t unix_ms() const { return clock_.unix_ms(); }
  // kTimeout once the deadline has passed.
  Result<void> check() const;
  // Says what begins now; the one before ends.
  void step(std::string name, std::string detail = "");
  void finish_step();
  // Beyond the limit, counted and dropped: the beginning is kept.
  void output(std::string_view text);
  // What was begun could be neither done nor taken back: recover() is to try it later.
  void recover_later() { recover_later_ = true; }
  bool is_to_recover() const { return recover_later_; }

  const std::vector<wire::ResultStep>& steps() const { return steps_; }
  const std::string& text() const { return output_; }
  bool truncated() const { return truncated_; }

 private:
  const Clock& clock_;
  const SteadyTime deadline_;
  const std::size_t output_limit_;
  const std::string command_;
  bool recover_later_ = false;
  std::optional<wire::Digest> approved_;
  SteadyTime step_began_{};
  bool in_step_ = false;
  std::vector<wire::ResultStep> steps_;  // At most wire::kMaxSteps; further ones are not told
  std::string output_;
  bool truncated_ = false;
};

class Action {
 public:
  virtual ~Action() = default;
  virtual Result<Assessment> assess(const wire::Parameters& parameters, Run& run) = 0;
  virtual Result<void> execute(const wire::Parameters& parameters, const Assessment& seen,
                               Run& run) = 0;
  virtual Result<std::vector<wire::Change>> verify(const wire::Parameters& parameters,
                                                   const Assessment& seen, Run& run) = 0;
  // kInvalid: there is no way back.
  virtual Result<void> undo(const wire::Parameters& parameters, const Assessment& seen, Run& run);
  // `state`: Assessment::state before the command of this run began. What it found and did, for people; ""
  // where there is nothing to be put right, as for most. After an error it is called again, later, so it must
  // go on from wherever it was cut. It touches only what is surely the command's own doing.
  virtual Result<std::string> recover(const std::string& state, Run& run);
};

// By the catalogue's names.
using Actions = std::map<std::string, std::unique_ptr<Action>, std::less<>>;

}  // namespace observeai::agent::executor
