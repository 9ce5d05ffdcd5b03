#include "agent/executor/actions/registry.h"

#include "agent/executor/actions/diagnostics_actions.h"
#include "agent/executor/actions/disk_actions.h"
#include "agent/executor/actions/docker_actions.h"
#include "agent/executor/actions/process_actions.h"
#include "agent/executor/actions/redis_actions.h"
#include "agent/executor/actions/runbook_actions.h"
#include "agent/executor/actions/systemd_actions.h"

namespace observeai::agent::executor {

Actions make_actions(const Host& host) {
  Actions actions;
  add_diagnostics_actions(host, actions);
  add_disk_actions(host, actions);
  add_docker_actions(host, actions);
  add_process_actions(host, actions);
  add_redis_actions(host, actions);
  add_runbook_actions(host, actions);
  add_systemd_actions(host, actions);
  return actions;
}

}  // namespace observeai::agent::executor
