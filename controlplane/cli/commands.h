// What each command of the console does, apart from parsing its options. Every command prints a
// human view, or with `json` the server's own answer.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/cli/api_client.h"
#include "controlplane/cli/terminal.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::cli {

struct Context {
  ApiClient& api;
  const Terminal& terminal;
  bool json = false;
  std::ostream& out;
  std::ostream& err;                 // What a person must know and a pipe must not get
  std::string server = "HOST:PORT";  // Where the control plane is
};

Result<void> show_status(Context& context);
Result<void> show_hosts(Context& context);
Result<void> show_host(Context& context, const std::string& host);

Result<void> show_containers(Context& context, const std::string& host, bool all);
void print_containers(Context& context, const boost::json::object& answer);
Result<void> show_processes(Context& context, const std::string& host, const std::string& target);
Result<void> show_services(Context& context, const std::string& host);
Result<void> show_ports(Context& context, const std::string& host);
// How many pictures `top` shows, 0 = until interrupted: what was asked for; else one when nothing can
// be painted over.
unsigned top_rounds(const Context& context, bool once, std::optional<unsigned> asked);
// Redraws every `interval_s` seconds, `rounds` times (0 = until interrupted).
Result<void> show_top(Context& context, const std::string& host, const std::string& by,
                      unsigned interval_s, unsigned rounds);

struct LogOptions {
  std::string target;
  std::string host;
  std::string since;
  std::string until;
  std::string grep;
  std::string stream;
  std::string limit;  // "" = the server's default
  bool follow = false;
  bool timestamps = true;
};
Result<void> show_logs(Context& context, const LogOptions& options);

struct MetricOptions {
  std::string target;
  std::string host;
  std::string name;
  std::string since;
  std::string until;
  std::string step;
  std::vector<std::string> labels;  // "device=eth0"
};
Result<void> show_metrics(Context& context, const MetricOptions& options);

struct EventOptions {
  std::string target;
  std::string host;
  std::string kind;
  std::string since;
  std::string until;
  std::string limit;
  bool follow = false;
};
Result<void> show_events(Context& context, const EventOptions& options);

struct TokenOptions {
  std::string ttl = "1h";
  std::uint64_t uses = 1;
  std::vector<std::string> labels;
  std::vector<std::string> cidrs;
  std::string host_pattern;
  bool needs_approval = false;
  bool quiet = false;  // Prints the token alone
};
Result<void> create_token(Context& context, const TokenOptions& options);
Result<void> list_tokens(Context& context);
Result<void> revoke_token(Context& context, const std::string& id);

Result<void> list_agents(Context& context);
Result<void> show_agent(Context& context, const std::string& id);
Result<void> revoke_agent(Context& context, const std::string& id, const std::string& reason);
Result<void> approve_agent(Context& context, const std::string& id);

Result<void> create_key(Context& context, const std::string& user, const std::string& role,
                        const std::string& ttl);
Result<void> list_keys(Context& context);
Result<void> revoke_key(Context& context, const std::string& id);

Result<void> show_alerts(Context& context);
Result<void> resolve_alert(Context& context, const std::string& id);
Result<void> show_ledger(Context& context, const std::string& host);
// The newest entries, or those before the entry with this number; "" = the server's default.
Result<void> show_audit(Context& context, const std::string& before, const std::string& limit);
// The whole log with its hashes, to `file` or, when that is empty, to the output.
Result<void> export_audit(Context& context, const std::string& file);
struct AuditVerifyOptions {
  std::string file;   // An export
  std::string root;   // SHA-256 of the first root metadata, or its file; "": as the export says
  std::string heads;  // A file of heads that were kept elsewhere
};
// kCorrupt, with the first entry that does not fit. The server's log; or a file, without any server.
Result<void> verify_audit(Context& context, const AuditVerifyOptions& options);
Result<void> verify_audit_file(const AuditVerifyOptions& options, const Terminal& terminal,
                               bool as_json, std::ostream& out);
Result<void> show_whoami(Context& context);

}  // namespace observeai::controlplane::cli
