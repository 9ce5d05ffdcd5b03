#include "controlplane/app/signer_link.h"

#include <algorithm>
#include <initializer_list>

#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane {
namespace {

constexpr std::int64_t kDayMs = 86'400'000;

// The stage in words, so that the message changes with the stage and not with every look.
std::string stage_of(std::int64_t end_ms, std::int64_t now_ms, std::initializer_list<int> days) {
  if (now_ms >= end_ms) return "is over since " + text::format_time_ms(end_ms);
  std::string stage;
  for (const int day : days) {
    if (end_ms - now_ms <= day * kDayMs) {
      stage = "ends within " + std::to_string(day) + " days, at " + text::format_time_ms(end_ms);
    }
  }
  return stage;
}

}  // namespace

std::string root_warning(const signing::RootMetadata& root, std::int64_t now_ms) {
  const auto stage = stage_of(root.expires_ms, now_ms, {60, 30, 7});
  if (stage.empty()) return "";
  return "root version " + std::to_string(root.version) + " " + stage +
         ": from then on no command is signed or executed, telemetry goes on (observeai root "
         "renew)";
}

std::string delegation_warning(const signing::RootMetadata& root, std::int64_t now_ms) {
  if (root.signers.empty()) return "";
  // An earlier key may end on purpose: the one that lasts longest counts.
  const auto last =
      std::max_element(root.signers.begin(), root.signers.end(), [](const auto& a, const auto& b) {
        return a.delegation.not_after_ms < b.delegation.not_after_ms;
      });
  const auto stage = stage_of(last->delegation.not_after_ms, now_ms, {30, 7});
  if (stage.empty()) return "";
  return "the delegation of signer " + signing::key_id(last->key).value() + " " + stage +
         ": from then on it signs no command (observeai root add-signer)";
}

void SignerLink::alert(const char* kind, const std::string& object, const std::string& message) {
  const std::string key = std::string(kind) + " " + object;
  const auto known = messages_.find(key);
  if (known != messages_.end() && known->second == message) return;
  if (message.empty()) {
    if (alerts_.clear(kind, AgentId(), object)) messages_[key] = message;
    return;
  }
  log::warning(message);
  model::Alert out;
  out.kind = kind;
  out.object = object;
  out.message = message;
  out.first_ms = out.last_ms = clock_.unix_ms();
  out.count = 1;
  if (alerts_.raise(out)) messages_[key] = message;
}

Result<void> SignerLink::tell_roots() {
  const auto newest = roots_.newest().version;
  // Also with nothing new: whether it answers.
  TRY_VOID(signer_.take_roots(roots_.envelopes_after(told_version_)));
  told_version_ = newest;
  return {};
}

Result<void> SignerLink::tell_revoked() {
  TRY(const auto agents, agents_.list(TenantId()));
  for (const auto& agent : agents) {
    if (agent.state != model::AgentState::kRevoked || told_revoked_.contains(agent.id)) continue;
    TRY_VOID(signer_.revoke_agent(agent.id));
    told_revoked_.insert(agent.id);
  }
  return {};
}

void SignerLink::look() {
  const MutexLock lock(mutex_);
  auto told = tell_roots();
  if (told) told = tell_revoked();
  if (!told) {
    told_version_ = 0;  // It may be another one that comes back
    told_revoked_.clear();
  }
  alert(
      "signer.unreachable", "",
      told ? "" : "no command can be signed, tried again every minute: " + told.error().message());
  const auto root = roots_.newest();
  alert("root.expires", "root", root_warning(root, clock_.unix_ms()));
  alert("root.expires", "delegation", delegation_warning(root, clock_.unix_ms()));
}

}  // namespace observeai::controlplane
