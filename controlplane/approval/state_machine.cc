#include "controlplane/approval/state_machine.h"

#include <algorithm>

namespace observeai::controlplane::approval {
namespace {

using P = PlanState;
using E = PlanEvent;
using T = TargetState;
using F = TargetEvent;

// clang-format off
constexpr PlanRow kPlanTable[] = {
    // in             when              then
    {P::kProposed,    E::kSimulate,     P::kSimulating},
    {P::kProposed,    E::kCancel,       P::kCancelled},
    {P::kProposed,    E::kDeadline,     P::kExpired},

    {P::kSimulating,  E::kDryRunsOk,    P::kSimulated},
    {P::kSimulating,  E::kDryRunsBad,   P::kFailed},
    {P::kSimulating,  E::kCancel,       P::kCancelled},
    {P::kSimulating,  E::kDeadline,     P::kFailed},       // A host did not answer

    {P::kSimulated,   E::kSimulate,     P::kSimulating},   // What was approved is void
    {P::kSimulated,   E::kQuorum,       P::kApproved},
    {P::kSimulated,   E::kReject,       P::kRejected},
    {P::kSimulated,   E::kCancel,       P::kCancelled},
    {P::kSimulated,   E::kDeadline,     P::kExpired},

    {P::kApproved,    E::kDispatch,     P::kDispatching},
    {P::kApproved,    E::kReject,       P::kRejected},
    {P::kApproved,    E::kCancel,       P::kCancelled},
    {P::kApproved,    E::kDeadline,     P::kExpired},

    {P::kDispatching, E::kAllSent,      P::kExecuting},
    {P::kDispatching, E::kCancel,       P::kExecuting},    // What is out is awaited, the rest is not sent
    {P::kDispatching, E::kDeadline,     P::kExecuting},

    {P::kExecuting,   E::kAllAnswered,  P::kVerifying},
    {P::kExecuting,   E::kTargetMoved,  P::kExpired},
    {P::kExecuting,   E::kCancel,       P::kExecuting},    // No further wave
    {P::kExecuting,   E::kDeadline,     P::kVerifying},    // Who is silent is inconclusive

    {P::kVerifying,   E::kNextWave,     P::kDispatching},
    {P::kVerifying,   E::kVerified,     P::kSucceeded},
    {P::kVerifying,   E::kBroken,       P::kFailed},
    {P::kVerifying,   E::kUndone,       P::kRolledBack},
    {P::kVerifying,   E::kUnclear,      P::kInconclusive},
    {P::kVerifying,   E::kCancel,       P::kVerifying},    // No further wave
    {P::kVerifying,   E::kStopped,      P::kCancelled},
    {P::kVerifying,   E::kDeadline,     P::kInconclusive},
};

constexpr TargetRow kTargetTable[] = {
    // in             when                then
    {T::kPlanned,     F::kDryRunSent,     T::kSimulating},
    {T::kPlanned,     F::kGivenUp,        T::kSkipped},
    {T::kPlanned,     F::kDeadline,       T::kSilent},       // Its dry run could not be made

    {T::kSimulating,  F::kDryRunOk,       T::kSimulated},
    {T::kSimulating,  F::kRefused,        T::kRefused},
    {T::kSimulating,  F::kRefusedForNow,  T::kPlanned},
    {T::kSimulating,  F::kSimulateAnew,   T::kPlanned},
    {T::kSimulating,  F::kGivenUp,        T::kSkipped},
    {T::kSimulating,  F::kDeadline,       T::kSilent},

    {T::kSimulated,   F::kSimulateAnew,   T::kPlanned},
    {T::kSimulated,   F::kCommandMade,    T::kDispatched},
    {T::kSimulated,   F::kGivenUp,        T::kSkipped},

    {T::kDispatched,  F::kRefused,        T::kRefused},
    {T::kDispatched,  F::kRefusedForNow,  T::kSimulated},
    {T::kDispatched,  F::kDone,           T::kVerifying},
    {T::kDispatched,  F::kUndone,         T::kRolledBack},
    {T::kDispatched,  F::kFailed,         T::kFailed},
    {T::kDispatched,  F::kInterrupted,    T::kInconclusive},
    {T::kDispatched,  F::kDeadline,       T::kInconclusive}, // It may have been done

    {T::kVerifying,   F::kVerified,       T::kSucceeded},
    {T::kVerifying,   F::kBroken,         T::kFailed},
    {T::kVerifying,   F::kUnclear,        T::kInconclusive},
    {T::kVerifying,   F::kDeadline,       T::kInconclusive},
};
// clang-format on

constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kMinute = 60 * kSecond;

}  // namespace

std::span<const PlanRow> plan_table() {
  return kPlanTable;
}
std::span<const TargetRow> target_table() {
  return kTargetTable;
}

std::optional<PlanState> next(PlanState state, PlanEvent event) {
  for (const auto& row : kPlanTable) {
    if (row.from == state && row.event == event) return row.to;
  }
  return std::nullopt;
}

std::optional<TargetState> next(TargetState state, TargetEvent event) {
  for (const auto& row : kTargetTable) {
    if (row.from == state && row.event == event) return row.to;
  }
  return std::nullopt;
}

bool is_over(PlanState state) {
  return std::none_of(std::begin(kPlanTable), std::end(kPlanTable),
                      [state](const PlanRow& row) { return row.from == state; });
}

bool is_over(TargetState state) {
  return std::none_of(std::begin(kTargetTable), std::end(kTargetTable),
                      [state](const TargetRow& row) { return row.from == state; });
}

bool may_have_acted(TargetState state) {
  return state == T::kDispatched || state == T::kVerifying || state == T::kSucceeded ||
         state == T::kFailed || state == T::kRolledBack || state == T::kInconclusive;
}

std::int64_t patience_ms(PlanState state) {
  switch (state) {
    case P::kProposed:
      return 24 * 60 * kMinute;
    case P::kSimulating:
      return 2 * kMinute;  // A dry run reads; a host that needs longer says so by its silence
    case P::kSimulated:
      return 0;
    case P::kApproved:
      return 5 * kMinute;  // A freeze or an open circuit breaker holds it back
    case P::kDispatching:
      return 2 * kMinute;
    case P::kExecuting:
      return kMinute;
    case P::kVerifying:
      return 10 * kMinute;
    default:
      return 0;
  }
}

std::string_view to_string(PlanState state) {
  switch (state) {
    case P::kProposed:
      return "proposed";
    case P::kSimulating:
      return "simulating";
    case P::kSimulated:
      return "simulated";
    case P::kApproved:
      return "approved";
    case P::kDispatching:
      return "dispatching";
    case P::kExecuting:
      return "executing";
    case P::kVerifying:
      return "verifying";
    case P::kSucceeded:
      return "succeeded";
    case P::kFailed:
      return "failed";
    case P::kRolledBack:
      return "rolled_back";
    case P::kInconclusive:
      return "inconclusive";
    case P::kRejected:
      return "rejected";
    case P::kExpired:
      return "expired";
    case P::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string_view to_string(TargetState state) {
  switch (state) {
    case T::kPlanned:
      return "planned";
    case T::kSimulating:
      return "simulating";
    case T::kSimulated:
      return "simulated";
    case T::kDispatched:
      return "dispatched";
    case T::kVerifying:
      return "verifying";
    case T::kSucceeded:
      return "succeeded";
    case T::kFailed:
      return "failed";
    case T::kRolledBack:
      return "rolled_back";
    case T::kInconclusive:
      return "inconclusive";
    case T::kRefused:
      return "refused";
    case T::kSilent:
      return "silent";
    case T::kSkipped:
      return "skipped";
  }
  return "unknown";
}

std::string_view to_string(model::Verdict verdict) {
  switch (verdict) {
    case model::Verdict::kPass:
      return "pass";
    case model::Verdict::kWarn:
      return "warn";
    case model::Verdict::kFail:
      return "fail";
    case model::Verdict::kNotApplicable:
      return "not_applicable";
  }
  return "unknown";
}

}  // namespace observeai::controlplane::approval
