#include "controlplane/plan/verification.h"

#include <algorithm>

#include "protocol/base/text.h"

namespace observeai::controlplane::plan {
namespace {

using model::CheckFinding;
using model::Verdict;

constexpr const char* kDockerRestart = "docker.restart";
constexpr const char* kDockerStop = "docker.stop";
constexpr const char* kUpdateMemory = "docker.update_memory";

bool is_container(const VerificationInput& input) {
  return input.target.target.starts_with("container/");
}
bool is_unit(const VerificationInput& input) {
  return input.target.target.starts_with("unit/");
}
// Whether it must run afterwards.
bool must_run(const VerificationInput& input) {
  const auto& action = input.plan.action;
  return action == kDockerRestart || action == "docker.start" || action == kUpdateMemory ||
         action == "docker.rollback_image" || action == "systemd.restart";
}

// Not yet: as opposed to a verdict.
struct Look {
  Outcome outcome = Outcome::kVerified;
  CheckFinding finding;
};

Look look(const char* name, Outcome outcome, std::string value, std::string sentence) {
  const auto verdict = outcome == Outcome::kVerified ? Verdict::kPass
                       : outcome == Outcome::kBroken ? Verdict::kFail
                                                     : Verdict::kWarn;
  return {outcome, {name, verdict, std::move(value), std::move(sentence)}};
}

Look not_asked(const char* name, std::string sentence) {
  return {Outcome::kVerified, {name, Verdict::kNotApplicable, "", std::move(sentence)}};
}

Look running(const VerificationInput& input) {
  constexpr const char* kName = "state";
  const auto& now = *input.now;
  if (input.plan.action == kDockerStop) {
    const bool stopped = !now.exists || now.state == "exited" || now.state == "dead";
    return look(kName, stopped ? Outcome::kVerified : Outcome::kWait, now.state,
                "it should be stopped");
  }
  if (input.plan.action == "systemd.reset_failed") {
    return look(kName, now.state == "failed" ? Outcome::kWait : Outcome::kVerified, now.state,
                "it should not be failed");
  }
  if (!must_run(input)) return not_asked(kName, "the action says nothing about its state");
  if (!now.exists) return look(kName, Outcome::kWait, "gone", "it should run");
  const bool runs =
      now.state == (is_unit(input) ? "active" : "running") ||
      // A service that does its work and ends is not active before, and not after.
      (is_unit(input) && input.target.baseline.state == "inactive" && now.state == "inactive");
  return look(kName, runs ? Outcome::kVerified : Outcome::kWait, now.state, "it should run");
}

Look health(const VerificationInput& input) {
  constexpr const char* kName = "health";
  if (!must_run(input) || !input.now->exists || input.now->health.empty())
    return not_asked(kName, "it has no health check of its own");
  if (input.now->health == "healthy")
    return look(kName, Outcome::kVerified, "healthy", "its own health check says so");
  return look(kName, Outcome::kWait, input.now->health, "its own health check should pass");
}

// Started once by the action; every further start is a crash.
Look stable(const VerificationInput& input) {
  constexpr const char* kName = "restarts";
  if (!must_run(input) || !input.now->exists) return not_asked(kName, "it need not run");
  const auto before = input.target.baseline.restarts;
  const auto now = input.now->restarts;
  // A restart by hand resets Docker's counter; a unit's counts automatic ones only.
  if (now > before || (now > 0 && now != before)) {
    return look(kName, Outcome::kBroken, std::to_string(now) + ", before " + std::to_string(before),
                "it has restarted by itself since");
  }
  const auto watched = is_unit(input) ? kUnitStableMs : kStableMs;
  if (input.host_seen_ms - input.target.done_ms < watched) {
    return look(kName, Outcome::kWait, std::to_string(now),
                "it is watched for " + text::format_duration_ms(watched));
  }
  return look(kName, Outcome::kVerified, std::to_string(now), "it has not restarted by itself");
}

Look intended(const VerificationInput& input) {
  constexpr const char* kName = "as_intended";
  if (input.plan.action == kUpdateMemory) {
    const auto found = input.plan.parameters.find("memory_bytes");
    const auto* wanted =
        found == input.plan.parameters.end() ? nullptr : std::get_if<std::int64_t>(&found->second);
    if (wanted == nullptr) return not_asked(kName, "the plan names no limit");
    const bool same = input.now->memory_limit_bytes == static_cast<std::uint64_t>(*wanted);
    return look(kName, same ? Outcome::kVerified : Outcome::kWait,
                text::format_bytes(static_cast<double>(input.now->memory_limit_bytes)),
                "the limit should be " + text::format_bytes(static_cast<double>(*wanted)));
  }
  if (input.plan.action == "docker.rollback_image") {
    const auto found = input.plan.parameters.find("image");
    const auto* wanted =
        found == input.plan.parameters.end() ? nullptr : std::get_if<std::string>(&found->second);
    if (wanted == nullptr) return not_asked(kName, "the plan names no image");
    const bool same = input.now->image == *wanted || input.now->image_id == *wanted;
    return look(kName, same ? Outcome::kVerified : Outcome::kWait, input.now->image,
                "it should run " + *wanted);
  }
  if (input.plan.action == kDockerRestart || input.plan.action == "docker.start") {
    const bool anew = input.now->started_ms > input.target.baseline.started_ms;
    return look(kName, anew ? Outcome::kVerified : Outcome::kWait,
                anew ? "started anew" : "not started anew", "it should have started anew");
  }
  const auto before = input.target.baseline.main_pid;
  if (input.plan.action == "systemd.restart" && before != 0) {
    const bool anew = input.now->main_pid != before;
    return look(kName, anew ? Outcome::kVerified : Outcome::kWait,
                "main process " + std::to_string(input.now->main_pid),
                "it should be another one than " + std::to_string(before));
  }
  return not_asked(kName, "the state above is what was intended");
}

Look symptom(const VerificationInput& input) {
  constexpr const char* kName = "symptom";
  const auto& wanted = input.plan.symptom;
  if (wanted.metric.empty()) return not_asked(kName, "the plan names no symptom");
  if (input.symptom.size() < kSymptomSamples) {
    return look(kName, Outcome::kWait, std::to_string(input.symptom.size()) + " samples",
                "3 samples of " + wanted.metric + " are needed");
  }
  const auto inside = [&](const model::Point& point) {
    return point.value >= wanted.low && point.value <= wanted.high;
  };
  const bool back = std::all_of(input.symptom.end() - kSymptomSamples, input.symptom.end(), inside);
  return look(kName, back ? Outcome::kVerified : Outcome::kWait,
              std::to_string(input.symptom.back().value),
              wanted.metric + (back ? " is back in its band" : " is outside of its band"));
}

// An action on the host itself: its post-condition was measured there; from here only the host's life shows.
Look host_side(const VerificationInput& input) {
  constexpr const char* kName = "host";
  if (input.host_seen_ms <= input.target.done_ms)
    return look(kName, Outcome::kWait, "not heard since", "the host should go on reporting");
  return look(kName, input.host_says_done ? Outcome::kVerified : Outcome::kWait, "reports",
              "the host measured the post-condition and goes on reporting");
}

Look process_gone(const VerificationInput& input) {
  constexpr const char* kName = "state";
  if (!input.process_runs || input.host_seen_ms - input.target.done_ms < kStableMs)
    return look(kName, Outcome::kWait, "not seen since", "the newest processes are awaited");
  if (*input.process_runs)
    return look(kName, Outcome::kWait, "runs", "the host still reports this process");
  return look(kName, Outcome::kVerified, "gone", "the host does not report it any more");
}

// A program of the site: that it ended with 0 is all that the host knows of its effect.
Look effect(const VerificationInput& input) {
  constexpr const char* kName = "effect";
  if (input.plan.action != "runbook" || !input.plan.symptom.metric.empty())
    return not_asked(kName, "the signals around this line tell it");
  return look(kName, Outcome::kUnclear, "exit code only",
              "what it should have changed is not known: name a --symptom in the plan");
}

Look neighbours() {
  return not_asked("neighbours", "anomalies one hop away are not looked for yet");
}

std::vector<Look> look_at(const VerificationInput& input) {
  if (input.target.target.starts_with("process/"))
    return {host_side(input), process_gone(input), symptom(input), neighbours()};
  if (!is_container(input) && !is_unit(input))
    return {host_side(input), effect(input), symptom(input), neighbours()};
  // Its inventory comes before its later signs of life, and says nothing when nothing changes.
  if (!input.now || input.host_seen_ms <= input.target.done_ms) {
    return {look("inventory", Outcome::kWait, "not heard since",
                 "what the host found since is needed")};
  }
  return {running(input),  health(input),  stable(input),
          intended(input), symptom(input), neighbours()};
}

}  // namespace

Verification verify(const VerificationInput& input) {
  Verification out;
  out.outcome = Outcome::kVerified;
  if (input.plan.tier == 0) {
    out.findings.push_back({"result", input.host_says_done ? Verdict::kPass : Verdict::kFail, "",
                            "it only reads: the signed answer is the outcome"});
    out.outcome = input.host_says_done ? Outcome::kVerified : Outcome::kBroken;
    out.sentence = out.findings.back().sentence;
    return out;
  }
  for (auto& one : look_at(input)) {
    if (one.outcome == Outcome::kBroken) out.outcome = Outcome::kBroken;
    if (one.outcome == Outcome::kWait && out.outcome != Outcome::kBroken)
      out.outcome = Outcome::kWait;
    // Waiting does not tell it either; but first the others have their say.
    if (one.outcome == Outcome::kUnclear && out.outcome == Outcome::kVerified)
      out.outcome = Outcome::kUnclear;
    if (one.outcome != Outcome::kVerified && out.sentence.empty())
      out.sentence = one.finding.name + " (" + one.finding.value + "): " + one.finding.sentence;
    out.findings.push_back(std::move(one.finding));
  }
  if (out.outcome == Outcome::kVerified) out.sentence = "the target's own signals are as intended";
  if (out.outcome != Outcome::kWait || input.now_ms - input.target.done_ms < kVerificationMs)
    return out;
  // A signal that came and contradicts is a failure; one that did not come tells nothing.
  const bool contradicts =
      std::any_of(out.findings.begin(), out.findings.end(), [](const CheckFinding& one) {
        return one.verdict == Verdict::kWarn &&
               (one.name == "state" || one.name == "health" || one.name == "as_intended" ||
                (one.name == "symptom" && one.sentence.ends_with("outside of its band")));
      });
  out.outcome = contradicts ? Outcome::kBroken : Outcome::kUnclear;
  return out;
}

}  // namespace observeai::controlplane::plan
