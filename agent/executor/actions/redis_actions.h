// cache.clear: removes the keys of a Redis cache that begin with a prefix, by SCAN and UNLINK.
//
// The cache, its address and the very prefix are the policy's. Refused: replicas, servers of a cluster, more
// keys than max_keys. How many keys there are is part of what is approved, so a cache that the application
// fills between the dry run and the execution voids the approval.
#pragma once

#include <string>
#include <string_view>

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// As MATCH of SCAN takes it: this text, then anything. Pure.
std::string glob_of_prefix(std::string_view prefix);

// `host` outlives the actions.
void add_redis_actions(const Host& host, Actions& actions);

}  // namespace observeai::agent::executor
