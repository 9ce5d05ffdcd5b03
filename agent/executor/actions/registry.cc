#include "agent/executor/actions/registry.h"

namespace observeai::agent::executor {

// Each file of actions adds its own: void add_docker_actions(const Host& host, Actions& actions);
Actions make_actions(const Host&) {
  return {};
}

}  // namespace observeai::agent::executor
