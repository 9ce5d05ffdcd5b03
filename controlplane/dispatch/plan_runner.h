// Lets one plan go on as far as it can now. Internal to controlplane/dispatch.
#pragma once

#include <map>
#include <set>

#include "controlplane/dispatch/command_maker.h"
#include "controlplane/dispatch/plan_edit.h"
#include "controlplane/dispatch/ports.h"

namespace observeai::controlplane::dispatch {

// One thread. All that it knows is in the store: another one goes on where this one ended, at any time.
// Commands are sent after they are stored, never before.
class PlanRunner {
 public:
  // A host that refused for a reason that passes is asked so often.
  static constexpr std::uint32_t kMaxAttempts = kMaxSignaturesOfIntent;
  static constexpr std::int64_t kAskAgainMs = 10'000;

  explicit PlanRunner(World& world) : world_(world) {}

  // True: something happened, look again. kUnavailable: somebody else changed it, or the store is
  // away; look again later.
  Result<bool> advance(const wire::PlanId& id);
  // Valid results of commands of one plan that were open.
  struct Answer {
    model::ResultRecord record;
    model::CommandRecord command;
    wire::CommandResult result;
  };
  Result<void> take(const wire::PlanId& id, const std::vector<Answer>& answers);
  // The agent said hello: what it refused before may be over.
  void heard(const AgentId& agent);

  void send(const model::CommandRecord& command);
  // Open commands that were sent long ago, or never by this process.
  void send_again(const wire::PlanId& id);
  // The plan is over: nothing more of it is sent.
  void forget(const wire::PlanId& id);

 private:
  void send_roots_before(const model::AgentRecord& agent);
  Result<void> step(PlanEdit& edit);
  Result<void> meet_deadline(PlanEdit& edit);
  Result<void> simulate(PlanEdit& edit);
  Result<void> finish_simulation(PlanEdit& edit);
  Result<void> await_approval(PlanEdit& edit);
  Result<void> begin(PlanEdit& edit);
  Result<void> dispatch(PlanEdit& edit);
  Result<void> await_answers(PlanEdit& edit);
  Result<void> verify(PlanEdit& edit);
  Result<void> end_wave(PlanEdit& edit);
  void finish(PlanEdit& edit, const std::string& why);

  Result<void> send_wave(PlanEdit& edit);
  void stop_or_wait(PlanEdit& edit, const Error& error, const std::string& of);
  Result<std::vector<WantedCommand>> wanted_dry_runs(PlanEdit& edit);
  bool may_ask(const model::PlanTargetRecord& target, std::uint32_t asked) const;
  Result<void> close_open_commands(PlanEdit& edit);
  void note(PlanEdit& edit, const std::string& detail);
  void apply_answer(PlanEdit& edit, const Answer& answer);

  World& world_;
  std::map<AgentId, std::int64_t> heard_ms_;
  std::map<wire::PlanId, std::map<wire::Bytes16, SteadyTime>> sent_;
};

}  // namespace observeai::controlplane::dispatch
