// What follows what, for a plan and for each of its hosts, as two tables; nothing else decides it. Every
// state that is not the end has a deadline and says what happens then: no plan is ever stuck. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "controlplane/model/plans.h"

namespace observeai::controlplane::approval {

using model::PlanState;
using model::TargetState;

enum class PlanEvent : std::uint8_t {
  kSimulate,     // Somebody asks for it, or a new plan begins with it
  kDryRunsOk,    // Every host answered, and no safety check fails
  kDryRunsBad,   // A host refused or a safety check fails
  kQuorum,       // Enough approvals
  kReject,       // A person says no
  kCancel,       // A person takes it back
  kTargetMoved,  // A host's state is not the approved one, and nothing was done anywhere
  kDispatch,     // The wave may begin
  kAllSent,      // Every command of the wave is out
  kAllAnswered,  // Every host of the wave answered
  kNextWave,     // The wave is verified, and there is another one
  kVerified,     // All is as intended
  kBroken,       // Too much is not
  kUndone,       // The hosts put it back
  kUnclear,      // It cannot be told
  kStopped,      // A person stopped it between waves, and what was done is as intended
  kDeadline,
};

enum class TargetEvent : std::uint8_t {
  kDryRunSent,
  kDryRunOk,
  kSimulateAnew,
  kCommandMade,
  kRefused,        // By the host: nothing was done
  kRefusedForNow,  // The same, for a reason that another command does not have
  kDone,           // The host says so
  kUndone,
  kFailed,
  kInterrupted,
  kVerified,
  kBroken,
  kUnclear,
  kGivenUp,  // The plan ended before it was sent
  kDeadline,
};

struct PlanRow {
  PlanState from;
  PlanEvent event;
  PlanState to;
};
struct TargetRow {
  TargetState from;
  TargetEvent event;
  TargetState to;
};
std::span<const PlanRow> plan_table();
std::span<const TargetRow> target_table();

// nullopt: this does not happen in that state.
std::optional<PlanState> next(PlanState state, PlanEvent event);
std::optional<TargetState> next(TargetState state, TargetEvent event);

bool is_over(PlanState state);
bool is_over(TargetState state);
// Whether a host may have been changed by now.
bool may_have_acted(TargetState state);

// How long a plan may stay in a state. kSimulated lasts as long as approvals may be waited for, and
// kExecuting as long as the commands live: these are what is added to it.
std::int64_t patience_ms(PlanState state);

inline constexpr std::int64_t kDefaultApprovalLifetimeMs = 15LL * 60'000;
inline constexpr std::int64_t kMaxApprovalLifetimeMs = 24LL * 3'600'000;

std::string_view to_string(PlanState state);
std::string_view to_string(TargetState state);
std::string_view to_string(model::Verdict verdict);

}  // namespace observeai::controlplane::approval
