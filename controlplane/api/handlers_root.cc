// The root of trust: every version as signed, and what the newest says. Verified by who takes it; nothing
// here decides who may sign.
#include <boost/json.hpp>

#include "controlplane/api/body.h"
#include "controlplane/api/handlers.h"
#include "controlplane/api/to_json.h"
#include "protocol/base/text.h"
#include "protocol/wire/envelope_codec.h"
#include "protocol/wire/root_codec.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

// A body holds 64 KiB: one envelope with some 400 approvers, or several small ones.
constexpr std::size_t kMaxEnvelopes = 16;
constexpr std::size_t kMaxEnvelopeText = 60'000;

json::object key_json(const signing::VerifyKey& key) {
  return {{"key", signing::to_text(key)}, {"id", signing::key_id(key).value()}};
}

json::object signer_json(const signing::SignerKey& signer) {
  json::object out = key_json(signer.key);
  json::array tenants;
  for (const auto& tenant : signer.delegation.tenants) tenants.emplace_back(tenant.value());
  json::array actions;
  for (const auto& action : signer.delegation.actions) actions.emplace_back(action);
  out["tenants"] = std::move(tenants);
  out["actions"] = std::move(actions);
  out["max_targets"] = signer.delegation.max_targets;
  out["not_after_ms"] = signer.delegation.not_after_ms;
  return out;
}

json::object newest_json(const signing::RootMetadata& root, std::int64_t now_ms) {
  json::array root_keys;
  for (const auto& key : root.root_keys) root_keys.push_back(key_json(key));
  json::array signers;
  for (const auto& signer : root.signers) signers.push_back(signer_json(signer));
  json::array approvers;
  for (const auto& approver : root.approvers) {
    json::object one = key_json(approver.key);
    one["person"] = approver.person;
    approvers.push_back(std::move(one));
  }
  return {{"version", root.version},
          {"expires_ms", root.expires_ms},
          {"expired", signing::is_expired(root, now_ms)},
          {"threshold", root.root_threshold},
          {"root_keys", std::move(root_keys)},
          {"signers", std::move(signers)},
          {"approvers", std::move(approvers)},
          {"audit_key", key_json(root.audit_key)}};
}

Problem switched_off() {
  return {503, Errc::kUnavailable, "this control plane has no root of trust"};
}

Answer<json::object> chain_json(Call& call) {
  if (!call.world.actions.roots) return switched_off();
  const auto envelopes = call.world.actions.roots();
  json::array out;
  signing::RootMetadata newest;
  for (const auto& bytes : envelopes) {
    TRY(const auto envelope, wire::decode_envelope(bytes));
    TRY(newest, wire::decode_root(envelope.payload));
    out.push_back(json::object{{"version", newest.version},
                               {"sha256", signing::sha256_hex(bytes)},
                               {"envelope", text::to_base64url(text::as_bytes(bytes))}});
  }
  return json::object{{"now_ms", call.now_ms},
                      {"newest", newest_json(newest, call.now_ms)},
                      {"chain", std::move(out)}};
}

}  // namespace

Answer<Reply> get_root(Call& call) {
  TRY(const auto chain, chain_json(call));
  return json_reply(chain);
}

Answer<Reply> post_root(Call& call) {
  TRY(const auto body, Body::parse(call.request.body, {"envelopes"}));
  TRY(const auto texts, body.texts("envelopes", kMaxEnvelopes, kMaxEnvelopeText));
  if (texts.empty()) return bad_parameter("envelopes", "must name one version at least");
  std::vector<std::string> envelopes;
  for (const auto& text : texts) {
    const auto bytes = text::from_base64url(text);
    if (!bytes) return Problem(400, Errc::kInvalid, "an envelope is not base64url without padding");
    envelopes.emplace_back(text::as_text(*bytes));
  }
  if (call.identity.tenant != call.world.home_tenant) {
    return Problem(403, Errc::kDenied, "the root of trust belongs to who runs the installation");
  }
  if (!call.world.actions.publish_roots) return switched_off();
  TRY_VOID(call.world.actions.publish_roots(envelopes, call.identity.actor()));
  TRY(const auto chain, chain_json(call));
  return json_reply(chain);
}

}  // namespace observeai::controlplane::api
