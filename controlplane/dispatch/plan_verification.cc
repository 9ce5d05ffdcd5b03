// Whether it worked, on each host and for the plan, and whether the next wave begins.
#include <algorithm>

#include "controlplane/dispatch/gather.h"
#include "controlplane/dispatch/plan_runner.h"
#include "controlplane/plan/waves.h"

namespace observeai::controlplane::dispatch {

namespace {

using approval::PlanEvent;
using approval::TargetEvent;
using T = model::TargetState;

std::string of_all(std::size_t count, const PlanEdit& edit) {
  return std::to_string(count) + " of " + std::to_string(edit.targets().size());
}

// Of the first host that failed: what the host said, or what verification found. "" = none did.
std::string first_failure(const PlanEdit& edit) {
  for (const auto& one : edit.targets()) {
    if ((one.state == T::kFailed || one.state == T::kRefused) && !one.detail.empty())
      return one.agent.value() + ": " + one.detail;
  }
  return "";
}

std::string why_stopped(plan::WaveVerdict verdict, const plan::WaveCounts& counts) {
  if (verdict == plan::WaveVerdict::kAbort) {
    return "stopped: " + std::to_string(counts.plan.failed) + " of " +
           std::to_string(counts.plan.ended()) + " failed";
  }
  std::string parts;
  const auto say = [&](std::size_t count, const char* word) {
    if (count > 0) parts += (parts.empty() ? "" : ", ") + std::to_string(count) + " " + word;
  };
  say(counts.wave.silent, "did not answer");
  say(counts.wave.unclear, "answered and cannot be verified");
  say(counts.wave.not_sent, "could not be sent it");
  return "stopped: of " + std::to_string(counts.hosts) + " in this wave " + parts;
}

}  // namespace

Result<void> PlanRunner::verify(PlanEdit& edit) {
  for (auto& target : edit.targets()) {
    if (target.state != T::kVerifying) continue;
    TRY(const auto input, gather_signals(world_, edit.plan(), target));
    auto verdict = plan::verify(input);
    const bool is_news =
        verdict.outcome != plan::Outcome::kWait || target.verification != verdict.findings;
    if (is_news) target.verification = std::move(verdict.findings);
    switch (verdict.outcome) {
      case plan::Outcome::kVerified:
        edit.fire(target, TargetEvent::kVerified, verdict.sentence);
        break;
      case plan::Outcome::kBroken:
        edit.fire(target, TargetEvent::kBroken, verdict.sentence);
        break;
      case plan::Outcome::kUnclear:
        edit.fire(target, TargetEvent::kUnclear, verdict.sentence);
        break;
      case plan::Outcome::kWait:
        if (!is_news && target.detail == verdict.sentence) break;
        target.detail = verdict.sentence;
        edit.touch(target);
        break;
    }
  }
  if ((edit.count(T::kVerifying) > 0)) return {};
  return end_wave(edit);
}

Result<void> PlanRunner::end_wave(PlanEdit& edit) {
  const auto counts = plan::count_wave(edit.targets(), edit.plan().wave);
  const auto verdict = plan::judge(counts, plan::kWaveLimits);
  std::vector<model::PlanTargetRecord> rest;
  for (const auto& target : edit.targets()) {
    if (target.state == T::kSimulated && target.wave > edit.plan().wave) rest.push_back(target);
  }
  if (rest.empty() || edit.plan().is_stopping) {
    finish(edit, edit.plan().stop_reason);
    return {};
  }
  if (verdict != plan::WaveVerdict::kGoOn) {
    finish(edit, why_stopped(verdict, counts));
    return {};
  }
  TRY(const auto facts, gather_facts(world_, edit.plan(), rest));
  const auto checks = plan::run_checks(facts);
  if (!plan::may_go_on(checks)) {
    edit.edit().checks = checks;
    edit.edit().is_stopping = true;
    finish(edit, "stopped between waves: " + plan::why_not(checks));
    return {};
  }
  ++edit.edit().wave;
  edit.fire(PlanEvent::kNextWave, "");
  return {};
}

void PlanRunner::finish(PlanEdit& edit, const std::string& why) {
  const auto failed = edit.count(T::kFailed) + edit.count(T::kRefused);
  const auto unclear = edit.count(T::kInconclusive);
  const auto undone = edit.count(T::kRolledBack);
  const auto done = edit.count(T::kSucceeded);
  const auto missed = edit.count(T::kSimulated);
  std::string detail = why;
  const auto say = [&](std::size_t count, const char* word) {
    if (count > 0) detail += (detail.empty() ? "" : "; ") + of_all(count, edit) + " " + word;
  };
  say(failed, "failed");
  if (const auto finding = first_failure(edit); !finding.empty()) detail += " (" + finding + ")";
  say(undone, "put back");
  say(unclear, "inconclusive");
  say(done, "succeeded");
  say(missed, "never sent");
  const bool none_tried = failed + unclear + undone + done == 0;
  if (failed > 0 || none_tried) {
    edit.fire(PlanEvent::kBroken, detail);
  } else if (undone > 0) {
    edit.fire(PlanEvent::kUndone, detail);
  } else if (unclear > 0 || (missed > 0 && !edit.plan().is_stopping)) {
    edit.fire(PlanEvent::kUnclear, detail);
  } else if (done < edit.targets().size()) {
    edit.fire(PlanEvent::kStopped, detail);
  } else {
    edit.fire(PlanEvent::kVerified, detail);
  }
}

}  // namespace observeai::controlplane::dispatch
