#include "controlplane/signer/signing_service.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "controlplane/signer/refusal.h"
#include "protocol/base/log.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane::signer {
namespace {

namespace words = wire::refusals;

constexpr std::chrono::minutes kForgetEvery(10);
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::string_view kTenantRate = "tenant/";
constexpr std::string_view kAgentRate = "agent/";
constexpr const char* kAllTimes = "all agents";
constexpr auto kMaxSequence = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

std::string sign(const char* type, std::string payload, const signing::SigningKeyPair& key) {
  signing::SignedEnvelope envelope{type, std::move(payload), {}};
  signing::add_signature(envelope, key);
  return wire::encode_envelope(envelope);
}

Leaf leaf_of(const wire::Command& command) {
  return {command.batch_root, command.batch_index};
}

}  // namespace

SigningService::SigningService(SigningKeys keys, SignerState& state, std::string roots_directory,
                               std::string root_sha256, const SigningLimits& limits,
                               const Clock& clock, BootClock boot_ms)
    : keys_(std::move(keys)),
      roots_directory_(std::move(roots_directory)),
      root_sha256_(std::move(root_sha256)),
      clock_(clock),
      boot_ms_(std::move(boot_ms)),
      rules_(keys_.signer.public_key(), limits.max_lifetime_ms),
      max_agents_(limits.max_agents),
      state_(state),
      tenants_("commands for tenant", limits.commands_of_tenant),
      agents_("commands for agent", limits.commands_of_agent),
      times_("time statements for agent", limits.times_of_agent),
      all_times_("time statements for", limits.times_of_all) {}

Result<std::unique_ptr<SigningService>> SigningService::open(
    SigningKeys keys, SignerState& state, const std::string& roots_directory,
    std::string root_sha256, const SigningLimits& limits, const Clock& clock, BootClock boot_ms) {
  std::unique_ptr<SigningService> service(
      new SigningService(std::move(keys), state, roots_directory, std::move(root_sha256), limits,
                         clock, std::move(boot_ms)));
  auto chain = RootChain::open(roots_directory);
  if (!chain && chain.error().code() != Errc::kNotFound) return std::move(chain).error();
  const MutexLock lock(service->mutex_);
  TRY_VOID(service->watch_.look(clock.unix_ms(), service->boot_ms_()));
  TRY_VOID(service->restore_rates());
  if (chain) {
    service->chain_ = std::move(*chain);
    service->root_changed();
  }
  return service;
}

void SigningService::root_changed() {
  root_ = chain_->newest();
  approvals_.trust(root_);
}

Result<void> SigningService::may_sign() const {
  if (root_.version > 0) return {};
  return refusal(kNoRoot, "the signer was told no root metadata yet");
}

// One approval is for one execution; a refusal that passes is no reason to ask persons again.
Result<void> SigningService::check_leaf(const OpenedCommand& opened, const Advance& staged) {
  if (opened.command.mode != wire::CommandMode::kExecute) return {};
  const auto leaf = leaf_of(opened.command);
  const auto found = staged.leaves.find(leaf);
  TRY(auto count, state_.leaf_count(leaf));
  if (found != staged.leaves.end()) count += found->second;
  if (count < kMaxSignaturesOfIntent) return {};
  return refusal(kUsedUp, "what was approved for agent " + opened.intent.agent.value() +
                              " was signed " + std::to_string(count) +
                              " times already: make a new plan");
}

// Sequence, revocation, approvals used and rates, which need memory.
Result<void> SigningService::check_memory(const OpenedCommand& opened, const Advance& staged) {
  const std::string& agent = opened.intent.agent.value();
  if (state_.is_revoked(agent)) return refusal(kRevoked, "agent " + agent + " is shut out");
  const auto found = staged.sequences.find(agent);
  const auto highest = found == staged.sequences.end() ? state_.sequence(agent) : found->second;
  if (opened.command.seq <= highest || opened.command.seq > kMaxSequence) {
    return refusal(words::kSequence, "sequence " + std::to_string(opened.command.seq) +
                                         " of agent " + agent + " is not above " +
                                         std::to_string(highest));
  }
  if (!state_.knows(agent) && state_.agents() + staged.sequences.size() >= max_agents_) {
    return Error(Errc::kLimit, "rate: commands for " + std::to_string(max_agents_) +
                                   " agents were signed: " + agent + " is one too many");
  }
  TRY_VOID(check_leaf(opened, staged));
  const auto now = clock_.steady_now();
  TRY_VOID(tenants_.check(opened.intent.tenant.value(), now));
  return agents_.check(agent, now);
}

Result<void> SigningService::admit(const std::string& bytes, Advance& staged) {
  TRY(const auto opened, open_command(bytes));
  const auto now_ms = clock_.unix_ms();
  TRY_VOID(rules_.check(opened, root_, now_ms));
  if (opened.command.mode == wire::CommandMode::kExecute) {
    TRY_VOID(approvals_.check(opened.command, opened.intent, now_ms));
  }
  TRY_VOID(check_memory(opened, staged));
  const auto now = clock_.steady_now();
  tenants_.count(opened.intent.tenant.value(), now);
  agents_.count(opened.intent.agent.value(), now);
  ++staged.rates[std::string(kTenantRate) + opened.intent.tenant.value()];
  ++staged.rates[std::string(kAgentRate) + opened.intent.agent.value()];
  staged.sequences[opened.intent.agent.value()] = opened.command.seq;
  if (opened.command.mode == wire::CommandMode::kExecute) ++staged.leaves[leaf_of(opened.command)];
  return {};
}

Result<void> SigningService::keep(const Advance& staged) {
  const auto now_ms = clock_.unix_ms();
  TRY_VOID(state_.advance(staged, now_ms));
  const auto now = clock_.steady_now();
  if (now - forgotten_ < kForgetEvery || !watch_.look(now_ms, boot_ms_())) return {};
  forgotten_ = now;
  if (const auto done = state_.forget(now_ms); !done)
    log::warning("old entries stay for now: " + done.error().message());
  return {};
}

// A signer that is started again goes on with the hour that it was in.
Result<void> SigningService::restore_rates() {
  const auto now_ms = clock_.unix_ms();
  TRY(const auto counts, state_.rates(now_ms));
  for (const auto& one : counts) {
    // As late as it can have been.
    const auto age_ms = std::max<std::int64_t>(0, now_ms - (one.minute + 1) * kMinuteMs);
    const auto then = clock_.steady_now() - std::chrono::milliseconds(age_ms);
    const std::string_view name = one.name;
    if (name.starts_with(kTenantRate)) {
      tenants_.restore(std::string(name.substr(kTenantRate.size())), one.count, then);
    } else if (name.starts_with(kAgentRate)) {
      agents_.restore(std::string(name.substr(kAgentRate.size())), one.count, then);
    }
  }
  return {};
}

Result<std::vector<Outcome>> SigningService::sign_commands(std::span<const std::string> commands) {
  const MutexLock lock(mutex_);
  TRY_VOID(may_sign());
  std::vector<Outcome> outcomes;
  outcomes.reserve(commands.size());
  std::vector<std::size_t> admitted;
  Advance staged;
  for (const auto& bytes : commands) {
    const auto one = admit(bytes, staged);
    if (one) admitted.push_back(outcomes.size());
    outcomes.push_back(one ? Outcome(std::string()) : Outcome(counted(one.error())));
  }
  // On disk before any of them is signed.
  const auto kept = admitted.empty() ? Result<void>() : keep(staged);
  if (!kept) log::error("nothing is signed: " + kept.error().message());
  for (const auto place : admitted) {
    outcomes[place] = kept ? Outcome(sign(wire::kCommandType, commands[place], keys_.signer))
                           : Outcome(Error(Errc::kUnavailable, std::string(words::kLedger) + ": " +
                                                                   kept.error().message()));
  }
  if (kept) signed_commands_ += admitted.size();
  log_refusals(outcomes);
  return outcomes;
}

Result<std::string> SigningService::sign_time(const wire::TimeStatement& time) {
  const MutexLock lock(mutex_);
  TRY_VOID(may_sign());
  const auto now = clock_.steady_now();
  if (state_.is_revoked(time.agent.value()))
    return counted(refusal(kRevoked, "agent " + time.agent.value() + " is shut out"));
  if (const auto told = watch_.look(clock_.unix_ms(), boot_ms_()); !told)
    return counted(told.error());
  if (const auto rate = all_times_.check(kAllTimes, now); !rate) return counted(rate.error());
  if (const auto rate = times_.check(time.agent.value(), now); !rate) return counted(rate.error());
  wire::TimeStatement own = time;
  own.unix_ms = clock_.unix_ms();
  TRY(auto payload, wire::encode_time(own));
  times_.count(time.agent.value(), now);
  all_times_.count(kAllTimes, now);
  ++signed_times_;
  return sign(wire::kTimeType, std::move(payload), keys_.signer);
}

Result<std::string> SigningService::sign_audit_head(const wire::AuditHead& head) {
  const MutexLock lock(mutex_);
  TRY_VOID(may_sign());
  if (root_.audit_key != keys_.audit.public_key()) {
    return counted(refusal(kAuditKey, "root version " + std::to_string(root_.version) +
                                          " names another audit key than this signer's"));
  }
  const auto& last = state_.audit_head();
  if (head.seq < last.seq || (head.seq == last.seq && head.hash != last.hash)) {
    refusals_.write(clock_.steady_now(), "the audit log was rewritten: entry " +
                                             std::to_string(last.seq) + " was signed, now number " +
                                             std::to_string(head.seq) + " is asked for");
    return counted(refusal(
        kAuditRewritten,
        head.seq < last.seq
            ? "a later head is signed already, number " + std::to_string(last.seq)
            : "number " + std::to_string(last.seq) + " is signed already with another hash"));
  }
  if (last.seq > 0 && head.seq - last.seq > kMaxHeadStep) {
    return counted(refusal(kAuditJump, "number " + std::to_string(head.seq) + " lies more than " +
                                           std::to_string(kMaxHeadStep) + " above the last, " +
                                           std::to_string(last.seq)));
  }
  wire::AuditHead own = head;
  own.unix_ms = clock_.unix_ms();
  TRY(auto payload, wire::encode_audit_head(own));
  if (head.seq > last.seq) {
    TRY_VOID(state_.set_audit_head(own));
  }
  return sign(wire::kAuditHeadType, std::move(payload), keys_.audit);
}

Result<void> SigningService::begin_chain(const std::string& envelope) {
  const auto hash = signing::sha256_hex(envelope);
  if (!root_sha256_.empty() && hash != root_sha256_)
    return refusal(kRootRefused, "the first root is " + hash + ", pinned is " + root_sha256_);
  TRY(const auto root, read_root(envelope));
  const bool knows_us = std::any_of(root.signers.begin(), root.signers.end(), [&](const auto& one) {
    return one.key == keys_.signer.public_key();
  });
  if (!knows_us && root_sha256_.empty()) {
    return refusal(kRootRefused, "the first root does not name this signer's key " +
                                     keys_.signer.id().value() +
                                     "; say its hash as root_sha256 if it is the right one");
  }
  TRY(chain_, RootChain::begin(roots_directory_, envelope));
  log::warning("root of trust " + hash + " is believed from now on");
  return {};
}

Result<void> SigningService::take_roots(std::span<const std::string> roots) {
  const MutexLock lock(mutex_);
  if (roots.empty()) return {};
  if (!chain_) {
    TRY_VOID(begin_chain(roots.front()));
  }
  const auto taken = chain_->take({roots.begin(), roots.end()});
  const auto before = root_.version;
  root_changed();  // Also when only some were taken
  if (root_.version != before)
    log::info("root version " + std::to_string(root_.version) + " is in force");
  TRY_VOID(taken);
  return {};
}

Result<void> SigningService::revoke_agent(const AgentId& agent) {
  const MutexLock lock(mutex_);
  if (!state_.is_revoked(agent.value()) && state_.revoked() >= max_agents_) {
    return counted(Error(Errc::kLimit, "rate: " + std::to_string(max_agents_) +
                                           " agents are shut out: " + agent.value() +
                                           " is one too many"));
  }
  TRY_VOID(state_.revoke(agent, clock_.unix_ms()));
  log::info("agent " + agent.value() + " is shut out");
  return {};
}

SignerStatus SigningService::status() const {
  const MutexLock lock(mutex_);
  SignerStatus status;
  status.signer_key = keys_.signer.public_key();
  status.audit_key = keys_.audit.public_key();
  status.root_version = root_.version;
  status.audit_seq = state_.audit_head().seq;
  status.signed_commands = signed_commands_;
  status.signed_times = signed_times_;
  status.refused = refused_;
  return status;
}

Error SigningService::counted(Error error) {
  ++refused_[std::string(word_of(error.message()))];
  return error;
}

// One line for each reason of a batch, with the first message.
void SigningService::log_refusals(const std::vector<Outcome>& outcomes) {
  std::map<std::string_view, std::pair<std::uint64_t, std::string_view>> reasons;
  for (const auto& outcome : outcomes) {
    if (outcome) continue;
    const std::string_view message = outcome.error().message();
    auto& [count, first] = reasons[word_of(message)];
    if (count++ == 0) first = message;
  }
  for (const auto& [word, reason] : reasons) {
    refusals_.write(clock_.steady_now(), "refused " + std::to_string(reason.first) + " of " +
                                             std::to_string(outcomes.size()) +
                                             " commands: " + log::printable(reason.second, 300));
  }
}

}  // namespace observeai::controlplane::signer
