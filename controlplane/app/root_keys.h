// The root of trust of a quick start: one key on this machine that signs root metadata. A real
// organisation replaces it by a threshold of several (docs/operations.md says how).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "controlplane/signer/root_chain.h"
#include "protocol/base/clock.h"
#include "protocol/base/id.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

// What a first root has to name: the public keys of the signer process.
struct OnlineKeys {
  signing::VerifyKey signer;
  signing::VerifyKey audit;
};
using AskOnlineKeys = std::function<Result<OnlineKeys>()>;

inline constexpr std::uint32_t kQuickStartTargets = 1000;  // In one batch

// The chain in `directory`. Where there is none, <directory>/root.key and a first version are made: the
// signer may do every action of the catalogue for `tenant` on kQuickStartTargets hosts at once. A quick
// start whose root lets the signer do nothing (of before there were actions) gets a next version that
// does. A damaged file is an error, never replaced. Fails as `ask` when a first root needs it.
Result<std::unique_ptr<RootChain>> ensure_root(const std::string& directory, const TenantId& tenant,
                                               const AskOnlineKeys& ask, const Clock& clock);

}  // namespace observeai::controlplane
