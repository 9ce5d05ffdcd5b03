// One plain function for each endpoint. Internal to controlplane/api.
#pragma once

#include "controlplane/api/route_table.h"

namespace observeai::controlplane::api {

// handlers_public.cc
Answer<Reply> get_health(Call& call);
Answer<Reply> get_version(Call& call);
Answer<Reply> get_openapi(Call& call);
Answer<Reply> post_login(Call& call);
Answer<Reply> get_whoami(Call& call);
Answer<Reply> post_enroll(Call& call);
Answer<Reply> post_enroll_confirm(Call& call);
Answer<Reply> post_renew(Call& call);
// handlers_hosts.cc
Answer<Reply> get_status(Call& call);
Answer<Reply> get_hosts(Call& call);
Answer<Reply> get_host(Call& call);
Answer<Reply> get_alerts(Call& call);
Answer<Reply> post_alert_resolve(Call& call);
Answer<Reply> get_ledger(Call& call);
// handlers_workloads.cc
Answer<Reply> get_containers(Call& call);
Answer<Reply> get_processes(Call& call);
Answer<Reply> get_ports(Call& call);
Answer<Reply> get_top(Call& call);
// handlers_services.cc
Answer<Reply> get_services(Call& call);
// handlers_telemetry.cc
Answer<Reply> get_logs(Call& call);
Answer<Reply> get_metrics(Call& call);
Answer<Reply> get_metrics_query(Call& call);
Answer<Reply> get_events(Call& call);
// handlers_follow.cc
Answer<Reply> get_logs_follow(Call& call);
Answer<Reply> get_events_follow(Call& call);
// handlers_fleet.cc
Answer<Reply> get_agents(Call& call);
Answer<Reply> get_agent(Call& call);
Answer<Reply> post_agent_revoke(Call& call);
Answer<Reply> post_agent_approve(Call& call);
Answer<Reply> get_tokens(Call& call);
Answer<Reply> post_token(Call& call);
Answer<Reply> delete_token(Call& call);
Answer<Reply> get_keys(Call& call);
Answer<Reply> post_key(Call& call);
Answer<Reply> delete_key(Call& call);
// handlers_audit.cc
Answer<Reply> get_audit(Call& call);
Answer<Reply> get_audit_heads(Call& call);
Answer<Reply> get_audit_export(Call& call);
// handlers_root.cc
Answer<Reply> get_root(Call& call);
Answer<Reply> post_root(Call& call);
// handlers_plans.cc
Answer<Reply> post_plan(Call& call);
Answer<Reply> get_plans(Call& call);
Answer<Reply> get_plan(Call& call);
Answer<Reply> post_plan_simulate(Call& call);
Answer<Reply> post_plan_approval(Call& call);
Answer<Reply> post_plan_reject(Call& call);
Answer<Reply> post_plan_cancel(Call& call);
Answer<Reply> get_commands(Call& call);
Answer<Reply> get_command(Call& call);
Answer<Reply> get_actions(Call& call);
Answer<Reply> get_maintenance(Call& call);
Answer<Reply> post_maintenance(Call& call);
// handlers_predictions.cc
Answer<Reply> get_predictions(Call& call);
Answer<Reply> get_prediction(Call& call);
Answer<Reply> get_predict(Call& call);
Answer<Reply> post_predict(Call& call);
Answer<Reply> get_predict_accuracy(Call& call);
Answer<Reply> get_incidents(Call& call);
Answer<Reply> get_incident(Call& call);

}  // namespace observeai::controlplane::api
