// EnrollmentService::enroll: from a token to an identity.
#include "controlplane/enroll/agent_naming.h"
#include "controlplane/enroll/enrollment_service.h"
#include "controlplane/enroll/token_scope.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/pki/enrollment_token.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/sealing.h"

namespace observeai::controlplane {

namespace {

constexpr std::size_t kMaxHostname = 253;
constexpr std::size_t kMaxVersion = 64;
constexpr std::size_t kMaxCsr = 16U << 10;
// Two agents with one random name: with 40 random bits once is luck, three times is a bug.
constexpr int kNameAttempts = 3;
// How many other agents of the same machine an alert names.
constexpr std::size_t kNamedClones = 5;

std::string plural(std::uint32_t count, const char* word) {
  return std::to_string(count) + " " + word + (count == 1 ? "" : "s");
}

// Shown to people on terminals and in logs: a control character (C0, DEL, C1) has no business there.
bool is_printable(const std::string& text) {
  return text::is_valid_utf8(text) && text::escape_unprintable(text, text.size() + 1) == text;
}

// What holds for every request, whoever sends it.
Result<void> check_fields(const pki::EnrollRequest& request) {
  if (!pki::is_token_id(request.token_id)) {
    return Error(Errc::kInvalid, "field \"token_id\" must be 10 characters of [a-z0-9]");
  }
  if (request.hostname.size() > kMaxHostname || !is_printable(request.hostname)) {
    return Error(
        Errc::kInvalid,
        "field \"hostname\" must be UTF-8 of at most 253 bytes without control characters; "
        "set this host's name right (hostnamectl set-hostname NAME)");
  }
  const auto& machine = request.machine_id_sha256;
  const auto machine_bytes = text::from_hex(machine);
  if (!machine.empty() && (!machine_bytes || machine_bytes->size() != 32)) {
    return Error(Errc::kInvalid, "field \"machine_id_sha256\" must be 64 hex digits or empty");
  }
  if (request.agent_version.size() > kMaxVersion || !is_printable(request.agent_version)) {
    return Error(
        Errc::kInvalid,
        "field \"agent_version\" must be UTF-8 of at most 64 bytes without control characters");
  }
  if (request.csr_pem.size() > kMaxCsr) {
    return Error(Errc::kInvalid, "field \"csr_pem\" is longer than 16 KiB");
  }
  return {};
}

// Keys that would make sealing or verifying meaningless.
Result<void> check_keys(const pki::EnrollRequest& request,
                        const signing::KeyAgreementPair& controlplane) {
  if (!signing::controlplane_session_keys(controlplane, request.sealing_public_key)) {
    return Error(Errc::kInvalid, "field \"sealing_public_key\" is not a usable X25519 key");
  }
  const signing::VerifyKey result{request.result_public_key};
  if (!signing::parse_verify_key(signing::to_text(result))) {
    return Error(Errc::kInvalid, "field \"result_public_key\" is not a usable Ed25519 key");
  }
  return {};
}

// Why the token lets nobody in at `now_ms`, in words for its holder.
Error token_refusal(const model::TokenRecord& token, std::int64_t now_ms, const Error& fallback) {
  const std::string name = "token " + token.id;
  const std::string make_another = "; make another on the control plane: observeai token create";
  if (token.revoked_ms != 0) {
    return Error(Errc::kDenied,
                 name + " was revoked at " + text::format_time_ms(token.revoked_ms) + make_another);
  }
  if (token.expires_ms <= now_ms) {
    return Error(Errc::kDenied,
                 name + " expired at " + text::format_time_ms(token.expires_ms) + make_another);
  }
  if (token.uses >= token.uses_allowed) {
    return Error(Errc::kDenied, name + " is used up (" + plural(token.uses_allowed, "use") +
                                    " allowed)" + make_another);
  }
  return fallback;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const auto& word : words) out.append(out.empty() ? "" : ", ").append(word);
  return out;
}

}  // namespace

Result<pki::EnrollResponse> EnrollmentService::enroll(const pki::EnrollRequest& request,
                                                      const std::string& remote) {
  TRY_VOID(check_rate(sources_, remote, remote));
  const auto object = "token:" + log::printable(request.token_id, pki::kTokenIdLength);
  const auto deny = [&](const std::string& actor, Error error) {
    return refused(actor, audit::kinds::kAgentEnrollRefused, object, std::move(error),
                   {{"remote", remote}, {"hostname", log::printable(request.hostname)}});
  };
  if (auto fields = check_fields(request); !fields)
    return deny(kStranger, std::move(fields).error());
  auto token = authenticate(request);
  if (!token) return deny(kStranger, std::move(token).error());
  auto answer = admit(*token, request, remote);
  if (!answer) return deny(object, std::move(answer).error());
  return answer;
}

// Unknown id and wrong secret: same work, same answer.
Result<model::TokenRecord> EnrollmentService::authenticate(const pki::EnrollRequest& request) {
  const auto hash = signing::sha256_hex(text::as_text(request.secret));
  TRY(const auto token, tokens_.find(request.token_id));
  const std::string expected = token ? token->secret_sha256 : std::string(hash.size(), '-');
  const bool same = signing::equal_constant_time(hash, expected);
  if (!token || !same) {
    return Error(Errc::kDenied,
                 "unknown token: it was not made by this control plane or its secret is wrong; was "
                 "it copied whole?");
  }
  return *token;
}

Result<void> EnrollmentService::check_scope(const model::TokenRecord& token,
                                            const pki::EnrollRequest& request,
                                            const std::string& remote) const {
  if (!token.cidrs.empty()) {
    const auto address = parse_address(remote);
    const bool inside =
        address && std::any_of(token.cidrs.begin(), token.cidrs.end(), [&](const auto& cidr) {
          const auto network = parse_network(cidr);
          return network && contains(*network, *address);
        });
    if (!inside) {
      return Error(Errc::kDenied, "token " + token.id + " may not be used from " +
                                      log::printable(remote, 64) + ", only from " +
                                      joined(token.cidrs));
    }
  }
  if (!token.host_pattern.empty() && !matches_host(token.host_pattern, request.hostname)) {
    return Error(Errc::kDenied, "token " + token.id + " is for hosts named \"" +
                                    token.host_pattern + "\", this one is named \"" +
                                    log::printable(request.hostname) + "\"");
  }
  return {};
}

// The holder of the secret from here on: refusals say why.
Result<pki::EnrollResponse> EnrollmentService::admit(const model::TokenRecord& token,
                                                     const pki::EnrollRequest& request,
                                                     const std::string& remote) {
  TRY_VOID(check_rate(token_uses_, "token " + token.id, "token " + token.id));
  TRY_VOID(check_scope(token, request, remote));
  TRY_VOID(check_clock(request.wall_time_ms));
  TRY_VOID(check_keys(request, authorities_.sealing_pair()));
  TRY(const auto csr, pki::parse_request(request.csr_pem));
  bool is_new = false;
  TRY(const auto agent, consume(token, request, csr.spki_sha256, is_new));
  TRY_VOID(record("token:" + token.id,
                  is_new ? audit::kinds::kAgentEnroll : audit::kinds::kAgentEnrollRetry,
                  agent.id.value(),
                  {{"remote", remote},
                   {"hostname", log::printable(request.hostname)},
                   {"spki_sha256", agent.spki_sha256}}));
  TRY_VOID(alert_clone(agent));

  pki::EnrollResponse out;
  out.agent_id = agent.id.value();
  out.tenant = agent.tenant.value();
  out.shard = agent.shard;
  out.certificate_pem = agent.certificate_pem;
  out.agent_ca_pem = authorities_.agent_ca_pem();
  out.server_ca_pem = authorities_.server_ca_pem();
  out.brokers = options_.brokers;
  out.controlplane_public_key = authorities_.sealing_pair().public_key;
  out.root_metadata = options_.newest_root();
  out.server_time_ms = clock_.unix_ms();
  return out;
}

Result<model::AgentRecord> EnrollmentService::new_agent(const model::TokenRecord& token,
                                                        const pki::EnrollRequest& request,
                                                        const std::string& spki) const {
  model::AgentRecord agent;
  agent.id = make_agent_id(request.hostname);
  TRY(const auto certificate,
      authorities_.issue_agent(request.csr_pem, agent.id, options_.leaf_lifetime_ms));
  agent.tenant = token.tenant;
  agent.shard = shard_of(agent.id);
  agent.hostname = request.hostname;
  agent.machine_id_sha256 = request.machine_id_sha256;
  agent.token_id = token.id;
  agent.spki_sha256 = spki;
  agent.certificate_pem = certificate.pem;
  agent.certificate_serial = certificate.serial;
  agent.certificate_not_after_ms = certificate.not_after_ms;
  agent.sealing_public_key = request.sealing_public_key;
  agent.result_public_key = request.result_public_key;
  agent.labels = token.labels;
  agent.enrolled_ms = clock_.unix_ms();
  return agent;
}

Result<model::AgentRecord> EnrollmentService::consume(const model::TokenRecord& token,
                                                      const pki::EnrollRequest& request,
                                                      const std::string& spki, bool& is_new) {
  for (int attempt = 1;; ++attempt) {
    TRY(const auto candidate, new_agent(token, request, spki));
    auto agent = tokens_.consume(token.id, candidate, clock_.unix_ms());
    if (!agent) {
      if (agent.error().code() == Errc::kInvalid && attempt < kNameAttempts) continue;
      if (agent.error().code() != Errc::kDenied) return std::move(agent).error();
      TRY(const auto now_token, tokens_.find(token.id));
      return token_refusal(now_token.value_or(token), clock_.unix_ms(), agent.error());
    }
    is_new = agent->id == candidate.id;
    if (agent->state == model::AgentState::kRevoked) {
      return Error(Errc::kDenied, "this key was enrolled as " + agent->id.value() +
                                      ", which was revoked: " + agent->revoked_reason +
                                      "; enroll with another token, which makes new keys");
    }
    if (agent->sealing_public_key != request.sealing_public_key ||
        agent->result_public_key != request.result_public_key) {
      return Error(Errc::kDenied, "this TLS key was enrolled as " + agent->id.value() +
                                      " with other sealing or result keys; enroll with another "
                                      "token, which makes new keys");
    }
    if (agent->certificate_not_after_ms <= clock_.unix_ms()) {
      return Error(Errc::kDenied, "this key was enrolled as " + agent->id.value() +
                                      " and its certificate has expired since; enroll with another "
                                      "token, which makes new keys");
    }
    return *agent;
  }
}

// One alert for each new identity of a machine that has another one: a cloned disk, a restored
// snapshot, or a reinstallation whose old identity should be revoked.
Result<void> EnrollmentService::alert_clone(const model::AgentRecord& agent) {
  if (agent.machine_id_sha256.empty()) return {};
  TRY(const auto all, agents_.list(agent.tenant));
  std::vector<std::string> others;
  for (const auto& other : all) {
    if (other.id != agent.id && other.machine_id_sha256 == agent.machine_id_sha256 &&
        other.state != model::AgentState::kRevoked && other.enrolled_ms <= agent.enrolled_ms) {
      others.push_back(other.id.value());
    }
  }
  if (others.empty()) return {};
  if (others.size() > kNamedClones) others.resize(kNamedClones);
  model::Alert alert;
  alert.kind = "agent.clone";
  alert.agent = agent.id;
  alert.object = agent.machine_id_sha256;
  alert.message = "possible clone: " + agent.id.value() +
                  " enrolled from a machine that is enrolled already as " + joined(others) +
                  "; if it was reinstalled, revoke the old identity";
  alert.first_ms = alert.last_ms = clock_.unix_ms();
  alert.count = 1;
  return alerts_.raise(alert);
}

}  // namespace observeai::controlplane
