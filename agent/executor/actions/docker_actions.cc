#include "agent/executor/actions/docker_actions.h"

namespace observeai::agent::executor {

void add_docker_actions(const Host& host, Actions& actions) {
  add_docker_lifecycle(host, actions);
  add_docker_memory(host, actions);
  add_docker_rollback(host, actions);
  add_docker_prune(host, actions);
}

}  // namespace observeai::agent::executor
