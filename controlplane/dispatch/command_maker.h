// Builds and signs commands: an intent tied to one moment of one executor. Internal to
// controlplane/dispatch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controlplane/dispatch/ports.h"

namespace observeai::controlplane::dispatch {

// What is asked of one host. `path` and `approvals` are empty exactly in a dry run.
struct WantedCommand {
  model::AgentRecord agent;
  std::string intent;  // Encoded
  wire::CommandMode mode = wire::CommandMode::kDryRun;
  std::uint32_t attempt = 0;
  wire::PlanId plan;
  std::int64_t expires_ms = 0;
  wire::Digest policy{};
  wire::Digest batch_root{};
  std::uint32_t batch_size = 0;
  std::uint32_t batch_index = 0;
  std::vector<wire::Digest> path;
  std::vector<std::string> approvals;
};

// A dry run reads; who has not read it by then is silent.
inline constexpr std::int64_t kDryRunLifetimeMs = 2LL * 60'000;
inline constexpr std::int64_t kCommandLifetimeMs = 15LL * 60'000;
// A command is valid from so long before it was made: a host's trusted time may lie behind by what the
// signer's clock stepped since, or its own boot clock lost.
inline constexpr std::int64_t kNotBeforeSlackMs = 60'000;

// When the last answer to commands that are made now can be here: they live, a host is at work on them,
// and the answer is on its way.
std::int64_t answers_by_ms(const model::PlanRecord& plan, std::int64_t now_ms);

// One outcome for each. The numbers that they take are never given out again, whatever becomes of them.
// kUnavailable: no signer, no store.
Result<std::vector<Result<model::CommandRecord>>> make_commands(
    World& world, const std::vector<WantedCommand>& wanted);

// Why this host cannot be sent a command now; "" when it can.
std::string why_unreachable(const model::AgentRecord& agent);

// For down/cmd and down/meta.
Result<mqtt::Message> command_message(const World& world, const model::AgentRecord& agent,
                                      const std::string& envelope);
Result<mqtt::Message> meta_message(const World& world, const model::AgentRecord& agent,
                                   const wire::Meta& meta);

}  // namespace observeai::controlplane::dispatch
