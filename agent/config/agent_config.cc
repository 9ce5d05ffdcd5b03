#include "agent/config/agent_config.h"

#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::agent {

void describe(AgentConfig& c, config::Schema& schema) {
  using std::chrono::milliseconds;
  const config::Check known_level = [](const std::string& name) -> Result<void> {
    TRY_VOID(log::parse_level(name));
    return {};
  };
  schema.field("state_dir", c.state_dir, config::not_empty,
               "folder for the identity and the spool");
  schema.field("log_level", c.log_level, known_level, "debug, info, warning or error");
  schema.field("server", c.server, "the control plane's HTTPS address, HOST:PORT, for enrollment");
  schema.section("metrics", "host, container and process metrics");
  schema.field("interval", c.metrics_interval, milliseconds(1'000), milliseconds(300'000),
               "time between scrapes");
  schema.section("inventory", "processes, ports and units");
  schema.field("interval", c.inventory_interval, milliseconds(1'000), milliseconds(300'000),
               "time between scans of /proc");
  schema.section("docker", "containers");
  schema.field("enabled", c.docker_enabled, "watch the Docker Engine");
  schema.field("socket", c.docker_socket,
               "its unix socket, or the gateway's; empty: /run/observeai/docker-gateway.sock where "
               "there is one, else /var/run/docker.sock");
  schema.section("logs", "logs of containers, pods and files");
  schema.field("enabled", c.logs_enabled, "collect them");
  schema.field("flush", c.logs_flush, milliseconds(20), milliseconds(10'000),
               "a line waits at most this long before it is committed");
  schema.field("join_traces", c.logs_join_traces,
               "a stack trace of many lines becomes one record (Java, Python, Go, Node, C++)");
  schema.field("files", c.logs_files,
               "log files to follow, such as \"/var/log/*.log\": absolute patterns with * ? [ ]");
  schema.field("exclude", c.logs_exclude,
               "files not to follow: patterns of paths or, without /, of names");
  schema.field("read_existing", c.logs_read_existing,
               "read files from their beginning that are older than the first look for them");
  schema.field("pods", c.logs_pods, "logs in the kubelet's format, followed where they exist");
  schema.section("journal", "entries of the systemd journal, where there is one");
  schema.field("enabled", c.journal_enabled, "collect them");
  schema.field("directory", c.journal_directory,
               "where its files are; empty: /run/log/journal and /var/log/journal");
  schema.field("include", c.journal_include,
               "patterns (* and ?) of units, \"kernel\", or programs without a unit; empty: all");
  schema.field("exclude", c.journal_exclude, "the same, left out");
  schema.field("max_priority", c.journal_max_priority, 0, 7,
               "the least important that counts: 0 emergency, 3 error, 6 info, 7 debug");
  schema.field("backfill", c.journal_backfill, milliseconds(0), milliseconds(604'800'000),
               "how far back the first start reads");
  schema.section("certificates", "X.509 certificates whose end is foretold");
  schema.field("files", c.certificate_files,
               "files in PEM, read once an hour: absolute patterns with * ? [ ]; empty: none");
  schema.section("spool", "the queue on disk");
  schema.field("max_mib", c.spool_max_mib, 16, 1U << 20, "quota; full means: stop reading logs");
  schema.field("min_free_mib", c.spool_min_free_mib, 1, 1U << 20,
               "stop writing when the file system has less free space than this");
  schema.section("budget", "what the agent may cost before it collects less, step by step");
  schema.field("cpu_percent", c.budget_cpu_percent, 1, 6'400,
               "of one core, for more than a minute");
  schema.field("memory_mib", c.budget_memory_mib, 8, 65'536, "resident memory");
  schema.section("executor", "the program that executes signed commands on this host");
  schema.field("socket", c.executor_socket, "its unix socket; empty: this host executes nothing");
  schema.field("trust_dir", c.executor_trust_dir,
               "where enroll, run by root, leaves what the executor trusts; empty: nowhere");
  schema.section("paths", "other roots, for containers that see the host elsewhere");
  schema.field("proc", c.proc_root, config::not_empty, "where the host's /proc is");
  schema.field("sys", c.sys_root, config::not_empty, "where the host's /sys is");
}

std::string docker_socket_of(const AgentConfig& config, const std::string& gateway) {
  if (!config.docker_socket.empty()) return config.docker_socket;
  return files::exists(gateway) ? gateway : "/var/run/docker.sock";
}

Result<AgentConfig> load_agent_config(const std::string& path, bool must_exist) {
  AgentConfig config;
  const auto text = files::read(path, 1U << 20);
  if (!text) {
    if (text.error().code() == Errc::kNotFound && !must_exist) return config;
    return text.error();
  }
  TRY_VOID(config::read_toml(*text, path, config));
  for (const auto* patterns : {&config.logs_files, &config.logs_pods, &config.certificate_files}) {
    for (const auto& pattern : *patterns) {
      if (pattern.starts_with('/') && pattern.find('\n') == std::string::npos) continue;
      const std::string fields = patterns == &config.certificate_files
                                     ? "certificates.files holds"
                                     : "logs.files and logs.pods hold";
      return Error(Errc::kInvalid,
                   path + ": " + fields + " absolute paths, not \"" + pattern + "\"");
    }
  }
  return config;
}

}  // namespace observeai::agent
