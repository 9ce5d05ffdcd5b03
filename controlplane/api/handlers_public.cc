// Endpoints without a tenant's data: health, versions, login, enrollment.
#include <boost/json.hpp>

#include "controlplane/api/body.h"
#include "controlplane/api/handlers.h"
#include "controlplane/api/to_json.h"
#include "controlplane/auth/roles.h"
#include "protocol/base/embedded.h"

namespace observeai {
extern const EmbeddedFile kOpenapi[];  // Generated from openapi.yaml
}

namespace observeai::controlplane::api {
namespace {

Answer<Reply> pass_on(const EnrollHandler& handler, const Call& call) {
  if (!handler) return Problem(503, Errc::kUnavailable, "enrollment is switched off here");
  HttpReply passed = handler(call.request.body, call.request.remote_ip);
  Reply reply;
  reply.status = passed.status;
  reply.body = std::move(passed.body);
  return reply;
}

}  // namespace

Answer<Reply> get_health(Call& call) {
  return json_reply({{"status", "ok"}, {"time_ms", call.now_ms}, {"version", OBSERVEAI_VERSION}});
}

Answer<Reply> get_version(Call&) {
  return json_reply({{"version", OBSERVEAI_VERSION}, {"api", "v1"}});
}

Answer<Reply> get_openapi(Call&) {
  Reply reply;
  reply.content_type = "application/yaml";
  reply.body = kOpenapi[0].bytes;
  return reply;
}

Answer<Reply> post_login(Call& call) {
  TRY(const auto body, Body::parse(call.request.body, {"code"}));
  TRY(const auto code, body.text("code", 1, 1024));
  const auto key = call.world.access.exchange_login(code, call.request.remote_ip);
  if (!key && key.error().code() == Errc::kDenied) {
    return Problem(401, Errc::kDenied, key.error().message(),
                   "make a new one on the control plane: `observeai-controlplane login-code`");
  }
  if (!key) return Problem(key.error());
  const auto& record = key->record;
  return json_reply({{"key", key->text},
                     {"key_id", record.id},
                     {"user", record.user},
                     {"role", to_string(record.role)},
                     {"tenant", record.tenant.value()},
                     {"expires_ms", record.expires_ms}});
}

Answer<Reply> get_whoami(Call& call) {
  const auto& identity = call.identity;
  return json_reply({{"user", identity.user},
                     {"role", to_string(identity.role)},
                     {"tenant", identity.tenant.value()},
                     {"key_id", identity.key_id},
                     {"expires_ms", identity.expires_ms}});
}

Answer<Reply> post_enroll(Call& call) {
  return pass_on(call.world.actions.enroll, call);
}
Answer<Reply> post_enroll_confirm(Call& call) {
  return pass_on(call.world.actions.confirm, call);
}
Answer<Reply> post_renew(Call& call) {
  return pass_on(call.world.actions.renew, call);
}

}  // namespace observeai::controlplane::api
