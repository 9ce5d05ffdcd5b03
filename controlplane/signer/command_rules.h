// What makes a command fit to be signed, as far as the command, the root in force and the clock say it.
// Sequence, revocation and rates, which need memory, are in signing_service.h. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "protocol/base/result.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/command.h"

namespace observeai::controlplane::signer {

// issued_ms may be off the signer's clock by this.
inline constexpr std::int64_t kMaxClockOffMs = 60'000;

struct OpenedCommand {
  wire::Command command;
  wire::Intent intent;
};
// kDenied "oversized" or "malformed".
Result<OpenedCommand> open_command(std::string_view bytes);

class CommandRules {
 public:
  // `max_lifetime_ms` from issue to expiry; wire::kMaxCommandLifetimeMs at most.
  CommandRules(signing::VerifyKey own_key, std::int64_t max_lifetime_ms);

  // In the order of docs/adr/0013; kDenied with the word of refusal.h.
  Result<void> check(const OpenedCommand& opened, const signing::RootMetadata& root,
                     std::int64_t now_ms) const;

 private:
  Result<void> check_authority(const OpenedCommand& opened, const signing::RootMetadata& root,
                               std::int64_t now_ms) const;
  Result<void> check_times(const wire::Command& command, std::int64_t now_ms) const;
  Result<void> check_action(const wire::Intent& intent) const;
  static Result<void> check_batch(const wire::Command& command);

  const signing::VerifyKey own_key_;
  const std::int64_t max_lifetime_ms_;
  std::unordered_map<std::string, wire::Digest> manifests_;  // Of the catalogue, by name
};

}  // namespace observeai::controlplane::signer
