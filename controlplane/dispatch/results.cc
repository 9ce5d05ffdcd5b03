#include "controlplane/dispatch/results.h"

#include <algorithm>
#include <array>

#include "protocol/signing/envelope.h"
#include "protocol/wire/command_codec.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/refusals.h"

namespace observeai::controlplane::dispatch {

namespace {

Result<wire::CommandResult> open_result(const model::ResultRecord& result,
                                        const model::CommandRecord& command,
                                        const model::AgentRecord& agent) {
  TRY(const auto envelope, wire::decode_envelope(result.envelope));
  const std::array trusted{signing::VerifyKey{agent.result_public_key}};
  if (!signing::verify(envelope, wire::kResultType, 1, trusted))
    return Error(Errc::kDenied, "it is not signed by this host's result key");
  TRY(auto decoded, wire::decode_result(envelope.payload));
  if (decoded.agent != agent.id || decoded.tenant != agent.tenant)
    return Error(Errc::kDenied, "it is of another host");
  if (decoded.command_sha256 != command.sha256)
    return Error(Errc::kDenied, "it is about other bytes than were sent");
  return decoded;
}

}  // namespace

Result<wire::CommandResult> check_result(const model::ResultRecord& result,
                                         const model::CommandRecord& command,
                                         const model::AgentRecord& agent) {
  TRY(auto decoded, open_result(result, command, agent));
  if (decoded.agent != command.agent || decoded.tenant != command.tenant)
    return Error(Errc::kDenied, "it is of another host");
  // A command that could not be read has no id and no number for the host.
  if (decoded.command_id != wire::Bytes16{} && decoded.command_id != command.id)
    return Error(Errc::kDenied, "it is about another command");
  return decoded;
}

Result<wire::CommandResult> check_stray_result(const model::ResultRecord& result,
                                               const model::CommandRecord& command,
                                               const model::AgentRecord& agent) {
  return open_result(result, command, agent);
}

Result<std::optional<wire::CommandResult>> valid_result(World& world,
                                                        const wire::Bytes16& command) {
  TRY(const auto results, world.commands.results(command));
  for (auto it = results.rbegin(); it != results.rend(); ++it) {
    if (it->valid != true) continue;
    TRY(const auto envelope, wire::decode_envelope(it->envelope));
    TRY(auto decoded, wire::decode_result(envelope.payload));
    return std::optional(std::move(decoded));
  }
  return std::optional<wire::CommandResult>();
}

const model::CommandRecord* newest_command(const std::vector<model::CommandRecord>& commands,
                                           const AgentId& agent, wire::CommandMode mode) {
  const auto found = std::find_if(commands.rbegin(), commands.rend(), [&](const auto& one) {
    return one.agent == agent && one.mode == mode;
  });
  return found == commands.rend() ? nullptr : &*found;
}

bool is_passing(const std::string& reason) {
  constexpr std::array kPassing{wire::refusals::kWrongSession, wire::refusals::kTimeUnknown,
                                wire::refusals::kRootOutdated, wire::refusals::kTooEarly,
                                wire::refusals::kSequence,     wire::refusals::kBusy};
  return std::any_of(kPassing.begin(), kPassing.end(),
                     [&](const char* one) { return reason == one; });
}

bool says_changed(const std::string& reason) {
  return reason == wire::refusals::kStale || reason == wire::refusals::kDiffChanged;
}

}  // namespace observeai::controlplane::dispatch
