// The real observeai-executor on private folders, and everybody who talks to it: signer, approvers, root,
// agent. What would be done if an attack succeeded is a line in a marker file, written by a runbook that the
// policy lists.
#pragma once

#include <doctest/doctest.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "agent/executor/frames.h"
#include "tests/support/command_rig.h"
#include "tests/support/temp_dir.h"

namespace observeai::test {

using agent::executor::Frame;
using agent::executor::FrameKind;
using agent::executor::Status;

class AttackRig {
 public:
  AttackRig();  // Enrolled, allowed, started, and it knows the time
  ~AttackRig();

  TempDir dir;
  CommandRig keys;
  std::uint64_t seq = 0;

  // The program.
  void start();
  bool try_start();  // False: it ended before it answered
  void stop();       // As systemd does
  void kill_now();   // SIGKILL
  void wait_for_end();
  void restart();
  bool alive() const;
  pid_t pid() const { return pid_; }
  std::vector<std::string> environment;  // Beside PATH, of the next start
  // Of the next start: clocks may be moved and writes below state may fail.
  void preload_faults();
  void shift_clock_ms(std::int64_t ms);  // The wall clock alone, as when somebody sets it
  void pass_time_ms(std::int64_t ms);    // More time has passed, on every clock but the steady one
  void fail_writes(int error);

  // The host.
  std::string path(const std::string& name) const { return dir / name; }
  std::string policy_file() const { return dir / "etc/policy.d/site.toml"; }
  std::string site_policy(const std::string& head = "", const std::string& rules = "") const;
  void write_policy(const std::string& text) const;
  void write_program(const std::string& name, const std::string& script) const;
  void enroll();
  void copy_state(const std::string& to) const;
  void restore_state(const std::string& from) const;
  std::size_t marks() const;  // How often the runbook began

  // The agent.
  Frame ask(FrameKind kind, const std::string& body = "") const;
  Status status() const;
  Frame tell_time(std::int64_t unix_ms);
  void learn_time();
  Frame offer_roots(const std::vector<std::string>& envelopes) const;
  // Verified with the host's key, or the test fails.
  wire::CommandResult deliver(const std::string& envelope) const;
  wire::CommandResult open_result(const std::string& envelope) const;
  std::vector<wire::CommandResult> waiting_results() const;

  // Commands.
  wire::Intent mark_intent() const;             // runbook mark: tier 2, asked for by carol
  wire::Intent looked_at(wire::Intent intent);  // With state and diff of a dry run on this host
  wire::Command addressed(wire::Command command);
  // The same in a plan of its own, alone in its batch, approved by alice and bob, for this host now.
  wire::Command approved(wire::Intent intent);
  // The approved command anew: same intent, batch and approvals, another id, the next number.
  wire::Command made_anew(wire::Command command);
  wire::Command approved_mark() { return approved(looked_at(mark_intent())); }
  std::string sign(const wire::Command& command) const { return keys.sign_command(command); }

  // The attack's end: a signed refusal with this reason, and nothing happened.
  void refused(const std::string& envelope, const std::string& reason) const;
  void refused(const wire::Command& command, const std::string& reason) const {
    refused(sign(command), reason);
  }
  void refused_with(const std::string& reason, const std::function<void(wire::Command&)>& change);
  // It is a good command on a good host after all.
  void executed(const wire::Command& command) const;

 private:
  struct Faults;
  pid_t pid_ = -1;
  int plans_ = 100;
  Faults* faults_ = nullptr;  // Mapped
};

}  // namespace observeai::test
