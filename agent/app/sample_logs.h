// What the step "sample_logs" of the ladder does to a commit, whatever its source.
#pragma once

#include <cstdint>

#include "agent/app/outbox.h"
#include "agent/budget/log_sampler.h"

namespace observeai::agent {

// Leaves one in `keep_one_in` of the verbose records; the others are counted as dropped ("sampled").
void sample_logs(LogCommit& commit, LogSampler& sampler, std::uint32_t keep_one_in);

}  // namespace observeai::agent
