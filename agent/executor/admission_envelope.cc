// The checks that need nothing but the bytes, the trust and the session.
#include <algorithm>

#include "agent/executor/admission.h"
#include "protocol/base/text.h"
#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/refusals.h"

namespace observeai::agent::executor {
namespace {

namespace refusals = wire::refusals;

Check check_delegations(const Received& received, const std::vector<signing::SignerKey>& signers,
                        std::int64_t now_ms) {
  const std::uint32_t targets = received.is_dry_run() ? 1 : received.command.batch_size;
  std::string why;
  for (const auto& signer : signers) {
    const auto covered = signing::check_delegation(signer.delegation, received.intent.tenant,
                                                   received.intent.action, targets, now_ms);
    if (covered) return std::nullopt;
    why = covered.error().message();
  }
  return Refusal{refusals::kOutOfDelegation, why};
}

Check check_host(const Received& received, const AdmissionContext& context) {
  const auto& trust = context.trust;
  if (received.intent.tenant != trust.tenant())
    return Refusal{refusals::kWrongTenant, "the command is for tenant " +
                                               received.intent.tenant.value() +
                                               ", this host belongs to " + trust.tenant().value()};
  if (received.intent.agent != trust.agent())
    return Refusal{refusals::kWrongHost, "the command is for " + received.intent.agent.value() +
                                             ", this host is " + trust.agent().value()};
  if (received.command.enrollment != trust.enrollment())
    return Refusal{refusals::kWrongEnrollment,
                   "the command is for another enrollment of this host"};
  if (received.command.session != context.session.nonce())
    return Refusal{
        refusals::kWrongSession,
        "the command is for an earlier session: the host was started again, or its clock "
        "was set"};
  return std::nullopt;
}

Check check_root_version(const Received& received, const AdmissionContext& context,
                         std::optional<std::int64_t> now_ms) {
  const auto& root = context.trust.root();
  const std::uint64_t wanted =
      std::max(received.command.root_version, context.session.root_version());
  if (root.version < wanted)
    return Refusal{refusals::kRootOutdated, "this host has root metadata " +
                                                std::to_string(root.version) + ", version " +
                                                std::to_string(wanted) + " is in force"};
  if (now_ms && signing::is_expired(root, *now_ms))
    return Refusal{refusals::kRootExpired,
                   "root metadata " + std::to_string(root.version) + " expired at " +
                       text::format_time_ms(root.expires_ms) + ": sign a new version"};
  return std::nullopt;
}

Check check_time(const wire::Command& command, std::optional<std::int64_t> now_ms) {
  if (!now_ms)
    return Refusal{
        refusals::kTimeUnknown,
        "this host does not know the time since it was started, or since its clock jumped"};
  if (command.not_before_ms > *now_ms)
    return Refusal{refusals::kTooEarly, "the command is valid from " +
                                            text::format_time_ms(command.not_before_ms) +
                                            ", it is " + text::format_time_ms(*now_ms)};
  if (command.expires_ms <= *now_ms)
    return Refusal{refusals::kExpired, "the command expired at " +
                                           text::format_time_ms(command.expires_ms) + ", it is " +
                                           text::format_time_ms(*now_ms)};
  // By comparison, not by subtraction: both are foreign.
  if (command.issued_ms < 0 || command.expires_ms < command.issued_ms ||
      command.expires_ms - command.issued_ms > wire::kMaxCommandLifetimeMs)
    return Refusal{refusals::kLifetime, "a command lives 24 hours at most"};
  return std::nullopt;
}

}  // namespace

Check check_envelope(std::string_view envelope, const signing::RootMetadata& root,
                     Received& received, std::vector<signing::SignerKey>& signers) {
  received.sha256 = wire::digest_of(envelope);
  if (envelope.size() > wire::kMaxCommandBytes)
    return Refusal{refusals::kOversized, "a command has " + std::to_string(wire::kMaxCommandBytes) +
                                             " bytes at most, this one " +
                                             std::to_string(envelope.size())};
  const auto opened = wire::decode_envelope(envelope);
  if (!opened) return Refusal{refusals::kMalformed, opened.error().message()};
  if (opened->type != wire::kCommandType)
    return Refusal{refusals::kWrongType, "a message of type " + opened->type + " is no command"};
  std::vector<signing::VerifyKey> keys;
  for (const auto& signer : root.signers) keys.push_back(signer.key);
  const auto signed_by = signing::verify(*opened, wire::kCommandType, 1, keys);
  if (!signed_by)
    return Refusal{refusals::kBadSignature,
                   "not signed by a signer of root metadata " + std::to_string(root.version)};
  for (const auto& signer : root.signers) {
    if (std::find(signed_by->begin(), signed_by->end(), signer.key) != signed_by->end())
      signers.push_back(signer);
  }
  auto command = wire::decode_command(opened->payload);
  if (!command) return Refusal{refusals::kMalformed, command.error().message()};
  auto intent = wire::decode_intent(command->intent);
  if (!intent) return Refusal{refusals::kMalformed, intent.error().message()};
  received.command = std::move(*command);
  received.intent = std::move(*intent);
  received.readable = true;
  return std::nullopt;
}

Check check_addressee(const Received& received, const std::vector<signing::SignerKey>& signers,
                      const AdmissionContext& context, std::optional<std::int64_t> now_ms) {
  // Without a time no delegation has ended; the time's own check comes below.
  if (auto refused = check_delegations(received, signers, now_ms.value_or(INT64_MIN)))
    return refused;
  if (auto refused = check_host(received, context)) return refused;
  if (auto refused = check_root_version(received, context, now_ms)) return refused;
  return check_time(received.command, now_ms);
}

}  // namespace observeai::agent::executor
