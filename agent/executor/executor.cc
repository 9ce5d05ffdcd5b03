#include "agent/executor/executor.h"

#include <algorithm>

#include "agent/executor/results.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/command_time.h"
#include "protocol/wire/refusals.h"

namespace observeai::agent::executor {
namespace {

namespace refusals = wire::refusals;

constexpr const char* kFailedReason = "failed";
constexpr const char* kTimeoutReason = "timeout";
constexpr const char* kPostConditionReason = "post_condition";

std::string describe(const Received& received) {
  return std::string(received.is_dry_run() ? "dry run of " : "") + received.intent.action + " of " +
         received.target;
}

void set_failed(wire::CommandResult& result, const char* reason, const Error& error) {
  result.outcome = wire::ResultOutcome::kFailed;
  result.reason = error.code() == Errc::kTimeout ? kTimeoutReason : reason;
  result.message = error.message();
}

}  // namespace

Executor::Executor(Places places, const Clock& clock, const HostTime& time, Host& host,
                   Actions actions, std::function<void()> between)
    : clock_(clock),
      time_(time),
      policy_directory_(places.policy_directory),
      policy_owner_(places.owner),
      host_(host),
      actions_(std::move(actions)),
      between_(std::move(between)),
      books_(std::move(places), time, between_) {}

void Executor::open() {
  MutexLock lock(mutex_);
  const auto opened = books_.open(true, [this](const auto& left) { return recover(left); });
  if (!opened) log::warning(opened.error().message());
}

AdmissionContext Executor::context() {
  const auto* in_flight = &in_flight_;
  return {books_.trust(),
          books_.session(),
          books_.ledger(),
          books_.ledger_error(),
          books_.places().policy_directory,
          books_.places().owner,
          time_,
          [this](const std::string& action) { return actions_.contains(action); },
          [in_flight](const std::string& target) { return in_flight->contains(target); }};
}

std::variant<Frame, std::unique_ptr<Executor::Job>> Executor::admit(std::string_view envelope) {
  MutexLock lock(mutex_);
  if (const auto opened = books_.open(in_flight_.empty()); !opened)
    return Frame{FrameKind::kError, opened.error().message()};
  auto admission = executor::admit(envelope, context());
  Received& received = admission.received;
  switch (admission.admittance) {
    case Admittance::kDone:
      return Frame{FrameKind::kResult, std::move(admission.result)};
    case Admittance::kAtWork:
      return Frame{FrameKind::kError, "this command is at work; its result will be told"};
    case Admittance::kAdmitted:
      in_flight_.insert(received.target);
      return std::make_unique<Job>(Job{std::move(received)});
    case Admittance::kRefused:
      break;
  }
  log::warning("refused (" + std::string(admission.refusal.reason) +
               "): " + log::printable(admission.refusal.message));
  auto result = begin_result(received, books_.trust());
  set_refused(result, admission.refusal);
  result.finished_ms = time_.wall_ms();
  auto bytes = sign_result(std::move(result), books_.trust().result_key());
  if (received.in_ledger && books_.ledger() != nullptr) {
    if (const auto stored = books_.ledger()->finish(received.command.id, bytes); !stored)
      log::error("ledger: " + stored.error().message());
    ignore(books_.ledger()->prune(received.now_ms), "what is too much goes with the next command");
  }
  return Frame{FrameKind::kResult, std::move(bytes)};
}

Frame Executor::finish(const Received& received, wire::CommandResult result, bool recover_later) {
  result.finished_ms = time_.wall_ms();
  log::info(describe(received) + ": " + std::string(wire::to_string(result.outcome)) +
            (result.reason.empty() ? "" : " (" + result.reason + ")") +
            (result.message.empty() ? "" : ", " + log::printable(result.message)));
  MutexLock lock(mutex_);
  in_flight_.erase(received.target);
  in_flight_.erase(received.asked_for);
  auto bytes = sign_result(std::move(result), books_.trust().result_key());
  if (Ledger* ledger = books_.ledger()) {
    if (const auto stored = ledger->finish(received.command.id, bytes, recover_later); !stored)
      log::error("ledger: " + stored.error().message());
    ignore(ledger->prune(received.now_ms), "what is too much goes with the next command");
  }
  return {FrameKind::kResult, std::move(bytes)};
}

Frame Executor::turn_away(std::unique_ptr<Job> job) {
  wire::CommandResult result;
  {
    MutexLock lock(mutex_);
    result = begin_result(job->received, books_.trust());
  }
  set_refused(result, {refusals::kBusy, "too many commands wait for their turn on this host"});
  return finish(job->received, std::move(result));
}

void Executor::end_phase() const {
  if (between_) between_();
}

Frame Executor::run(std::unique_ptr<Job> job) {
  end_phase();
  auto told = do_job(job->received);
  end_phase();
  return told;
}

Check Executor::judge_again(Received& received, wire::CommandResult& result) {
  auto refused = check_again(received, context());
  result.policy = received.policy->hash;
  host_.lists = received.policy->lists;
  return refused;
}

Frame Executor::do_job(Received& received) {
  recover_left(text::split(received.intent.action, '.').front());
  wire::CommandResult result;
  std::optional<Refusal> refused;
  {
    MutexLock lock(mutex_);
    result = begin_result(received, books_.trust());
    refused = judge_again(received, result);
  }
  if (refused) {
    set_refused(result, *refused);
    return finish(received, std::move(result));
  }
  Action& action = *actions_.at(received.intent.action);
  Run looking(clock_, clock_.steady_now() + std::chrono::milliseconds(received.intent.timeout_ms),
              received.intent.output_limit);
  if (!received.is_dry_run()) looking.look_for(received.intent.state);
  const auto seen = action.assess(received.parameters, looking);
  if (!seen) {
    set_refused(result, refusal_of(seen.error()));
    return finish(received, std::move(result));
  }
  refused = settle_target(received, seen->target);
  result.target = received.target;
  if (refused) {
    set_refused(result, *refused);
    return finish(received, std::move(result));
  }
  set_assessed(result, *seen);
  if (received.is_dry_run()) {
    looking.finish_step();
    set_run(result, looking);
    result.outcome = wire::ResultOutcome::kDryRun;
    add_approvals_needed(result, received.policy->approvals[received.manifest->tier]);
    result.downtime_ms = seen->downtime_ms;
    return finish(received, std::move(result));
  }
  refused = begin(received, result, *seen);
  if (refused) {
    set_refused(result, *refused);
    return finish(received, std::move(result));
  }
  end_phase();
  const bool recover_later = act(received, action, *seen, result);
  end_phase();
  return finish(received, std::move(result), recover_later);
}

// From here on the lock is on the host's own name too.
Check Executor::settle_target(Received& received, const std::string& found) {
  MutexLock lock(mutex_);
  if (auto refused = check_target(received, found, context())) {
    received.target = received.asked_for;  // The other name's lock is not ours to open
    return refused;
  }
  in_flight_.insert(received.target);
  return std::nullopt;
}

// The last checks, and STARTED on disk.
Check Executor::begin(Received& received, wire::CommandResult& result, const Assessment& seen) {
  if (result.state_before != received.intent.state)
    return Refusal{refusals::kStale,
                   received.target + " is not as it was when this was approved: plan it again"};
  if (wire::diff_digest(seen.diff) != received.intent.diff)
    return Refusal{refusals::kDiffChanged,
                   "something else would change now than what was approved: plan it again"};
  MutexLock lock(mutex_);
  if (auto refused = judge_again(received, result)) return refused;
  result.started_ms = time_.wall_ms();
  auto draft = result;
  draft.outcome = wire::ResultOutcome::kInterrupted;
  auto bytes = wire::encode_result(draft);
  if (!bytes) return Refusal{refusals::kPrecondition, bytes.error().message()};
  const auto now_ms = books_.session().trusted_ms().value_or(received.now_ms);
  const auto started =
      books_.ledger()->start({received.command.id, wire::digest_of(received.command.intent),
                              received.target, received.intent.action, now_ms, *bytes, seen.state});
  if (started) return std::nullopt;
  result.started_ms = 0;
  return Refusal{refusals::kLedger, "the ledger cannot be written: " + started.error().message()};
}

bool Executor::act(const Received& received, Action& action, const Assessment& seen,
                   wire::CommandResult& result) {
  const auto& intent = received.intent;
  const std::string id = text::to_hex(received.command.id);
  log::info("begins: " + describe(received) + ", asked for by " + log::printable(intent.requester));
  const auto began = clock_.steady_now();
  Run run(clock_, began + std::chrono::milliseconds(intent.timeout_ms), intent.output_limit, id);
  const auto acted = action.execute(received.parameters, seen, run);
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.steady_now() - began);
  if (seen.downtime_ms > 0) result.downtime_ms = static_cast<std::uint32_t>(took.count());
  if (acted) {
    auto changed = action.verify(received.parameters, seen, run);
    if (changed) {
      result.outcome = wire::ResultOutcome::kSucceeded;
      if (*changed != seen.diff) result.message = "what changed is not all that was foreseen";
      result.diff = std::move(*changed);
    } else {
      set_failed(result, kPostConditionReason, changed.error());
    }
  } else {
    set_failed(result, kFailedReason, acted.error());
  }
  run.finish_step();
  set_run(result, run);
  bool recover_later = run.is_to_recover();
  if (result.outcome == wire::ResultOutcome::kFailed && intent.roll_back)
    recover_later = undo(received, action, seen, result);
  assess_after(received, action, result);
  return recover_later;
}

// Time of its own: what failed may have failed because its time was over.
bool Executor::undo(const Received& received, Action& action, const Assessment& seen,
                    wire::CommandResult& result) {
  const auto& intent = received.intent;
  Run run(clock_, clock_.steady_now() + std::chrono::milliseconds(intent.timeout_ms),
          intent.output_limit, text::to_hex(received.command.id));
  const auto undone = action.undo(received.parameters, seen, run);
  run.finish_step();
  for (const auto& step : run.steps()) {
    if (result.steps.size() == wire::kMaxSteps) break;
    result.steps.push_back({"undo: " + step.name, step.detail, step.duration_ms});
  }
  if (!undone) {
    result.message += "; it could not be undone: " + undone.error().message();
    return run.is_to_recover();
  }
  result.outcome = wire::ResultOutcome::kRolledBack;
  result.message = "undone after: " + result.reason + ": " + result.message;
  result.reason.clear();
  result.diff.clear();
  return false;
}

// For the next plan; a target that is gone, as it should be, has no state.
void Executor::assess_after(const Received& received, Action& action, wire::CommandResult& result) {
  Run run(clock_, clock_.steady_now() + std::chrono::milliseconds(wire::kLookAfterMs), 0);
  const auto after = action.assess(received.parameters, run);
  if (after) result.state_after = wire::digest_of(after->state);
}

}  // namespace observeai::agent::executor
