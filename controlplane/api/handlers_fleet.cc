// Who may be part of the fleet and who may use it: agents, enrollment tokens, API keys.
#include <boost/json.hpp>

#include "controlplane/api/body.h"
#include "controlplane/api/handlers.h"
#include "controlplane/api/listing.h"
#include "controlplane/api/to_json.h"
#include "controlplane/audit/kinds.h"
#include "controlplane/auth/roles.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxReasonBytes = 500;
constexpr std::int64_t kMinTtlMs = 60'000;
// As controlplane/enroll takes them.
constexpr std::int64_t kMaxTtlMs = 24 * kHourMs;
constexpr std::int64_t kMaxUses = 10'000;
constexpr std::size_t kMaxTokenLabels = 32;
constexpr std::size_t kMaxTokenLabelBytes = 128;
constexpr std::size_t kMaxTokenCidrs = 64;
constexpr std::size_t kMaxCidrBytes = 64;
constexpr std::size_t kMaxPatternBytes = 253;
constexpr std::int64_t kMaxTimeMs = 253'402'300'800'000;

Problem switched_off() {
  return {503, Errc::kUnavailable, "this control plane does not do that"};
}

Answer<Reply> agent_reply(Call& call, const AgentId& id) {
  TRY(const auto agent, call.world.agents.find(id));
  if (!agent || agent->tenant != call.identity.tenant)
    return Problem(404, Errc::kNotFound, "no agent " + id.value());
  TRY(const auto token, call.world.tokens.find(agent->token_id));
  return json_reply(agent_json(
      *agent, agent->state == model::AgentState::kPending && token && token->needs_approval));
}

}  // namespace

Answer<Reply> get_agents(Call& call) {
  TRY(const auto* agents, call.directory.agents());
  TRY(const auto tokens, call.world.tokens.list(call.identity.tenant));
  std::map<std::string, bool> asks;
  for (const auto& token : tokens) asks[token.id] = token.needs_approval;
  TRY(auto page, Listing::create(call.params));
  for (const auto& [id, agent] : *agents) {
    if (!page.wants(id.value())) continue;
    page.add(agent_json(agent, agent.state == model::AgentState::kPending && asks[agent.token_id]));
  }
  return page.reply({{"now_ms", call.now_ms}}, "agents");
}

Answer<Reply> get_agent(Call& call) {
  auto agent = call.directory.host(call.path_argument);
  if (!agent && agent.error().status == 404) {
    // It asks for an identity: `agent list` also has those that are no host's any more.
    agent.error().message = "no agent \"" + log::printable(call.path_argument, 80) + "\"";
    if (!agent.error().hint.starts_with("did you mean"))
      agent.error().hint = "`observeai agent list` lists them";
  }
  if (!agent) return agent.error();
  return agent_reply(call, agent->id);
}

Answer<Reply> post_agent_revoke(Call& call) {
  TRY(const auto body, Body::parse(call.request.body, {"reason"}));
  TRY(const auto reason, body.text("reason", 1, kMaxReasonBytes));
  TRY(const auto agent, call.directory.exact_agent(call.path_argument));
  if (!call.world.actions.revoke_agent) return switched_off();
  TRY_VOID(call.world.actions.revoke_agent(agent.id, reason, call.identity.actor()));
  return agent_reply(call, agent.id);
}

Answer<Reply> post_agent_approve(Call& call) {
  TRY_VOID(Body::parse(call.request.body, {}));
  TRY(const auto agent, call.directory.exact_agent(call.path_argument));
  if (agent.state == model::AgentState::kRevoked) {
    return Problem(409, Errc::kDenied, "agent " + agent.id.value() + " is revoked",
                   "enroll the host again");
  }
  if (!call.world.actions.approve_agent) return switched_off();
  TRY_VOID(call.world.actions.approve_agent(agent.id, call.identity.actor()));
  return agent_reply(call, agent.id);
}

Answer<Reply> get_tokens(Call& call) {
  TRY(const auto tokens, call.world.tokens.list(call.identity.tenant));
  TRY(auto page, Listing::create(call.params));
  std::map<std::string, const model::TokenRecord*> by_age;
  for (const auto& token : tokens) by_age[list_key(token.created_ms, token.id)] = &token;
  for (const auto& [key, token] : by_age) {
    if (page.wants(key)) page.add(token_json(*token, call.now_ms));
  }
  return page.reply({{"now_ms", call.now_ms}}, "tokens");
}

Answer<Reply> post_token(Call& call) {
  TRY(const auto body, Body::parse(call.request.body, {"ttl_ms", "uses", "labels", "cidrs",
                                                       "host_pattern", "needs_approval"}));
  NewToken token;
  TRY(token.ttl_ms, body.integer_or("ttl_ms", kMinTtlMs, kMaxTtlMs, token.ttl_ms));
  TRY(const auto uses, body.integer_or("uses", 1, kMaxUses, 1));
  token.uses = static_cast<std::uint32_t>(uses);
  TRY(token.labels, body.text_map("labels", kMaxTokenLabels, kMaxTokenLabelBytes));
  TRY(token.cidrs, body.texts("cidrs", kMaxTokenCidrs, kMaxCidrBytes));
  TRY(token.host_pattern, body.text_or("host_pattern", kMaxPatternBytes, ""));
  TRY(token.needs_approval, body.boolean_or("needs_approval", false));
  if (!call.world.actions.create_token) return switched_off();
  TRY(const auto created,
      call.world.actions.create_token(token, call.identity.tenant, call.identity.actor()));
  return json_reply({{"text", created.text}, {"token", token_json(created.record, call.now_ms)}},
                    201);
}

Answer<Reply> delete_token(Call& call) {
  TRY(auto token, call.world.tokens.find(call.path_argument));
  if (!token || token->tenant != call.identity.tenant) {
    return Problem(404, Errc::kNotFound, "no token " + log::printable(call.path_argument, 80),
                   "`observeai token list` lists them");
  }
  if (token->revoked_ms == 0) {
    TRY_VOID(call.world.tokens.revoke(token->id, call.now_ms));
    token->revoked_ms = call.now_ms;
    TRY_VOID(call.world.audit.append(audit::entry_of(audit::kinds::kTokenRevoke, call.now_ms,
                                                     call.identity.actor(), token->id,
                                                     {{"tenant", token->tenant.value()}})));
  }
  return json_reply(token_json(*token, call.now_ms));
}

Answer<Reply> get_keys(Call& call) {
  TRY(const auto keys, call.world.access.list_keys(call.identity.tenant));
  TRY(auto page, Listing::create(call.params));
  std::map<std::string, const model::ApiKeyRecord*> by_age;
  for (const auto& key : keys) by_age[list_key(key.created_ms, key.id)] = &key;
  for (const auto& [place, key] : by_age) {
    if (page.wants(place)) page.add(key_json(*key, call.now_ms));
  }
  return page.reply({{"now_ms", call.now_ms}}, "keys");
}

Answer<Reply> post_key(Call& call) {
  TRY(const auto body, Body::parse(call.request.body, {"user", "role", "expires_ms"}));
  TRY(const auto user, body.text("user", 1, AccessService::kMaxUserBytes));
  TRY(const auto role_name, body.text("role", 1, 32));
  const auto role = parse_role(role_name);
  if (!role) return bad_parameter("role", "must be one of viewer, operator, admin");
  TRY(const auto expires_ms, body.integer_or("expires_ms", 0, kMaxTimeMs, 0));
  TRY(const auto key, call.world.access.create_key(call.identity.actor(), user,
                                                   call.identity.tenant, *role, expires_ms));
  return json_reply({{"text", key.text}, {"key", key_json(key.record, call.now_ms)}}, 201);
}

Answer<Reply> delete_key(Call& call) {
  auto key =
      call.world.access.revoke_key(call.identity.actor(), call.identity.tenant, call.path_argument);
  if (!key && key.error().code() == Errc::kNotFound)
    return Problem(404, Errc::kNotFound, key.error().message(), "`observeai key list` lists them");
  if (!key) return key.error();
  return json_reply(key_json(*key, call.now_ms));
}

}  // namespace observeai::controlplane::api
