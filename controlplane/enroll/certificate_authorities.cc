#include "controlplane/enroll/certificate_authorities.h"

#include <set>

#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/pki/crl.h"
#include "protocol/signing/key_files.h"

namespace observeai::controlplane {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr std::int64_t kAuthorityLifetimeMs = 3650 * kDayMs;
constexpr std::int64_t kLeafLifetimeMs = 397 * kDayMs;
// Mosquitto refuses everybody once a list is too old; it is remade daily.
constexpr std::int64_t kListLifetimeMs = 30 * kDayMs;

constexpr std::string_view kBroker = "broker";
constexpr std::string_view kHttps = "https";
constexpr std::string_view kService = "service";

Result<pki::Certificate> load_certificate(const std::string& path) {
  TRY(const auto pem, files::read(path, 64U << 10));
  auto certificate = pki::parse_certificate(pem);
  if (!certificate) return std::move(certificate).error().with_context(path);
  return certificate;
}

// The key is written first: a crash in between leaves a key that the next start uses.
Result<pki::Authority> load_or_create(const std::string& base, std::string_view name,
                                      const Clock& clock) {
  TRY(auto key, pki::load_or_create_key(base + ".key"));
  const auto path = base + ".pem";
  if (!files::exists(path)) {
    TRY(auto made,
        pki::make_authority(key, name, pki::validity_from(clock.unix_ms(), kAuthorityLifetimeMs)));
    TRY_VOID(files::write_atomic(path, made.pem, 0644));
    return pki::Authority{std::move(key), std::move(made)};
  }
  TRY(auto certificate, load_certificate(path));
  if (!certificate.is_authority || certificate.spki_sha256 != key.spki_sha256()) {
    return Error(Errc::kCorrupt, path + " is not the certificate of " + base +
                                     ".key; restore both from one backup");
  }
  return pki::Authority{std::move(key), std::move(certificate)};
}

bool same_names(const pki::Certificate& certificate, const std::vector<std::string>& names) {
  std::set<std::string> has(certificate.dns_names.begin(), certificate.dns_names.end());
  has.insert(certificate.ip_addresses.begin(), certificate.ip_addresses.end());
  return has == std::set<std::string>(names.begin(), names.end());
}

}  // namespace

CertificateAuthorities::CertificateAuthorities(AuthorityOptions options, const Clock& clock,
                                               pki::Authority agent, pki::Authority server,
                                               pki::Authority service)
    : options_(std::move(options)),
      clock_(clock),
      agent_(std::move(agent)),
      server_(std::move(server)),
      service_(std::move(service)) {}

Result<std::unique_ptr<CertificateAuthorities>> CertificateAuthorities::open(
    AuthorityOptions options, const Clock& clock) {
  TRY_VOID(files::make_directories(options.directory, 0700));
  const auto base = options.directory + "/";
  TRY(auto agent, load_or_create(base + "agent-ca-g1", "ObserveAI agent CA G1", clock));
  TRY(auto server, load_or_create(base + "server-ca-g1", "ObserveAI server CA G1", clock));
  TRY(auto service, load_or_create(base + "service-ca-g1", "ObserveAI service CA G1", clock));
  auto out = std::unique_ptr<CertificateAuthorities>(new CertificateAuthorities(
      std::move(options), clock, std::move(agent), std::move(server), std::move(service)));
  TRY_VOID(out->load_sealing_pair());
  TRY(out->superseded_, SupersededCertificates::open(base + "superseded", clock.unix_ms()));
  TRY_VOID(out->refresh());
  TRY(const auto https, pki::PrivateKey::load(out->key_path(kHttps)));
  out->https_spki_ = https.spki_sha256();
  return out;
}

Result<void> CertificateAuthorities::load_sealing_pair() {
  const auto path = options_.directory + "/sealing.key";
  if (!files::exists(path)) {
    sealing_ = signing::generate_key_agreement_pair();
    return signing::save_key_agreement_pair(path, sealing_);
  }
  TRY_VOID(pki::require_private_file(path));
  TRY(sealing_, signing::load_key_agreement_pair(path));
  return {};
}

std::string CertificateAuthorities::key_path(std::string_view leaf) const {
  return options_.directory + "/" + std::string(leaf) + ".key";
}

std::string CertificateAuthorities::certificate_path(std::string_view leaf) const {
  return options_.directory + "/" + std::string(leaf) + ".pem";
}

std::vector<std::string> CertificateAuthorities::server_names() const {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  const auto add = [&](const std::string& name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) {
      names.push_back(name);
    }
  };
  add(options_.hostname);
  for (const auto& name : options_.extra_names) add(name);
  return names;
}

Result<bool> CertificateAuthorities::refresh_leaf(std::string_view leaf) {
  TRY(const auto key, pki::load_or_create_key(key_path(leaf)));
  const auto path = certificate_path(leaf);
  const auto now = clock_.unix_ms();
  const bool serves = leaf != kService;
  const auto& authority = serves ? server_ : service_;
  if (files::exists(path)) {
    TRY(const auto current, load_certificate(path));
    const auto life = current.not_after_ms - current.not_before_ms;
    const bool fresh = current.not_after_ms - now > life / 3;
    const bool ours = current.spki_sha256 == key.spki_sha256() &&
                      current.issuer == authority.certificate.common_name;
    if (fresh && ours && (!serves || same_names(current, server_names()))) return false;
  }
  const auto validity = pki::validity_from(now, kLeafLifetimeMs);
  pki::Certificate made;
  if (serves) {
    TRY(made, pki::issue_server(authority, key, server_names(), validity));
  } else {
    TRY(const auto request, pki::make_request(key, kServiceName));
    TRY(made, pki::issue_client(authority, request, kServiceName, validity));
  }
  TRY_VOID(files::write_atomic(path, made.pem, 0644));
  return true;
}

Result<bool> CertificateAuthorities::refresh() {
  bool changed = false;
  for (const auto leaf : {kBroker, kHttps, kService}) {
    TRY(const bool this_changed, refresh_leaf(leaf));
    changed = changed || this_changed;
  }
  return changed;
}

Result<pki::Certificate> CertificateAuthorities::issue_agent(std::string_view request_pem,
                                                             const AgentId& agent,
                                                             std::int64_t lifetime_ms) const {
  return pki::issue_client(agent_, request_pem, agent.value(),
                           pki::validity_from(clock_.unix_ms(), lifetime_ms));
}

Result<pki::Certificate> CertificateAuthorities::issue_service(std::string_view request_pem,
                                                               std::string_view name,
                                                               std::int64_t lifetime_ms) const {
  return pki::issue_client(service_, request_pem, name,
                           pki::validity_from(clock_.unix_ms(), lifetime_ms));
}

Result<void> CertificateAuthorities::verify_agent(const pki::Certificate& certificate) const {
  return pki::verify_certificate(certificate, {&agent_.certificate, 1}, pki::Purpose::kClient,
                                 std::nullopt);
}

std::string CertificateAuthorities::client_ca_pem() const {
  return agent_.certificate.pem + service_.certificate.pem;
}

Result<void> CertificateAuthorities::add_superseded(const SupersededCertificate& certificate) {
  return superseded_->add(certificate);
}

Result<std::string> CertificateAuthorities::revocation_lists(
    std::span<const model::AgentRecord> revoked) const {
  const auto now = clock_.unix_ms();
  std::map<std::string, std::int64_t> serials;  // -> revoked at
  std::map<AgentId, std::int64_t> agents;
  for (const auto& agent : revoked) {
    if (!agent.certificate_serial.empty()) {
      serials.emplace(agent.certificate_serial, agent.revoked_ms);
    }
    agents.emplace(agent.id, agent.revoked_ms);
  }
  for (const auto& certificate : superseded_->unexpired(now)) {
    const auto found = agents.find(certificate.agent);
    if (found != agents.end()) serials.emplace(certificate.serial, found->second);
  }
  std::vector<pki::RevokedCertificate> entries;
  for (const auto& [serial, revoked_ms] : serials) entries.push_back({serial, revoked_ms});
  const auto validity = pki::validity_from(now, kListLifetimeMs);
  const auto number = static_cast<std::uint64_t>(now);
  TRY(const auto agent_list, pki::make_revocation_list(agent_, entries, number, validity));
  TRY(const auto service_list, pki::make_revocation_list(service_, {}, number, validity));
  return agent_list + service_list;
}

}  // namespace observeai::controlplane
