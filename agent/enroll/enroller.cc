#include "agent/enroll/enroller.h"

#include <sys/stat.h>

#include "agent/enroll/issued_certificate.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {
constexpr std::size_t kMaxTokenFileBytes = 4096;
}  // namespace

// What one run has found so far. A step may use what the steps before it have set.
struct Enroller::Run {
  bool enrolled_before = false;
  std::string token_text;
  pki::EnrollmentToken token;
  std::optional<ControlPlaneClient> server;
  Result<std::int64_t> server_time = Error(Errc::kInternal, "not asked");
  std::optional<NewKeys> keys;
  pki::EnrollResponse response;
  std::optional<pki::Certificate> certificate;
  std::optional<Identity> identity;
  bool active = false;
};

struct Enroller::StepRow {
  const char* name;
  StepFunction run;
  bool when_enrolled;  // Is of use on a host that is enrolled already
  const char* next;    // What to do when it fails
};

const std::vector<Enroller::StepRow>& Enroller::table() {
  static const std::vector<StepRow> rows{
      {"existing identity", &Enroller::look_for_identity, true,
       "restore the folder from a backup, or replace it: enroll --force with a new token"},
      {"read the token", &Enroller::read_token, false,
       "make a token on the control plane (observeai token create) and pass it with --token-file "
       "FILE "
       "(\"-\" reads it from standard input), in the variable OBSERVEAI_ENROLL_TOKEN or in "
       "/etc/observeai/enroll.token"},
      {"token format", &Enroller::parse_token, false,
       "copy the whole token, from \"oai1.\" to its end, on one line"},
      {"reach the control plane", &Enroller::reach_server, false,
       "check the address, DNS, routes and firewalls between this host and the control plane"},
      {"server key", &Enroller::check_server_key, false,
       "the token is for another control plane, or something answers in its place: check the "
       "address, then make a token on this control plane"},
      {"clock", &Enroller::check_clock, false,
       "set the clock (timedatectl set-ntp true) and run enroll again"},
      {"make keys", &Enroller::make_keys, false,
       "make the folder writable for the agent's user; run enroll as that user"},
      {"token accepted", &Enroller::send_request, false,
       "see the reason above; a token is for a limited time, number of hosts, networks and names: "
       "make one that fits"},
      {"root metadata", &Enroller::check_root_metadata, false,
       "the control plane's root metadata has changed since the token was made: make a new token"},
      {"certificate", &Enroller::check_certificate, false,
       "the control plane is faulty: look at its log"},
      {"store the identity", &Enroller::store_identity, false,
       "free space or make the folder writable, then run enroll again: it costs no second use"},
      {"confirm", &Enroller::confirm, true,
       "run enroll again: the identity is stored, only the confirmation is missing"},
  };
  return rows;
}

Enroller::Enroller(EnrollOptions options, IdentityStore& store, HttpClientFactory connect,
                   const Clock& clock, std::function<void(const Step&)> on_step)
    : options_(std::move(options)),
      store_(store),
      connect_(std::move(connect)),
      clock_(clock),
      on_step_(std::move(on_step)) {}

EnrollReport Enroller::run() {
  EnrollReport report;
  Run run;
  for (const auto& row : table()) {
    Step step{row.name, StepState::kSkipped, "", ""};
    const bool needed = row.when_enrolled || !run.enrolled_before;
    if (report.error) {
      step.detail = "not tried";
    } else if (!needed) {
      step.detail = "not needed";
    } else if (auto outcome = (this->*row.run)(run)) {
      step.state = StepState::kOk;
      step.detail = std::move(*outcome);
    } else {
      step.state = StepState::kFailed;
      step.detail = outcome.error().message();
      step.next = row.next;
      report.error = outcome.error();
    }
    report.steps.push_back(step);
    if (on_step_) on_step_(report.steps.back());
  }
  if (run.identity) report.agent = run.identity->agent;
  report.active = run.active;
  return report;
}

Result<std::string> Enroller::look_for_identity(Run& run) {
  if (options_.force) return "any identity will be replaced";
  auto identity = store_.load();
  if (!identity && identity.error().code() == Errc::kNotFound) return "none yet";
  if (!identity) return std::move(identity).error();
  run.enrolled_before = true;
  run.identity = std::move(*identity);
  return "this host is enrolled as " + run.identity->agent.value();
}

Result<std::string> Enroller::read_token(Run& run) {
  const auto& from = options_.token;
  if (!from.argument.empty()) {
    run.token_text = from.argument;
    return "from the command line (every user of this host could see it there; --token-file hides "
           "it)";
  }
  if (!from.named_file.empty()) return read_token_file(run, from.named_file);
  if (!from.environment.empty()) {
    run.token_text = from.environment;
    return "from the environment";
  }
  auto found = read_token_file(run, from.file);
  if (!found && found.error().code() == Errc::kNotFound) {
    return Error(Errc::kNotFound, "no token: none on the command line, " +
                                      std::string(kTokenVariable) + " is not set and there is no " +
                                      from.file);
  }
  return found;
}

Result<std::string> Enroller::read_token_file(Run& run, const std::string& name) {
  const bool standard_input = name == "-";
  TRY(run.token_text, files::read(standard_input ? "/dev/stdin" : name, kMaxTokenFileBytes));
  if (standard_input) return "from standard input";
  struct stat info {};
  const bool exposed = ::stat(name.c_str(), &info) == 0 && (info.st_mode & S_IROTH) != 0;
  return "from " + name +
         (exposed ? " (warning: every user of this host can read it; chmod 600)" : "");
}

Result<std::string> Enroller::parse_token(Run& run) {
  TRY(run.token, pki::parse_token(run.token_text));
  return "token " + run.token.id;
}

Result<std::string> Enroller::reach_server(Run& run) {
  const auto address = options_.server_host + ":" + std::to_string(options_.server_port);
  if (options_.server_host.empty() || options_.server_port == 0) {
    return Error(Errc::kInvalid, "the control plane's address is not set (--server host:port)");
  }
  run.server.emplace(
      connect_({options_.server_host, options_.server_port, run.token.server_spki_sha256}));
  run.server_time = run.server->health_time_ms();
  // A wrong key is the next step's finding: something did answer.
  if (!run.server_time && run.server_time.error().code() != Errc::kDenied) {
    return Error(run.server_time.error()).with_context(address);
  }
  return address + " answers";
}

Result<std::string> Enroller::check_server_key(Run& run) {
  if (!run.server_time) return run.server_time.error();
  return "is the one that the token names";
}

Result<std::string> Enroller::check_clock(Run& run) {
  const auto now = clock_.unix_ms();
  const auto offset = pki::describe_clock_offset(now, *run.server_time);
  if (std::abs(now - *run.server_time) > pki::kMaxClockOffsetMs) {
    return Error(Errc::kInvalid, "this host's clock is " + offset + " the control plane (host " +
                                     text::format_time_ms(now) + ", control plane " +
                                     text::format_time_ms(*run.server_time) + ")");
  }
  return offset + " the control plane";
}

Result<std::string> Enroller::make_keys(Run& run) {
  TRY(run.keys, store_.keys_for_enrollment(run.token.id));
  return "in " + store_.folder() + "/next; they never leave this host";
}

Result<std::string> Enroller::send_request(Run& run) {
  pki::EnrollRequest request;
  request.token_id = run.token.id;
  request.secret = run.token.secret;
  TRY(request.csr_pem, pki::make_request(run.keys->tls, "observeai-agent"));
  request.hostname = options_.hostname;
  request.machine_id_sha256 = options_.machine_id_sha256;
  request.sealing_public_key = run.keys->sealing.public_key;
  request.result_public_key = run.keys->result.public_key().bytes;
  request.agent_version = options_.agent_version;
  request.wall_time_ms = clock_.unix_ms();
  TRY(run.response, run.server->enroll(request));
  return "this host is " + run.response.agent_id + " of tenant " + run.response.tenant;
}

Result<std::string> Enroller::check_root_metadata(Run& run) {
  const auto hash = signing::sha256_hex(run.response.root_metadata);
  if (hash != run.token.root_metadata_sha256) {
    return Error(Errc::kDenied, "the root metadata received (sha256 " + hash +
                                    ") is not the one that the token names (" +
                                    run.token.root_metadata_sha256 + ")");
  }
  return "is the one that the token names";
}

Result<std::string> Enroller::check_certificate(Run& run) {
  TRY(run.certificate, check_issued(run.response.certificate_pem, run.response.agent_ca_pem,
                                    run.response.server_ca_pem, run.keys->tls,
                                    run.response.agent_id, clock_.unix_ms()));
  return "valid until " + text::format_time_ms(run.certificate->not_after_ms);
}

Result<std::string> Enroller::store_identity(Run& run) {
  TRY(auto agent, AgentId::parse(run.response.agent_id));
  TRY(auto tenant, TenantId::parse(run.response.tenant));
  Identity identity{std::move(agent),
                    std::move(tenant),
                    run.response.shard,
                    {options_.server_host, options_.server_port, run.token.server_spki_sha256},
                    run.response.brokers,
                    run.keys->tls,
                    *run.certificate,
                    run.response.server_ca_pem,
                    run.keys->sealing,
                    run.response.controlplane_public_key,
                    run.keys->result,
                    run.response.root_metadata,
                    false};
  // A key nobody can agree with would make every batch unreadable.
  TRY_VOID(signing::agent_session_keys(identity.sealing, identity.controlplane_public_key));
  TRY_VOID(store_.save(identity));
  run.identity = std::move(identity);
  return "in " + store_.folder();
}

Result<std::string> Enroller::confirm(Run& run) {
  const auto& identity = *run.identity;
  if (identity.confirmed) {
    run.active = true;
    return "done before";
  }
  if (!run.server) run.server.emplace(connect_(identity.server));
  pki::ConfirmRequest request;
  request.agent_id = identity.agent.value();
  request.timestamp_ms = clock_.unix_ms();
  TRY(request.signature,
      identity.tls_key.sign(pki::confirm_statement(request.agent_id, request.timestamp_ms)));
  TRY(const auto answer, run.server->confirm(request));
  if (!answer.active) return "received; waits for a person's approval on the control plane";
  TRY_VOID(store_.mark_confirmed());
  run.active = true;
  return "this host is active";
}

std::string read_machine_id_sha256(const std::string& path) {
  const auto id = files::read(path, 4096);
  const auto trimmed = id ? text::trim(*id) : std::string_view();
  return trimmed.empty() ? std::string() : signing::sha256_hex(trimmed);
}

}  // namespace observeai::agent
