// Results as they came in: whether they are the host's, and about what. Internal to controlplane/dispatch.
#pragma once

#include "controlplane/dispatch/ports.h"

namespace observeai::controlplane::dispatch {

// kDenied: not signed by the host's result key, or not about the bytes that were sent. kCorrupt: not a
// result.
Result<wire::CommandResult> check_result(const model::ResultRecord& result,
                                         const model::CommandRecord& command,
                                         const model::AgentRecord& agent);
// The same of a result that another host made of this command. It counts for nothing but the news that the
// command was delivered there.
Result<wire::CommandResult> check_stray_result(const model::ResultRecord& result,
                                               const model::CommandRecord& command,
                                               const model::AgentRecord& agent);
// The newest valid one of a command.
Result<std::optional<wire::CommandResult>> valid_result(World& world, const wire::Bytes16& command);
// The commands of a plan, newest first for each host and mode.
const model::CommandRecord* newest_command(const std::vector<model::CommandRecord>& commands,
                                           const AgentId& agent, wire::CommandMode mode);

// Refusals after which another command may do: nothing was done, and the reason passes.
bool is_passing(const std::string& reason);
// Refusals that say that the target is not as it was approved.
bool says_changed(const std::string& reason);

}  // namespace observeai::controlplane::dispatch
