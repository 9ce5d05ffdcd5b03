#include "controlplane/signer/signer_config.h"

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::signer {
namespace {

constexpr std::uint64_t kMostPerHour = 10'000'000;

Result<void> empty_or_hash(const std::string& text) {
  if (text.empty() || (text.size() == 64 && text::from_hex(text))) return {};
  return Error(Errc::kInvalid, "must be empty or 64 hex digits");
}

}  // namespace

void describe(SignerConfig& c, config::Schema& schema) {
  using std::chrono::milliseconds;
  schema.field("state_dir", c.state_dir, config::not_empty,
               "folder for keys and memory, for the signer's user alone");
  schema.field("socket", c.socket, config::not_empty, "where the control plane asks");
  schema.field("log_level", c.log_level, "debug, info, warning or error");
  schema.field(
      "client", c.client,
      "name or number of the control plane's user; root and the signer's own may always ask");
  schema.field(
      "root_sha256", c.root_sha256, empty_or_hash,
      "hash of version 1 of the root metadata; empty: the first that names this signer's key");
  schema.section("commands", "what is signed at most");
  schema.field("max_lifetime", c.max_lifetime, milliseconds(1000),
               milliseconds(wire::kMaxCommandLifetimeMs), "from issue to expiry of a command");
  schema.field("tenant_per_minute", c.tenant_per_minute, 1, kMostPerHour, "of one tenant");
  schema.field("tenant_per_hour", c.tenant_per_hour, 1, kMostPerHour, "of one tenant");
  schema.field("agent_per_minute", c.agent_per_minute, 1, kMostPerHour, "for one agent");
  schema.field("agent_per_hour", c.agent_per_hour, 1, kMostPerHour, "for one agent");
  schema.field("times_per_minute", c.times_per_minute, 1, kMostPerHour,
               "time statements for one agent");
  schema.field("times_per_hour", c.times_per_hour, 1, kMostPerHour,
               "time statements for one agent");
  schema.field("all_times_per_minute", c.all_times_per_minute, 1, kMostPerHour,
               "time statements for all agents together");
  schema.field("all_times_per_hour", c.all_times_per_hour, 1, kMostPerHour,
               "time statements for all agents together");
}

SigningLimits limits_of(const SignerConfig& config) {
  SigningLimits limits;
  limits.max_lifetime_ms = config.max_lifetime.count();
  limits.commands_of_tenant = {config.tenant_per_minute, config.tenant_per_hour};
  limits.commands_of_agent = {config.agent_per_minute, config.agent_per_hour};
  limits.times_of_agent = {config.times_per_minute, config.times_per_hour};
  limits.times_of_all = {config.all_times_per_minute, config.all_times_per_hour};
  return limits;
}

Result<SignerConfig> load_signer_config(const std::string& path, bool must_exist) {
  SignerConfig config;
  const auto text = files::read(path, 1U << 20);
  if (!text) {
    if (text.error().code() == Errc::kNotFound && !must_exist) return config;
    return text.error();
  }
  TRY_VOID(config::read_toml(*text, path, config));
  TRY_VOID(log::parse_level(config.log_level));
  return config;
}

}  // namespace observeai::controlplane::signer
