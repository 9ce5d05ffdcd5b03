#include "controlplane/app/broker_control.h"

#include <algorithm>
#include <random>

#include "controlplane/broker/supervisor.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/pki/certificate.h"
#include "protocol/pki/crl.h"
#include "protocol/pki/private_key.h"

namespace observeai::controlplane {
namespace {

constexpr std::int64_t kCanaryLifetimeMs = 3'650LL * 86'400'000;
constexpr std::int64_t kListsMustLastMs =
    48LL * 3'600'000;  // An expired list locks out the whole fleet
// Lists live 30 days. Half of that: a restart of the broker every two weeks, and two weeks to notice
// that it does not work.
constexpr std::int64_t kListsRenewBelowMs = 15LL * 86'400'000;
constexpr std::chrono::milliseconds kStatusPatience{3000};
constexpr std::chrono::milliseconds kGraceLook{500};  // While the supervisor may still be starting
constexpr const char* kAlertKind = "broker.apply";

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
                                                             model::AlertRepository& alerts,
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
      std::move(options), authorities, agents, alerts, clock, std::move(canaries), revoked.serial));
}

BrokerControl::BrokerControl(Options options, CertificateAuthorities& authorities,
                             model::AgentRegistry& agents, model::AlertRepository& alerts,
                             const Clock& clock, CanaryIdentities canaries,
                             std::string revoked_canary_serial)
    : options_(std::move(options)),
      authorities_(authorities),
      agents_(agents),
      alerts_(alerts),
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
      }()),
      backoff_(options_.first_retry, options_.last_retry) {}

BrokerControl::~BrokerControl() {
  stop();
}

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

std::string BrokerControl::why_lists_stale(const std::string& active,
                                           const std::string& wanted) const {
  const auto authorities = pki::parse_bundle(authorities_.client_ca_pem());
  const auto active_lists = split_lists(active);
  const auto wanted_lists = split_lists(wanted);
  if (!authorities || active_lists.size() != authorities->size() ||
      wanted_lists.size() != authorities->size()) {
    return "the revocation lists do not match the authorities";
  }
  for (std::size_t i = 0; i < authorities->size(); ++i) {
    const auto has = pki::parse_revocation_list(active_lists[i], (*authorities)[i]);
    const auto needs = pki::parse_revocation_list(wanted_lists[i], (*authorities)[i]);
    if (!has || !needs) return "a revocation list is damaged";
    if (has->this_update_ms > clock_.unix_ms()) return "a revocation list is from the future";
    if (has->next_update_ms < clock_.unix_ms() + kListsRenewBelowMs)
      return "a revocation list grows old";
    // What it has beyond that has expired since.
    if (!std::includes(has->revoked.begin(), has->revoked.end(), needs->revoked.begin(),
                       needs->revoked.end(),
                       [](const auto& a, const auto& b) { return a.serial < b.serial; })) {
      return "certificates were revoked";
    }
  }
  return {};
}

std::string BrokerControl::why_stale(const ApplyRequest& wanted) const {
  const auto current = generations_.current();
  if (!current) return "there is none yet";
  const auto config = render_config(wanted.settings);
  if (!config) return config.error().message();
  const auto differs = [&](const char* name, const std::string& bytes) {
    const auto active = files::read(*current + "/" + name);
    return !active || *active != bytes;
  };
  if (differs("mosquitto.conf", *config)) return "the settings changed";
  if (differs("ca.pem", wanted.files.ca_pem)) return "the authorities changed";
  if (differs("server.pem", wanted.files.certificate_pem) ||
      differs("server.key", wanted.files.key_pem)) {
    return "the broker's certificate was reissued";
  }
  if (differs("acl", wanted.files.acl)) return "who is revoked changed";
  const auto lists = files::read(*current + "/crl.pem");
  return lists ? why_lists_stale(*lists, wanted.files.crl_pem) : lists.error().message();
}

Result<void> BrokerControl::prepare() {
  TRY(const auto wanted, request());
  const std::string stale = why_stale(wanted);
  if (stale.empty()) return {};
  log::info("broker: a new configuration, " + stale);
  auto prepared = guarded_.prepare(wanted);
  if (prepared) return {};
  if (!generations_.current()) return std::move(prepared).error();
  raise(prepared.error().message());
  return {};
}

void BrokerControl::start() {
  grace_ends_ = clock_.steady_now() + options_.supervisor_grace;
  thread_ = std::thread([this] { run(); });
}

void BrokerControl::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Result<BrokerControl::Applied> BrokerControl::apply(std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  MutexLock lock(mutex_);
  const std::uint64_t ticket = ++asked_;
  changed_.notify_all();
  if (waiting_ >= options_.max_waiting) {
    if (last_error_) return *last_error_;
    return Applied::kUnderWay;
  }
  ++waiting_;
  for (auto left = patience; done_ < ticket && !stopping_ && left.count() > 0;
       left = std::chrono::duration_cast<std::chrono::milliseconds>(
           end - std::chrono::steady_clock::now())) {
    changed_.wait_for(mutex_, left);
  }
  --waiting_;
  if (done_ < ticket) return Error(Errc::kTimeout, "the broker is still being told");
  if (last_error_) return *last_error_;
  return Applied::kYes;
}

BrokerControl::Look BrokerControl::reconcile() {
  const auto wanted = request();
  if (!wanted) return {wanted.error()};
  const std::string stale = why_stale(*wanted);
  const auto status = ask_supervisor(options_.state_directory, "status", kStatusPatience);
  if (!status && status.error().code() == Errc::kUnavailable) {
    // No broker runs; when its supervisor comes it shall start from the right configuration.
    const auto prepared = stale.empty() ? Result<ApplyReport>() : guarded_.prepare(*wanted);
    if (!prepared) return {prepared.error()};
    return {status.error(), true};
  }
  if (!status) return {status.error()};
  if (stale.empty() && generations_.halted().empty())
    return {guarded_.settle(wanted->settings.port)};
  log::info("broker: a new configuration, " + (stale.empty() ? "it is halted" : stale));
  const auto applied = guarded_.apply(*wanted);
  if (!applied) return {applied.error()};
  return {Result<void>()};
}

void BrokerControl::run() {
  bool go_on = true;
  for (std::uint64_t done = 0; go_on;) {
    const std::uint64_t covered = newest_ticket();
    const Look look = reconcile();
    const auto wait = take_note(look, /*asked_for=*/covered > done);
    done = covered;
    go_on = finish(covered, look, wait);
  }
}

std::uint64_t BrokerControl::newest_ticket() {
  MutexLock lock(mutex_);
  return asked_;
}

// Answers who waits, then waits itself; false: the end.
bool BrokerControl::finish(std::uint64_t covered, const Look& look,
                           std::chrono::milliseconds wait) {
  const auto next = std::chrono::steady_clock::now() + wait;
  MutexLock lock(mutex_);
  done_ = covered;
  last_error_ = look.result ? std::nullopt : std::optional(look.result.error());
  changed_.notify_all();
  for (auto left = wait; asked_ == done_ && !stopping_ && left.count() > 0;
       left = std::chrono::duration_cast<std::chrono::milliseconds>(
           next - std::chrono::steady_clock::now())) {
    changed_.wait_for(mutex_, left);
  }
  return !stopping_;
}

// How long until the next look.
std::chrono::milliseconds BrokerControl::take_note(const Look& look, bool asked_for) {
  if (look.result) {
    if (alert_may_be_open_) {
      const auto cleared = alerts_.clear(kAlertKind, {}, "");
      alert_may_be_open_ = !cleared;
    }
    backoff_.reset();
    return options_.look_every;
  }
  if (look.supervisor_missing && !asked_for && clock_.steady_now() < grace_ends_) return kGraceLook;
  raise(look.result.error().message());
  return backoff_.next(std::random_device{}());
}

void BrokerControl::raise(const std::string& why) {
  log::error("the broker does not run what it should, trying again: " + why);
  alert_may_be_open_ = true;
  model::Alert alert;
  alert.kind = kAlertKind;
  alert.message = "the broker does not run what it should, trying again: " + why;
  alert.first_ms = alert.last_ms = clock_.unix_ms();
  alert.count = 1;
  ignore(alerts_.raise(alert), "the log has it");
}

}  // namespace observeai::controlplane
