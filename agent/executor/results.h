// What a host says of a command: a CommandResult, in its form whatever an action told, and signed.
#pragma once

#include <string>
#include <string_view>

#include "agent/executor/action.h"
#include "agent/executor/admission.h"
#include "agent/executor/trust.h"
#include "protocol/signing/keys.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

// Who answers what, and when it came; refused with no reason yet.
wire::CommandResult begin_result(const Received& received, const Trust& trust);
void set_refused(wire::CommandResult& result, const Refusal& refusal);
void set_assessed(wire::CommandResult& result, const Assessment& seen);
// The fact facts::kApprovalsNeeded.
void add_approvals_needed(wire::CommandResult& result, std::uint32_t persons);
// Steps and output.
void set_run(wire::CommandResult& result, const Run& run);

// What a crash in the middle makes of it: interrupted, or refused when it was not begun. kCorrupt for a
// draft that is damaged.
Result<wire::CommandResult> interrupted_result(std::string_view draft, bool started);

// An envelope of type wire::kResultType. Texts lose what cannot be shown and what is too long; what is
// beyond the bounds of a result even so is left out, and the message says it.
std::string sign_result(wire::CommandResult result, const signing::SigningKeyPair& key);

// The refusal that an error of Action::assess() stands for.
Refusal refusal_of(const Error& error);

}  // namespace observeai::agent::executor
