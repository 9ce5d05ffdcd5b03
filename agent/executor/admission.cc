#include "agent/executor/admission.h"

#include <algorithm>

#include "protocol/actions/catalogue.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/refusals.h"

namespace observeai::agent::executor {
namespace {

namespace refusals = wire::refusals;

constexpr std::int64_t kHourMs = 3'600'000;

// What a crash makes of a command that was received and not begun.
Result<std::string> first_draft(const Received& received, const Trust& trust) {
  wire::CommandResult draft;
  draft.command_id = received.command.id;
  draft.command_sha256 = received.sha256;
  draft.tenant = trust.tenant();
  draft.agent = trust.agent();
  draft.session = received.session;
  draft.seq = received.command.seq;
  draft.outcome = wire::ResultOutcome::kRefused;
  draft.reason = refusals::kInterrupted;
  draft.message = "the executor ended before it began; nothing was done";
  draft.received_ms = received.received_ms;
  return wire::encode_result(draft);
}

Refusal ledger_refusal(const std::string& why) {
  return {refusals::kLedger, "the ledger cannot be used: " + why};
}

// Takes the command into the ledger; or says what it knows of it.
Admission enter_ledger(Received& received, const AdmissionContext& context) {
  Admission out;
  const auto refuse = [&out](Refusal refusal) {
    out.admittance = Admittance::kRefused;
    out.refusal = std::move(refusal);
    return out;
  };
  if (context.ledger == nullptr) return refuse(ledger_refusal(context.ledger_error));
  Ledger& ledger = *context.ledger;
  auto known = ledger.find(received.command.id);
  if (!known) return refuse(ledger_refusal(known.error().message()));
  if (*known && (*known)->sha256 != received.sha256)
    return refuse({refusals::kReplayed, "another command had this id"});
  if (*known && (*known)->state == Ledger::State::kDone) {
    out.admittance = Admittance::kDone;
    out.result = std::move((*known)->result);
    return out;
  }
  if (*known) {
    out.admittance = Admittance::kAtWork;
    return out;
  }
  const auto highest = ledger.highest_sequence();
  if (!highest) return refuse(ledger_refusal(highest.error().message()));
  const std::uint64_t seen = std::max(*highest, context.session.sequence());
  if (received.command.seq <= seen)
    return refuse({refusals::kSequence, "number " + std::to_string(received.command.seq) +
                                            " comes after number " + std::to_string(seen)});
  const auto draft = first_draft(received, context.trust);
  if (!draft) return refuse(ledger_refusal(draft.error().message()));
  // The session first: what the ledger loses with a restored disk is still here.
  if (const auto noted = context.session.note_sequence(received.command.seq); !noted)
    return refuse(ledger_refusal(noted.error().message()));
  const auto entered = ledger.receive({received.command.id, received.sha256, received.command.seq,
                                       !received.is_dry_run(), received.now_ms, *draft});
  if (!entered) return refuse(ledger_refusal(entered.error().message()));
  received.in_ledger = true;
  out.admittance = Admittance::kAdmitted;
  return out;
}

Check check_switches(Received& received, const AdmissionContext& context) {
  if (!received.is_dry_run() && is_disabled(context.policy_directory))
    return Refusal{refusals::kDisabled, "commands are switched off on this host: " +
                                            kill_switch_path(context.policy_directory)};
  auto policy = load_policy(context.policy_directory, context.policy_owner);
  if (!policy) return Refusal{refusals::kPolicyUnreadable, policy.error().message()};
  received.policy = std::make_shared<const Policy>(std::move(*policy));
  return std::nullopt;
}

Check check_rate(const Received& received, const AdmissionContext& context) {
  const auto all = context.ledger->started_since(received.now_ms - kHourMs);
  const auto same =
      context.ledger->started_since(received.now_ms - kHourMs, received.intent.action);
  if (!all || !same) return ledger_refusal((all ? same : all).error().message());
  if (*all >= received.policy->max_per_hour)
    return Refusal{refusals::kRate, std::to_string(*all) +
                                        " commands in the last hour, this host "
                                        "allows " +
                                        std::to_string(received.policy->max_per_hour)};
  if (received.max_per_hour && *same >= *received.max_per_hour)
    return Refusal{refusals::kRate, received.intent.action + " ran " + std::to_string(*same) +
                                        " times in the last hour, this host allows " +
                                        std::to_string(*received.max_per_hour)};
  return std::nullopt;
}

Check check_cooldown(const Received& received, const AdmissionContext& context) {
  if (received.cooldown.count() == 0) return std::nullopt;
  const auto last = context.ledger->last_started(received.target);
  if (!last) return ledger_refusal(last.error().message());
  if (!*last || received.now_ms - **last >= received.cooldown.count()) return std::nullopt;
  return Refusal{refusals::kCooldown,
                 "the last command for " + received.target + " began " +
                     text::format_duration_ms(std::max<std::int64_t>(received.now_ms - **last, 0)) +
                     " ago, this host waits " +
                     text::format_duration_ms(received.cooldown.count())};
}

// One approval is one execution, whatever came of it.
Check check_unused(const Received& received, const AdmissionContext& context) {
  if (received.is_dry_run()) return std::nullopt;
  const auto started = context.ledger->was_started(wire::digest_of(received.command.intent));
  if (!started) return ledger_refusal(started.error().message());
  if (!*started) return std::nullopt;
  return Refusal{refusals::kReplayed,
                 "what was approved has been executed on this host: plan it again"};
}

Check check_policy(Received& received, const AdmissionContext& context) {
  const auto& policy = *received.policy;
  if (received.command.policy != wire::Digest{} && received.command.policy != policy.hash)
    return Refusal{refusals::kPolicy, "this host's policy changed since the plan was simulated"};
  const auto verdict = judge(policy, *received.manifest, received.target, received.parameters,
                             received.command.mode, received.now_ms);
  if (verdict.refused != nullptr) return Refusal{verdict.refused, verdict.message};
  received.cooldown = verdict.cooldown;
  received.max_per_hour = verdict.max_per_hour;
  if (received.is_dry_run()) return std::nullopt;
  return check_rate(received, context);
}

Check check_lock(const Received& received, const AdmissionContext& context) {
  if (!context.in_flight(received.target)) return std::nullopt;
  return Refusal{refusals::kBusy, "another command is at work on " + received.target};
}

// From the kill switch on: the command is in the ledger.
Check check_allowed(Received& received, const AdmissionContext& context) {
  if (auto refused = check_switches(received, context)) return refused;
  if (auto refused = check_action(received, context)) return refused;
  const std::uint32_t needed = received.policy->approvals[received.manifest->tier];
  if (auto refused = check_approvals(received, context.trust.root(), needed)) return refused;
  if (auto refused = check_unused(received, context)) return refused;
  return check_policy(received, context);
}

Check check_rest(Received& received, const AdmissionContext& context) {
  if (auto refused = check_allowed(received, context)) return refused;
  if (auto refused = check_lock(received, context)) return refused;
  if (received.is_dry_run()) return std::nullopt;
  return check_cooldown(received, context);
}

}  // namespace

Check check_action(Received& received, const AdmissionContext& context) {
  const auto& intent = received.intent;
  const auto* manifest = actions::find(intent.action);
  if (manifest == nullptr || !context.can_do(intent.action))
    return Refusal{refusals::kUnknownAction,
                   "this host does not know the action " +
                       text::escape_unprintable(intent.action, signing::kMaxNameBytes)};
  if (manifest->version != intent.action_version ||
      actions::manifest_hash(*manifest) != intent.manifest)
    return Refusal{refusals::kWrongManifest,
                   intent.action + " means something else on this host: it has version " +
                       std::to_string(manifest->version) + ", the command names " +
                       std::to_string(intent.action_version)};
  if (const auto checked = actions::check_parameters(*manifest, intent.parameters); !checked)
    return Refusal{refusals::kBadParameter, checked.error().message()};
  if (intent.roll_back && !manifest->undo)
    return Refusal{refusals::kBadParameter, intent.action + " cannot be undone by itself"};
  received.manifest = manifest;
  received.parameters = actions::with_defaults(*manifest, intent.parameters);
  received.target = received.asked_for = actions::target_of(*manifest, received.parameters);
  if (intent.tier != manifest->tier)
    return Refusal{refusals::kWrongTier, intent.action + " is of tier " +
                                             std::to_string(manifest->tier) +
                                             ", the command says " + std::to_string(intent.tier)};
  return std::nullopt;
}

namespace {

Check check_all_again(Received& received, const std::string& target,
                      const AdmissionContext& context) {
  const auto now_ms = context.session.trusted_ms();
  received.now_ms = now_ms.value_or(received.now_ms);
  std::vector<signing::SignerKey> signers;
  const auto& root = context.trust.root();
  if (auto refused = check_envelope(received.envelope, root, received, signers)) return refused;
  if (auto refused = check_addressee(received, signers, context, now_ms)) return refused;
  if (auto refused = check_allowed(received, context)) return refused;
  if (target != received.target) {
    received.target = target;
    if (auto refused = check_policy(received, context)) return refused;
  }
  if (received.is_dry_run()) return std::nullopt;
  return check_cooldown(received, context);
}

}  // namespace

Admission admit(std::string_view envelope, const AdmissionContext& context) {
  Admission out;
  Received& received = out.received;
  if (const auto looked = context.session.refresh(); !looked)
    log::error("session: " + looked.error().message());
  // Fixed here: no check sees another time than the one before it.
  const auto now_ms = context.session.trusted_ms();
  received.now_ms = now_ms.value_or(0);
  received.received_ms = context.time.wall_ms();
  received.session = context.session.nonce();
  std::vector<signing::SignerKey> signers;
  if (auto refused = check_envelope(envelope, context.trust.root(), received, signers)) {
    out.refusal = std::move(*refused);
    return out;
  }
  if (auto refused = check_addressee(received, signers, context, now_ms)) {
    out.refusal = std::move(*refused);
    return out;
  }
  received.envelope = envelope;
  auto entered = enter_ledger(received, context);
  out.admittance = entered.admittance;
  out.refusal = std::move(entered.refusal);
  out.result = std::move(entered.result);
  if (out.admittance != Admittance::kAdmitted) return out;
  if (auto refused = check_rest(received, context)) {
    out.admittance = Admittance::kRefused;
    out.refusal = std::move(*refused);
  }
  return out;
}

Check check_target(Received& received, const std::string& target, const AdmissionContext& context) {
  if (target.empty() || target == received.target) return std::nullopt;
  received.target = target;
  // Both names must be allowed: a rule for names that begin with "a" is none for ids that do.
  if (auto refused = check_policy(received, context)) return refused;
  return check_lock(received, context);
}

Check check_again(Received& received, const AdmissionContext& context) {
  if (const auto looked = context.session.refresh(); !looked)
    return Refusal{refusals::kTimeUnknown, looked.error().message()};
  if (context.ledger == nullptr) return ledger_refusal(context.ledger_error);
  const std::string target = received.target;
  auto refused = check_all_again(received, target, context);
  received.target = target;
  return refused;
}

}  // namespace observeai::agent::executor
