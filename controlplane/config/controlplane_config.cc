#include "controlplane/config/controlplane_config.h"

#include "protocol/base/files.h"
#include "protocol/base/id.h"
#include "protocol/base/log.h"

namespace observeai::controlplane {

void describe(ControlPlaneConfig& c, config::Schema& schema) {
  using std::chrono::milliseconds;
  schema.field("state_dir", c.state_dir, "folder for keys, state and telemetry");
  schema.field("log_level", c.log_level, "debug, info, warning or error");
  schema.field("tenant", c.tenant, "the tenant that new tokens and users belong to");
  schema.field("public_names", c.public_names,
               "names and addresses by which hosts reach this machine, besides its host name");
  schema.section("api", "HTTPS: console and enrollment");
  schema.field("address", c.api_address, "listen on this address");
  schema.field("port", c.api_port, 1, 65'535, "and this port");
  schema.section("broker", "MQTT: the agents' connections");
  schema.field("address", c.broker_address, "listen on this address");
  schema.field("port", c.broker_port, 1, 65'535, "and this port");
  schema.field("user", c.broker_user,
               "whom the broker runs as when root starts it, never root; it needs to own nothing");
  schema.section("signer", "the process that signs commands");
  schema.field("socket", c.signer_socket, config::not_empty, "where observeai-signer listens");
  schema.section("enroll", "the hosts' identities");
  schema.field(
      "certificate_lifetime", c.certificate_lifetime, milliseconds(60'000),
      milliseconds(365LL * 86'400'000),
      "of a host's certificate, renewed at half of it; below 1d only to see a renewal happen");
  schema.section("audit", "the proof of who did what");
  schema.field(
      "heads_file", c.audit_heads_file,
      "append each signed head of the audit log to this file, best on another machine; empty: "
      "do not");
  schema.section("predict", "failures announced before they come");
  schema.field("enabled", c.predict_enabled,
               "whether anything is foretold at all; `observeai predict --disable` for a while");
  schema.field("step", c.predict_step, milliseconds(1'000), milliseconds(3'600'000),
               "of the slow clock: a forecast looks 30 steps ahead");
  schema.field("fast_step", c.predict_fast_step, milliseconds(1'000), milliseconds(3'600'000),
               "of the fast clock, for what fills up in minutes: the hosts' sampling interval");
  schema.section("telemetry", "what is kept");
  schema.field("max_mib", c.telemetry_max_mib, 64, 1ULL << 30, "oldest hours go first beyond this");
  schema.field("max_age", c.telemetry_max_age, milliseconds(3'600'000),
               milliseconds(3'650LL * 86'400'000), "and beyond this age");
}

Result<ControlPlaneConfig> load_controlplane_config(const std::string& path, bool must_exist) {
  ControlPlaneConfig config;
  const auto text = files::read(path, 1U << 20);
  if (!text) {
    if (text.error().code() == Errc::kNotFound && !must_exist) return config;
    return text.error();
  }
  TRY_VOID(config::read_toml(*text, path, config));
  TRY_VOID(log::parse_level(config.log_level));
  if (auto tenant = TenantId::parse(config.tenant); !tenant) {
    return std::move(tenant).error().with_context(path + ": tenant");
  }
  return config;
}

}  // namespace observeai::controlplane
