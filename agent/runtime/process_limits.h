// What the kernel allows this process.
#pragma once

#include <cstdint>

#include "protocol/base/result.h"

namespace observeai::agent {

// Raises the number of files that may be open to `wanted`, or as far as the hard limit allows, and
// returns what holds now; never lowers it. Call it before threads are started.
Result<std::uint64_t> raise_open_files(std::uint64_t wanted);

}  // namespace observeai::agent
