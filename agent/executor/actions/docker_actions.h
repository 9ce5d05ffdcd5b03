// The actions on the Docker engine. `host` outlives what is added.
#pragma once

#include "agent/executor/action.h"
#include "agent/executor/host.h"

namespace observeai::agent::executor {

// All of the following.
void add_docker_actions(const Host& host, Actions& actions);

void add_docker_lifecycle(const Host& host, Actions& actions);  // restart, start, stop
void add_docker_memory(const Host& host, Actions& actions);     // update_memory
void add_docker_rollback(const Host& host, Actions& actions);   // rollback_image
void add_docker_prune(const Host& host, Actions& actions);      // prune

}  // namespace observeai::agent::executor
