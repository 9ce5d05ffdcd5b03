// Every action there is. The order is that of `observeai plan actions`.
#pragma once

#include <span>
#include <string_view>

#include "protocol/actions/manifest.h"

namespace observeai::actions {

std::span<const Manifest> catalogue();
// nullptr when there is none.
const Manifest* find(std::string_view name);

// "runbook" carries the parameters that the host's policy declares, beside its own `runbook`.
inline constexpr std::string_view kRunbook = "runbook";

}  // namespace observeai::actions
