// What enroll leaves for the executor of this host.
#pragma once

#include <string>

#include "agent/enroll/identity.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Writes what the executor trusts (agent/executor/trust.h), then the result key leaves the agent's own
// folder:
// from then on the executor alone signs results. False: it has left already. An error changes nothing
// of the agent's, and the call can be repeated.
Result<bool> hand_over_to_executor(const std::string& trust_directory, IdentityStore& store);

}  // namespace observeai::agent
