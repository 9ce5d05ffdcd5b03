#include "controlplane/api/route_table.h"

#include "controlplane/api/handlers.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::api {
namespace {

constexpr auto kViewer = model::Role::kViewer;
constexpr auto kOperator = model::Role::kOperator;
constexpr auto kAdmin = model::Role::kAdmin;
constexpr auto kAnyone = std::nullopt;

// clang-format off
const std::vector<Route> kRoutes = {
    // method   path                            role       handler              query parameters
    {"GET",    "/v1/health",                     kAnyone,   get_health,          {}},
    {"GET",    "/v1/version",                    kAnyone,   get_version,         {}},
    {"GET",    "/v1/openapi.yaml",               kAnyone,   get_openapi,         {}},
    {"POST",   "/v1/login",                      kAnyone,   post_login,          {}},
    {"GET",    "/v1/whoami",                     kViewer,   get_whoami,          {}},
    {"GET",    "/v1/status",                     kViewer,   get_status,          {}},
    {"GET",    "/v1/hosts",                      kViewer,   get_hosts,           {"limit", "after"}},
    {"GET",    "/v1/hosts/{agent_id}",           kViewer,   get_host,            {}},
    {"GET",    "/v1/containers",                 kViewer,   get_containers,      {"host", "all", "limit",
                                                                                  "after"}},
    {"GET",    "/v1/processes",                  kViewer,   get_processes,       {"host", "target",
                                                                                  "limit", "after"}},
    {"GET",    "/v1/services",                   kViewer,   get_services,        {"host", "limit", "after"}},
    {"GET",    "/v1/ports",                      kViewer,   get_ports,           {"host", "limit", "after"}},
    {"GET",    "/v1/logs",                       kViewer,   get_logs,            {"target", "host", "since",
                                                                                  "until", "grep", "stream",
                                                                                  "limit", "order"}},
    {"GET",    "/v1/logs/follow",                kViewer,   get_logs_follow,     {"target", "host", "since",
                                                                                  "grep", "stream", "tail"}},
    {"GET",    "/v1/metrics",                    kViewer,   get_metrics,         {"target", "host",
                                                                                  "limit", "after"}},
    {"GET",    "/v1/metrics/query",              kViewer,   get_metrics_query,   {"target", "host", "name",
                                                                                  "since", "until", "step",
                                                                                  "label."}},
    {"GET",    "/v1/events",                     kViewer,   get_events,          {"since", "until", "kind",
                                                                                  "target", "host", "limit"}},
    {"GET",    "/v1/events/follow",              kViewer,   get_events_follow,   {"kind", "target", "host",
                                                                                  "tail", "after_id"}},
    {"GET",    "/v1/top",                        kViewer,   get_top,             {"host", "by", "limit"}},
    {"GET",    "/v1/alerts",                     kViewer,   get_alerts,          {"limit", "after"}},
    {"POST",   "/v1/alerts/{id}/resolve",        kOperator, post_alert_resolve,  {}},
    {"GET",    "/v1/ledger",                     kViewer,   get_ledger,          {"host", "limit", "after"}},
    {"GET",    "/v1/agents",                     kViewer,   get_agents,          {"limit", "after"}},
    {"GET",    "/v1/agents/{agent_id}",          kViewer,   get_agent,           {}},
    {"POST",   "/v1/agents/{agent_id}/revoke",   kOperator, post_agent_revoke,   {}},
    {"POST",   "/v1/agents/{agent_id}/approve",  kOperator, post_agent_approve,  {}},
    {"GET",    "/v1/tokens",                     kOperator, get_tokens,          {"limit", "after"}},
    {"POST",   "/v1/tokens",                     kOperator, post_token,          {}},
    {"DELETE", "/v1/tokens/{id}",                kOperator, delete_token,        {}},
    {"GET",    "/v1/keys",                       kAdmin,    get_keys,            {"limit", "after"}},
    {"POST",   "/v1/keys",                       kAdmin,    post_key,            {}},
    {"DELETE", "/v1/keys/{id}",                  kAdmin,    delete_key,          {}},
    {"GET",    "/v1/root",                       kViewer,   get_root,            {}},
    {"POST",   "/v1/root",                       kAdmin,    post_root,           {}},
    {"GET",    "/v1/audit",                      kAdmin,    get_audit,           {"after_seq", "before_seq",
                                                                                  "limit"}},
    {"GET",    "/v1/audit/heads",                kAdmin,    get_audit_heads,     {"after_seq", "limit"}},
    {"GET",    "/v1/audit/export",               kAdmin,    get_audit_export,    {"after_seq", "limit"}},
    {"GET",    "/v1/actions",                    kViewer,   get_actions,         {}},
    {"GET",    "/v1/plans",                      kViewer,   get_plans,           {"limit", "after"}},
    {"POST",   "/v1/plans",                      kOperator, post_plan,           {}},
    {"GET",    "/v1/plans/{id}",                 kViewer,   get_plan,            {}},
    {"POST",   "/v1/plans/{id}/simulate",        kOperator, post_plan_simulate,  {}},
    {"POST",   "/v1/plans/{id}/approvals",       kOperator, post_plan_approval,  {}},
    {"POST",   "/v1/plans/{id}/reject",          kOperator, post_plan_reject,    {}},
    {"POST",   "/v1/plans/{id}/cancel",          kOperator, post_plan_cancel,    {}},
    {"GET",    "/v1/commands",                   kViewer,   get_commands,        {"limit", "after"}},
    {"GET",    "/v1/commands/{id}",              kViewer,   get_command,         {}},
    {"GET",    "/v1/maintenance",                kViewer,   get_maintenance,     {}},
    {"POST",   "/v1/maintenance",                kOperator, post_maintenance,    {}},
    {"GET",    "/v1/predictions",                kViewer,   get_predictions,     {"state", "host", "kind",
                                                                                  "limit", "after"}},
    {"GET",    "/v1/predictions/{id}",           kViewer,   get_prediction,      {}},
    {"GET",    "/v1/predict",                    kViewer,   get_predict,         {}},
    {"POST",   "/v1/predict",                    kOperator, post_predict,        {}},
    {"GET",    "/v1/predict/accuracy",           kViewer,   get_predict_accuracy, {"host", "kind"}},
    {"GET",    "/v1/incidents",                  kViewer,   get_incidents,       {"limit", "after"}},
    {"GET",    "/v1/incidents/{id}",             kViewer,   get_incident,        {}},
    {"POST",   "/v1/enroll",                     kAnyone,   post_enroll,         {}},
    {"POST",   "/v1/enroll/confirm",             kAnyone,   post_enroll_confirm, {}},
    {"POST",   "/v1/renew",                      kAnyone,   post_renew,          {}},
};
// clang-format on

bool is_argument(std::string_view segment) {
  return segment.starts_with('{');
}

// The argument of the path when it fits the pattern.
std::optional<std::string_view> fit(std::string_view pattern, std::string_view path) {
  const auto wanted = text::split(pattern, '/');
  const auto given = text::split(path, '/');
  if (wanted.size() != given.size()) return std::nullopt;
  std::string_view argument;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (is_argument(wanted[i]) && !given[i].empty()) {
      argument = given[i];
    } else if (wanted[i] != given[i]) {
      return std::nullopt;
    }
  }
  return argument;
}

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

Answer<Matched> match(std::string_view method, std::string_view path) {
  std::string allowed;
  for (const Route& route : kRoutes) {
    const auto argument = fit(route.pattern, path);
    if (!argument) continue;
    if (route.method == method) {
      TRY(auto decoded, percent_decode(*argument));
      return Matched{&route, std::move(decoded)};
    }
    allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
  }
  const std::string shown = log::printable(path, 120);
  if (!allowed.empty()) {
    return Problem(405, Errc::kInvalid, log::printable(method, 20) + " is not possible on " + shown,
                   "use " + allowed);
  }
  std::vector<std::string> patterns;
  for (const Route& route : kRoutes) patterns.emplace_back(route.pattern);
  const auto near = text::nearest(path, patterns);
  return Problem(404, Errc::kNotFound, "there is no " + shown,
                 near ? "did you mean " + *near + "?" : "GET /v1/openapi.yaml lists what there is");
}

}  // namespace observeai::controlplane::api
