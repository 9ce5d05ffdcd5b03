#include "controlplane/app/broker_control.h"

#include "protocol/base/files.h"
#include "protocol/pki/certificate.h"
#include "protocol/pki/crl.h"
#include "protocol/pki/private_key.h"

namespace observeai::controlplane {
namespace {

constexpr std::int64_t kCanaryLifetimeMs = 3'650LL * 86'400'000;
constexpr std::int64_t kListsMustLastMs =
    48LL * 3'600'000;  // An expired list locks out the whole fleet
constexpr std::size_t kKeptGenerations = 5;

// A key and its certificate in `folder`, made by `issue` when missing.
template <class Issue>
Result<pki::Certificate> ensure_identity(const std::string& folder, const std::string& name,
                                         const Issue& issue) {
  const std::string key_file = folder + "/" + name + ".key";
  const std::string certificate_file = folder + "/" + name + ".pem";
  TRY(const auto key, pki::load_or_create_key(key_file));
  if (files::exists(certificate_file)) {
    TRY(const auto pem, files::read(certificate_file));
    return pki::parse_certificate(pem);
  }
  TRY(const auto request, pki::make_request(key, name));
  TRY(auto certificate, issue(request));
  TRY_VOID(files::write_atomic(certificate_file, certificate.pem, 0644));
  return certificate;
}

std::vector<std::string> split_lists(const std::string& pem) {
  constexpr std::string_view kEnd = "-----END X509 CRL-----";
  std::vector<std::string> lists;
  std::size_t begin = 0;
  for (auto end = pem.find(kEnd); end != std::string::npos; end = pem.find(kEnd, begin)) {
    lists.push_back(pem.substr(begin, end + kEnd.size() - begin) + "\n");
    begin = end + kEnd.size();
  }
  return lists;
}

}  // namespace

Result<std::unique_ptr<BrokerControl>> BrokerControl::create(Options options,
                                                             CertificateAuthorities& authorities,
                                                             model::AgentRegistry& agents,
                                                             const Clock& clock) {
  const std::string folder = options.state_directory + "/broker/canaries";
  TRY_VOID(files::make_directories(options.state_directory + "/broker", 0700));
  TRY_VOID(files::make_directories(folder, 0700));
  const auto by_agent_authority = [&](const std::string& request) {
    return authorities.issue_agent(request, options.canary, kCanaryLifetimeMs);
  };
  const auto by_service_authority = [&](const std::string& request) {
    return authorities.issue_service(request, kCanaryWatcher, kCanaryLifetimeMs);
  };
  const auto by_nobody_known = [&](const std::string& request) -> Result<pki::Certificate> {
    const auto validity = pki::validity_from(clock.unix_ms(), kCanaryLifetimeMs);
    TRY(auto key, pki::PrivateKey::generate());
    TRY(auto certificate, pki::make_authority(key, "ObserveAI foreign canary CA", validity));
    const pki::Authority foreign{std::move(key), std::move(certificate)};
    return pki::issue_client(foreign, request, options.canary.value(), validity);
  };
  TRY_VOID(ensure_identity(folder, "good", by_agent_authority));
  TRY(const auto revoked, ensure_identity(folder, "revoked", by_agent_authority));
  TRY_VOID(ensure_identity(folder, "watcher", by_service_authority));
  TRY_VOID(ensure_identity(folder, "foreign", by_nobody_known));
  const std::string server_ca_file = folder + "/server-ca.pem";
  TRY_VOID(files::write_atomic(server_ca_file, authorities.server_ca_pem(), 0644));

  const auto identity = [&](const std::string& name) {
    return CanaryIdentity{folder + "/" + name + ".pem", folder + "/" + name + ".key"};
  };
  CanaryIdentities canaries;
  canaries.own_id = options.canary;
  canaries.good = identity("good");
  canaries.revoked = identity("revoked");
  canaries.foreign = identity("foreign");
  canaries.watcher = identity("watcher");
  canaries.server_ca_file = server_ca_file;
  return std::unique_ptr<BrokerControl>(new BrokerControl(
      std::move(options), authorities, agents, clock, std::move(canaries), revoked.serial));
}

BrokerControl::BrokerControl(Options options, CertificateAuthorities& authorities,
                             model::AgentRegistry& agents, const Clock& clock,
                             CanaryIdentities canaries, std::string revoked_canary_serial)
    : options_(std::move(options)),
      authorities_(authorities),
      agents_(agents),
      clock_(clock),
      revoked_canary_serial_(std::move(revoked_canary_serial)),
      generations_(options_.state_directory),
      guarded_([&] {
        GuardedApply::Options guarded;
        guarded.state_directory = options_.state_directory;
        guarded.canaries = std::move(canaries);
        guarded.broker_host = options_.host;
        guarded.check_crl = [this](const std::string& lists) { return check_lists(lists); };
        return guarded;
      }()) {}

Result<ApplyRequest> BrokerControl::request() const {
  ApplyRequest request;
  request.settings = options_.settings;
  TRY(const auto all, agents_.list({}));
  std::vector<model::AgentRecord> revoked;
  std::vector<AgentId> revoked_ids;
  for (const auto& agent : all) {
    if (agent.state != model::AgentState::kRevoked) continue;
    revoked.push_back(agent);
    revoked_ids.push_back(agent.id);
  }
  model::AgentRecord canary;
  canary.id = options_.canary;
  canary.certificate_serial = revoked_canary_serial_;
  canary.state = model::AgentState::kRevoked;
  canary.revoked_ms = clock_.unix_ms();
  revoked.push_back(std::move(canary));
  request.files.ca_pem = authorities_.client_ca_pem();
  TRY(request.files.crl_pem, authorities_.revocation_lists(revoked));
  TRY(request.files.certificate_pem, files::read(authorities_.certificate_path("broker")));
  TRY(request.files.key_pem, files::read(authorities_.key_path("broker")));
  TRY(request.files.acl, render_acl(request.settings, revoked_ids));
  return request;
}

Result<void> BrokerControl::check_lists(const std::string& lists_pem) const {
  TRY(const auto authorities, pki::parse_bundle(authorities_.client_ca_pem()));
  const auto lists = split_lists(lists_pem);
  if (lists.size() != authorities.size()) {
    return Error(Errc::kInvalid, "there are " + std::to_string(lists.size()) +
                                     " revocation lists for " + std::to_string(authorities.size()) +
                                     " authorities");
  }
  for (std::size_t i = 0; i < lists.size(); ++i) {
    TRY(const auto list, pki::parse_revocation_list(lists[i], authorities[i]));
    if (list.next_update_ms < clock_.unix_ms() + kListsMustLastMs) {
      return Error(Errc::kInvalid,
                   "the revocation list of " + authorities[i].common_name + " ends too soon");
    }
  }
  return {};
}

Result<void> BrokerControl::prepare() {
  MutexLock lock(mutex_);
  if (const auto current = generations_.current()) {
    TRY(const auto wanted, render_config(options_.settings, *current));
    const auto active = files::read(Generations::config_file(*current));
    if (active && *active == wanted) return {};
  }
  TRY(const auto first, request());
  TRY_VOID(guarded_.prepare(first));
  return {};
}

Result<ApplyReport> BrokerControl::apply() {
  MutexLock lock(mutex_);
  TRY(const auto next, request());
  TRY(auto report, guarded_.apply(next));
  generations_.prune(kKeptGenerations);
  return report;
}

}  // namespace observeai::controlplane
