#include "agent/executor/executor_config.h"

#include <pwd.h>
#include <unistd.h>

#include <array>

#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::agent::executor {

void describe(ExecutorConfig& c, config::Schema& schema) {
  using std::chrono::milliseconds;
  const config::Check known_level = [](const std::string& name) -> Result<void> {
    TRY_VOID(log::parse_level(name));
    return {};
  };
  const config::Check known_owner = [](const std::string& name) -> Result<void> {
    if (name == "root" || name == "self") return {};
    return Error(Errc::kInvalid, "must be \"root\" or \"self\"");
  };
  schema.field("state_dir", c.state_dir, config::not_empty,
               "folder for trust and ledger, of root alone");
  schema.field("run_dir", c.run_dir, config::not_empty,
               "folder for the session, on a tmpfs: gone with each boot");
  schema.field("policy_dir", c.policy_dir, config::not_empty,
               "what this host's owner allows; DISABLE_COMMANDS beside it switches commands off");
  schema.field("socket", c.socket, config::not_empty, "where the agent asks");
  schema.field("agent_user", c.agent_user, config::not_empty, "who may ask beside root");
  schema.field("trusted_owner", c.trusted_owner, known_owner,
               "who must own policy and trust: root, or self for a try without root");
  schema.field("idle_exit", c.idle_exit, milliseconds(0), milliseconds(3'600'000),
               "started by its socket: ends when nobody asked for so long; 0s never");
  schema.field("log_level", c.log_level, known_level, "debug, info, warning or error");
  schema.section("docker", "containers");
  schema.field("socket", c.docker_socket, config::not_empty, "the Docker Engine's unix socket");
  schema.field("gateway_socket", c.gateway_socket, config::not_empty,
               "where the gateway lets the agent read");
  schema.section("paths", "what actions use");
  schema.field("proc", c.proc_root, config::not_empty, "where the host's /proc is");
  schema.field("journal", c.journal_directory, config::not_empty, "the journal's files");
  schema.field("systemctl", c.systemctl, config::not_empty, "the program");
  schema.field("journalctl", c.journalctl, config::not_empty, "the program");
}

Result<ExecutorConfig> load_executor_config(const std::string& path, bool must_exist) {
  constexpr std::size_t kMaxBytes = 1U << 20;
  ExecutorConfig config;
  const auto text = files::read(path, kMaxBytes);
  if (!text && text.error().code() == Errc::kNotFound && !must_exist) return config;
  if (!text) return text.error();
  TRY_VOID(config::read_toml(*text, path, config));
  return config;
}

uid_t trusted_owner(const ExecutorConfig& config) {
  return config.trusted_owner == "self" ? ::geteuid() : 0;
}

Places places_of(const ExecutorConfig& config) {
  Places places;
  places.trust_directory = config.state_dir + "/trust";
  places.ledger_path = config.state_dir + "/ledger.db";
  places.run_directory = config.run_dir;
  places.policy_directory = config.policy_dir;
  places.owner = trusted_owner(config);
  return places;
}

Host host_of(const ExecutorConfig& config) {
  Host host;
  host.docker_socket = config.docker_socket;
  host.proc_root = config.proc_root;
  host.journal_directory = config.journal_directory;
  host.systemctl = config.systemctl;
  host.journalctl = config.journalctl;
  host.site_owner = trusted_owner(config);
  return host;
}

Result<uid_t> user_id(const std::string& name) {
  constexpr std::size_t kBufferBytes = 16U << 10;
  std::string buffer(kBufferBytes, '\0');
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 ||
      found == nullptr)
    return Error(Errc::kNotFound, "there is no user " + name);
  return found->pw_uid;
}

}  // namespace observeai::agent::executor
