#include "controlplane/signer/command_rules.h"

#include <algorithm>

#include "controlplane/signer/refusal.h"
#include "protocol/actions/catalogue.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/signing/merkle.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::signer {
namespace {

namespace words = wire::refusals;

// What an envelope adds: type, key id, signature and their framing.
constexpr std::size_t kEnvelopeRoom = 256;

std::string seconds(std::int64_t ms) {
  return text::format_duration_ms(ms);
}

}  // namespace

Result<OpenedCommand> open_command(std::string_view bytes) {
  if (bytes.size() + kEnvelopeRoom > wire::kMaxCommandBytes) {
    return refusal(words::kOversized, "a command of " + std::to_string(bytes.size()) +
                                          " bytes does not fit " +
                                          std::to_string(wire::kMaxCommandBytes));
  }
  auto command = wire::decode_command(bytes);
  if (!command) return refusal(words::kMalformed, command.error().message());
  auto intent = wire::decode_intent(command->intent);
  if (!intent) return refusal(words::kMalformed, intent.error().message());
  return OpenedCommand{std::move(*command), std::move(*intent)};
}

CommandRules::CommandRules(signing::VerifyKey own_key, std::int64_t max_lifetime_ms)
    : own_key_(own_key), max_lifetime_ms_(std::min(max_lifetime_ms, wire::kMaxCommandLifetimeMs)) {
  for (const auto& manifest : actions::catalogue())
    manifests_[std::string(manifest.name)] = actions::manifest_hash(manifest);
}

Result<void> CommandRules::check(const OpenedCommand& opened, const signing::RootMetadata& root,
                                 std::int64_t now_ms) const {
  TRY_VOID(check_authority(opened, root, now_ms));
  TRY_VOID(check_times(opened.command, now_ms));
  TRY_VOID(check_action(opened.intent));
  if (opened.command.mode == wire::CommandMode::kDryRun) {
    if (opened.command.approvals.empty() && opened.command.batch_size == 0) return {};
    return refusal(words::kMalformed, "a dry run has no batch and no approvals");
  }
  return check_batch(opened.command);
}

Result<void> CommandRules::check_authority(const OpenedCommand& opened,
                                           const signing::RootMetadata& root,
                                           std::int64_t now_ms) const {
  const auto own = std::find_if(root.signers.begin(), root.signers.end(),
                                [this](const auto& one) { return one.key == own_key_; });
  if (own == root.signers.end()) {
    return refusal(words::kOutOfDelegation,
                   "key " + signing::key_id(own_key_).value() + " is no signer of root version " +
                       std::to_string(root.version) + " (observeai root add-signer)");
  }
  const bool dry_run = opened.command.mode == wire::CommandMode::kDryRun;
  const auto targets = dry_run ? 1 : opened.command.batch_size;
  const auto delegated = signing::check_delegation(own->delegation, opened.intent.tenant,
                                                   opened.intent.action, targets, now_ms);
  if (!delegated) return refusal(words::kOutOfDelegation, delegated.error().message());
  if (opened.command.root_version != root.version) {
    return refusal(words::kRootOutdated,
                   "the command names root version " + std::to_string(opened.command.root_version) +
                       ", in force is version " + std::to_string(root.version));
  }
  if (signing::is_expired(root, now_ms)) {
    return refusal(words::kRootExpired, "root version " + std::to_string(root.version) +
                                            " expired at " + text::format_time_ms(root.expires_ms) +
                                            " (observeai root renew)");
  }
  return {};
}

Result<void> CommandRules::check_times(const wire::Command& command, std::int64_t now_ms) const {
  // Bounded before anything is subtracted: the fields are any 64 bits.
  const auto off = command.issued_ms > now_ms
                       ? command.issued_ms - now_ms
                       : now_ms - std::max<std::int64_t>(command.issued_ms, 0);
  if (off > kMaxClockOffMs || command.issued_ms < 0) {
    return refusal(kClock, "issued_ms is " + seconds(off) + " off the signer's clock, more than " +
                               seconds(kMaxClockOffMs));
  }
  if (command.expires_ms <= std::max(now_ms, command.issued_ms))
    return refusal(words::kExpired, "the command has expired already");
  if (command.expires_ms - command.issued_ms > max_lifetime_ms_) {
    return refusal(words::kLifetime, "a command lives for at most " + seconds(max_lifetime_ms_) +
                                         ", not " +
                                         seconds(command.expires_ms - command.issued_ms));
  }
  if (command.not_before_ms >= command.expires_ms)
    return refusal(words::kLifetime, "the command expires before it may begin");
  return {};
}

Result<void> CommandRules::check_action(const wire::Intent& intent) const {
  const auto* manifest = actions::find(intent.action);
  const std::string action = log::printable(intent.action, 64);
  if (manifest == nullptr) return refusal(words::kUnknownAction, "there is no action " + action);
  if (intent.action_version != manifest->version ||
      intent.manifest != manifests_.at(std::string(manifest->name))) {
    return refusal(words::kWrongManifest,
                   action + " is not the one of this program's catalogue: update both");
  }
  if (intent.tier != manifest->tier) {
    return refusal(words::kWrongTier, action + " is of tier " + std::to_string(manifest->tier) +
                                          ", not " + std::to_string(intent.tier));
  }
  if (intent.roll_back && !manifest->undo)
    return refusal(words::kBadParameter, action + " cannot be undone, and is asked to roll back");
  const auto fit = actions::check_parameters(*manifest, intent.parameters);
  if (!fit) return refusal(words::kBadParameter, action + ": " + fit.error().message());
  return {};
}

Result<void> CommandRules::check_batch(const wire::Command& command) {
  if (command.batch_size > 0 &&
      signing::verify_merkle_path(command.intent, command.batch_index, command.batch_size,
                                  command.path, command.batch_root)) {
    return {};
  }
  return refusal(words::kNotInBatch,
                 "the intent is not number " + std::to_string(command.batch_index) + " of the " +
                     std::to_string(command.batch_size) + " that were approved");
}

}  // namespace observeai::controlplane::signer
