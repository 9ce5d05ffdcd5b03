// statfs that never keeps a scrape: on a dead network mount it returns after minutes or never. A call
// over its deadline keeps a thread until it returns; its mount is refused meanwhile.
#pragma once

#include <cstddef>
#include <memory>

#include "agent/metrics/collector.h"
#include "agent/metrics/filesystem_collector.h"
#include "agent/runtime/deadline_calls.h"

namespace observeai::agent {

struct StatfsLimits {
  // Threads that hang, a stack each. A file server rarely has more mounts on one host.
  std::size_t stuck = 8;
  // Further ones for local mounts alone, so that a dead file server does not hide the disks.
  std::size_t stuck_local = 4;
};

// For HostCalls. kTimeout: given up on. kUnavailable, at once: an earlier call for this mount still
// hangs, or the limit is reached. Thread-safe; callers take turns. `direct` may be running when the
// last copy of the result goes, so it must own what it touches.
StatfsCall deadline_statfs(std::shared_ptr<DeadlineCalls> calls,
                           StatfsCall direct = HostCalls::direct().statfs,
                           StatfsLimits limits = {});

}  // namespace observeai::agent
