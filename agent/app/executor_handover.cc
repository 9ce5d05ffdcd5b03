#include "agent/app/executor_handover.h"

#include "agent/executor/trust.h"

namespace observeai::agent {

Result<bool> hand_over_to_executor(const std::string& trust_directory, IdentityStore& store) {
  TRY(auto identity, store.load());
  if (!identity.result_key) return false;
  const auto root_sha256 = signing::sha256_hex(identity.root_metadata);
  TRY_VOID(executor::write_trust(trust_directory,
                                 {identity.agent, identity.tenant, std::move(*identity.result_key),
                                  identity.root_metadata, root_sha256}));
  TRY_VOID(store.forget_result_key());
  return true;
}

}  // namespace observeai::agent
