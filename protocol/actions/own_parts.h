// What ObserveAI itself consists of: no action is taken on it, for nobody would be left to verify or undo it.
// Both sides ask, each of what it sees. Pure.
#pragma once

#include <string_view>

namespace observeai::actions {

// The name of a program, unit, container, service, project or image ("registry/observeai-agent:1"), or
// the path of a program. Samples (observeai-demo-..., observeai-test) are none.
bool is_own_part(std::string_view name);

}  // namespace observeai::actions
