#include "controlplane/app/control_plane.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>

#include "controlplane/api/api.h"
#include "controlplane/api/api_server.h"
#include "controlplane/api/live_hub.h"
#include "controlplane/app/admin_socket.h"
#include "controlplane/app/audit_heads.h"
#include "controlplane/app/broker_control.h"
#include "controlplane/app/ingest_rates.h"
#include "controlplane/app/remediation.h"
#include "controlplane/app/root_keys.h"
#include "controlplane/app/signer_link.h"
#include "controlplane/audit/kinds.h"
#include "controlplane/auth/access_service.h"
#include "controlplane/enroll/enrollment_service.h"
#include "controlplane/ingest/ingest_service.h"
#include "controlplane/outlook/desk.h"
#include "controlplane/outlook/service.h"
#include "controlplane/signer/signer_client.h"
#include "controlplane/store/store.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"

namespace observeai::controlplane {
namespace {

constexpr std::chrono::seconds kObserveEvery(5);
constexpr std::chrono::seconds kMaintainEvery(60);
constexpr std::chrono::hours kRefreshEvery(
    12);  // Of the listeners' certificates, which live a year
// A guarded apply takes less than a second; an API worker waits no longer for one that does not.
constexpr std::chrono::seconds kRevokePatience(3);
constexpr std::chrono::seconds kSignerPatience(15);
constexpr std::chrono::milliseconds kSignerPause(100);
constexpr std::chrono::milliseconds kSignerAnswer(5'000);  // For one frame, at most 1024 commands
constexpr const char* kFirstUser = "admin";

std::string hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

bool is_any(const std::string& address) {
  return address == "0.0.0.0" || address == "::" || address.empty();
}

// Every name under which this machine may be spoken to, for the listeners' certificates.
std::vector<std::string> extra_names(const ControlPlaneConfig& config) {
  std::vector<std::string> names = config.public_names;
  for (const auto& address : {config.api_address, config.broker_address}) {
    if (!is_any(address) && std::find(names.begin(), names.end(), address) == names.end())
      names.push_back(address);
  }
  return names;
}

int status_of(const Error& error) {
  switch (error.code()) {
    case Errc::kInvalid:
      return 400;
    case Errc::kDenied:
      return 403;
    case Errc::kNotFound:
      return 404;
    case Errc::kLimit:
      return 429;
    case Errc::kUnavailable:
    case Errc::kTimeout:
      return 503;
    default:
      return 500;
  }
}

// Decode, ask the service, encode: the three enrollment endpoints.
template <class Decode, class Serve>
api::EnrollHandler handler(Decode decode, Serve serve) {
  return [decode, serve](std::string_view body, const std::string& remote) -> api::HttpReply {
    const auto request = decode(body);
    if (!request) return {400, pki::encode_error(request.error())};
    const auto response = serve(*request, remote);
    if (!response) return {status_of(response.error()), pki::encode_error(response.error())};
    return {200, pki::encode(*response)};
  };
}

class Program final : public ControlPlane {
 public:
  Program(const ControlPlaneConfig& config, TenantId tenant)
      : config_(config), tenant_(std::move(tenant)) {}
  ~Program() override;

  Result<void> build();
  void run() override;

 private:
  Result<void> build_identity();
  Result<OnlineKeys> online_keys();
  Result<void> publish_roots(const std::vector<std::string>& envelopes, const std::string& actor);
  Result<void> build_services();
  void build_outlook();
  Result<void> build_api();
  api::Actions actions();
  api::SystemStatus status() const;
  Result<void> revoke(const AgentId& agent, const std::string& reason, const std::string& actor);
  Result<std::string> answer_admin(const std::string& request);
  mqtt::Identity broker_identity() const;
  void maintain();
  void refresh_identity();

  const ControlPlaneConfig config_;
  const TenantId tenant_;
  SystemClock clock_;
  std::int64_t started_ms_ = 0;

  // In order of construction; destroyed backwards, so that what uses something goes first.
  std::unique_ptr<Store> store_;
  std::unique_ptr<CertificateAuthorities> authorities_;
  std::unique_ptr<SignerClient> signer_;
  std::unique_ptr<RootChain> roots_;
  std::unique_ptr<SignerLink> signer_link_;
  std::unique_ptr<AuditHeads> audit_heads_;
  std::unique_ptr<BrokerControl> broker_;
  std::unique_ptr<EnrollmentService> enrollment_;
  std::unique_ptr<AccessService> access_;
  std::unique_ptr<api::LiveHub> live_;
  IngestRates rates_;
  std::unique_ptr<Remediation> remediation_;
  std::unique_ptr<outlook::OutlookService> outlook_;  // None: predictions are configured away
  std::unique_ptr<outlook::Desk> predictions_;
  std::unique_ptr<IngestService> ingest_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<api::ApiServer> server_;
  std::unique_ptr<AdminSocket> admin_;
  SteadyTime next_maintenance_{};
  SteadyTime next_refresh_{};
  std::atomic<bool> ready_ = false;  // Everything above is there
};

Program::~Program() {
  admin_.reset();
  if (broker_) broker_->stop();  // Also wakes who waits for it on the API's workers
  server_.reset();
  if (remediation_) remediation_->disconnect();
  ingest_.reset();
}

Result<void> Program::build() {
  started_ms_ = clock_.unix_ms();
  TRY_VOID(files::make_directories(config_.state_dir, 0700));
  // The admin socket is also what keeps a second control plane off this folder.
  TRY(admin_, AdminSocket::open(config_.state_dir, [this](const std::string& request) {
        return answer_admin(request);
      }));
  StoreOptions options;
  options.directory = config_.state_dir + "/store";
  options.telemetry_max_bytes = config_.telemetry_max_mib << 20;
  options.telemetry_max_age_ms = config_.telemetry_max_age.count();
  TRY(store_, Store::open(options, clock_));
  TRY_VOID(build_identity());
  TRY_VOID(build_services());
  TRY_VOID(build_api());
  broker_->start();
  ready_ = true;
  return {};
}

Result<void> Program::build_identity() {
  AuthorityOptions options;
  options.directory = config_.state_dir + "/pki";
  options.hostname = hostname();
  options.extra_names = extra_names(config_);
  TRY(authorities_, CertificateAuthorities::open(options, clock_));
  TRY_VOID(authorities_->refresh());
  signer_ =
      std::make_unique<SignerClient>(SignerClient::Options{config_.signer_socket, kSignerAnswer});
  const auto ask = [this] { return online_keys(); };
  TRY(roots_, ensure_root(config_.state_dir + "/keys", tenant_, ask, clock_));
  signer_link_ =
      std::make_unique<SignerLink>(*signer_, *roots_, store_->agents(), store_->alerts(), clock_);
  signer_link_->look();
  BrokerControl::Options broker;
  broker.state_directory = config_.state_dir;
  broker.settings.address = config_.broker_address;
  broker.settings.port = static_cast<std::uint16_t>(config_.broker_port);
  broker.settings.user = config_.broker_user;
  broker.host = local_broker_host(config_);
  TRY(broker.canary, AgentId::parse("cp-canary-agent"));
  TRY(broker_,
      BrokerControl::create(broker, *authorities_, store_->agents(), store_->alerts(), clock_));
  return broker_->prepare();
}

// For a first root. The two are often started together: the signer gets a moment.
Result<OnlineKeys> Program::online_keys() {
  const auto end = clock_.steady_now() + kSignerPatience;
  for (;;) {
    const auto status = signer_->status();
    if (status) return OnlineKeys{status->signer_key, status->audit_key};
    if (clock_.steady_now() >= end) {
      return Error(Errc::kUnavailable,
                   "a new installation needs its signer: start observeai-signer first, or say "
                   "where it is (signer.socket): " +
                       status.error().message());
    }
    std::this_thread::sleep_for(kSignerPause);
  }
}

Result<void> Program::publish_roots(const std::vector<std::string>& envelopes,
                                    const std::string& actor) {
  const auto before = roots_->newest().version;
  const auto taken = roots_->take(envelopes);
  const auto newest = roots_->newest();
  if (newest.version > before) {
    const auto written = store_->audit().append(audit::entry_of(
        audit::kinds::kRootPublish, clock_.unix_ms(), actor, std::to_string(newest.version),
        {{"sha256", signing::sha256_hex(roots_->newest_envelope())}}));
    if (!written) log::error("audit: " + written.error().message());
    signer_link_->look();
  }
  if (taken) return {};
  // What does not decode is the caller's mistake, not ours.
  return Error(taken.error().code() == Errc::kCorrupt ? Errc::kInvalid : taken.error().code(),
               taken.error().message());
}

Result<void> Program::build_services() {
  EnrollmentOptions options;
  options.newest_root = [this] { return roots_->newest_envelope(); };
  options.leaf_lifetime_ms = config_.certificate_lifetime.count();
  for (const auto& name : config_.public_names) {
    options.brokers.push_back({name, static_cast<std::uint16_t>(config_.broker_port)});
  }
  if (options.brokers.empty()) {
    options.brokers.push_back({is_any(config_.broker_address) ? hostname() : config_.broker_address,
                               static_cast<std::uint16_t>(config_.broker_port)});
  }
  enrollment_ = std::make_unique<EnrollmentService>(options, *authorities_, store_->agents(),
                                                    store_->tokens(), store_->audit(),
                                                    store_->alerts(), clock_);
  access_ = std::make_unique<AccessService>(store_->access(), store_->audit(), clock_);
  live_ = std::make_unique<api::LiveHub>(store_->agents(), store_->reader(), clock_);
  store_->writer().on_committed(
      [this](const model::Committed& committed) { live_->publish(committed); });
  audit_heads_ =
      std::make_unique<AuditHeads>(store_->audit(), store_->audit_heads(), store_->alerts(),
                                   *signer_, config_.audit_heads_file, clock_);
  remediation_ = std::make_unique<Remediation>(*store_, *signer_, *roots_, *audit_heads_,
                                               authorities_->sealing_pair(), clock_);
  store_->writer().on_committed(
      [this](const model::Committed& committed) { remediation_->on_committed(committed); });
  build_outlook();
  auto pipeline =
      std::make_unique<IngestPipeline>(store_->agents(), store_->writer(), store_->alerts(), clock_,
                                       authorities_->sealing_pair(), IngestLimits());
  pipeline->on_hello([this](const AgentId& agent, const wire::Hello& hello) {
    audit_heads_->heard(agent, hello);
    remediation_->on_hello(agent);
  });
  ingest_ = std::make_unique<IngestService>(
      std::move(pipeline), mqtt::make_paho_client, [this] { return broker_identity(); }, clock_);
  remediation_->connect(*ingest_);
  return {};
}

void Program::build_outlook() {
  const outlook::World world{clock_,           store_->agents(), store_->reader(),
                             store_->alerts(), store_->plans(),  store_->predictions()};
  if (config_.predict_enabled) {
    outlook_ = std::make_unique<outlook::OutlookService>(
        world, outlook::Clocks{config_.predict_step.count(), config_.predict_fast_step.count()});
    store_->writer().on_committed(
        [this](const model::Committed& committed) { outlook_->committed(committed); });
  }
  predictions_ =
      std::make_unique<outlook::Desk>(world, outlook_ == nullptr ? nullptr : &outlook_->outlook());
}

Result<void> Program::build_api() {
  api::Dependencies dependencies{
      clock_,           store_->agents(), store_->tokens(), store_->audit(), store_->audit_heads(),
      store_->alerts(), store_->reader(), *access_,         *live_,          actions(),
      tenant_};
  dependencies.plans = &remediation_->desk();
  dependencies.predictions = predictions_.get();
  api_ = std::make_unique<api::Api>(std::move(dependencies));
  api::ApiServer::Options options;
  options.address = config_.api_address;
  options.port = static_cast<std::uint16_t>(config_.api_port);
  options.cert_file = authorities_->certificate_path("https");
  options.key_file = authorities_->key_path("https");
  TRY(server_, api::ApiServer::start(options, *api_));
  log::info("API on https://" + config_.api_address + ":" + std::to_string(config_.api_port));
  return {};
}

api::Actions Program::actions() {
  api::Actions actions;
  actions.create_token = [this](const api::NewToken& wanted, const TenantId& tenant,
                                const std::string& actor) -> Result<api::CreatedToken> {
    TokenScope scope;
    scope.tenant = tenant;
    scope.labels = wanted.labels;
    scope.cidrs = wanted.cidrs;
    scope.host_pattern = wanted.host_pattern;
    scope.uses = wanted.uses;
    scope.lifetime_ms = wanted.ttl_ms;
    scope.needs_approval = wanted.needs_approval;
    TRY(auto created, enrollment_->create_token(scope, actor));
    return api::CreatedToken{std::move(created.text), std::move(created.record)};
  };
  actions.revoke_agent = [this](const AgentId& agent, const std::string& reason,
                                const std::string& actor) { return revoke(agent, reason, actor); };
  actions.approve_agent = [this](const AgentId& agent, const std::string& actor) {
    return enrollment_->approve(agent, actor);
  };
  actions.enroll = handler(pki::decode_enroll_request,
                           [this](const pki::EnrollRequest& request, const std::string& remote) {
                             return enrollment_->enroll(request, remote);
                           });
  actions.confirm = handler(pki::decode_confirm_request,
                            [this](const pki::ConfirmRequest& request, const std::string& remote) {
                              return enrollment_->confirm(request, remote);
                            });
  actions.renew = handler(pki::decode_renew_request,
                          [this](const pki::RenewRequest& request, const std::string& remote) {
                            return enrollment_->renew(request, remote);
                          });
  actions.status = [this] { return status(); };
  actions.roots = [this] { return roots_->envelopes_after(0); };
  actions.publish_roots = [this](const std::vector<std::string>& envelopes,
                                 const std::string& actor) {
    return publish_roots(envelopes, actor);
  };
  return actions;
}

// Registry and ingest first (that is what counts), then the broker, which also ends the live
// session. Each step is taken even when one before it could not be written down.
Result<void> Program::revoke(const AgentId& agent, const std::string& reason,
                             const std::string& actor) {
  const auto revoked = enrollment_->revoke(agent, reason, actor);
  ingest_->forget(agent);
  signer_link_->look();  // Nothing is signed for it any more
  const auto applied = broker_->apply(kRevokePatience);
  TRY_VOID(revoked);
  if (applied) return {};
  return Error(
      Errc::kUnavailable,
      "agent " + agent.value() +
          " is revoked and nothing more of it is accepted, but the broker could not be told "
          "yet; this is tried again by itself, and `observeai alerts` shows it until then: " +
          applied.error().message());
}

api::SystemStatus Program::status() const {
  api::SystemStatus status;
  status.started_ms = started_ms_;
  const auto ingest = ingest_->status();
  rates_.fill(status.ingest);
  status.ingest.batches_total = ingest.counters.batches_stored;
  status.ingest.duplicates_total = ingest.counters.batches_duplicate;
  for (const auto& [reason, count] : ingest.counters.refused) status.ingest.rejected_total += count;
  status.broker.state = ingest.connected       ? "connected"
                        : ingest.since_ms == 0 ? "connecting"
                                               : "disconnected";
  status.broker.address = local_broker_host(config_) + ":" + std::to_string(config_.broker_port);
  status.broker.since_ms = ingest.since_ms;
  status.broker.detail = ingest.last_error;
  status.store.telemetry_bytes = store_->counters().telemetry_bytes;
  for (const auto* name : {"/store/state.db", "/store/state.db-wal"}) {
    struct stat file {};
    if (::stat((config_.state_dir + name).c_str(), &file) != 0) continue;
    status.store.state_bytes =
        status.store.state_bytes.value_or(0) + static_cast<std::uint64_t>(file.st_size);
  }
  struct statvfs disk {};
  if (::statvfs(config_.state_dir.c_str(), &disk) == 0)
    status.store.disk_free_bytes = disk.f_bavail * disk.f_frsize;
  return status;
}

Result<std::string> Program::answer_admin(const std::string& request) {
  if (request == "ping") return std::string(ready_ ? "pong" : "starting");
  if (request == "login-code" && ready_) {
    const std::string host =
        config_.public_names.empty() ? "localhost" : config_.public_names.front();
    return access_->create_login("system", kFirstUser, tenant_, model::Role::kAdmin, host,
                                 static_cast<std::uint16_t>(config_.api_port),
                                 authorities_->https_spki_sha256());
  }
  return Error(Errc::kInvalid, ready_ ? "unknown request" : "the control plane is still starting");
}

mqtt::Identity Program::broker_identity() const {
  mqtt::Identity identity;
  identity.host = local_broker_host(config_);
  identity.port = static_cast<std::uint16_t>(config_.broker_port);
  identity.client_id = kServiceName;
  identity.ca_file = config_.state_dir + "/broker/canaries/server-ca.pem";
  identity.certificate_file = authorities_->certificate_path("service");
  identity.key_file = authorities_->key_path("service");
  return identity;
}

void Program::run() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  log::info("ready");
  next_refresh_ = clock_.steady_now() + kRefreshEvery;
  for (;;) {
    audit_heads_->tick();
    rates_.observe(ingest_->status().counters, clock_.steady_now());
    if (clock_.steady_now() >= next_maintenance_) maintain();
    const timespec patience{kObserveEvery.count(), 0};
    if (::sigtimedwait(&signals, nullptr, &patience) > 0) break;
  }
  log::info("stopping");
}

void Program::maintain() {
  next_maintenance_ = clock_.steady_now() + kMaintainEvery;
  if (const auto done = store_->maintenance(); !done)
    log::error("store: " + done.error().message());
  signer_link_->look();
  if (clock_.steady_now() >= next_refresh_) refresh_identity();
}

void Program::refresh_identity() {
  next_refresh_ = clock_.steady_now() + kRefreshEvery;
  const auto changed = authorities_->refresh();
  if (!changed) log::error("certificates: " + changed.error().message());
  if (changed && *changed) {
    if (const auto loaded = server_->reload_certificate(); !loaded)
      log::error("API certificate: " + loaded.error().message());
  }
  // The broker's own is noticed by BrokerControl's next look.
}

}  // namespace

std::string local_broker_host(const ControlPlaneConfig& config) {
  return is_any(config.broker_address) || config.broker_address == "127.0.0.1"
             ? "localhost"
             : config.broker_address;
}

Result<std::unique_ptr<ControlPlane>> ControlPlane::create(const ControlPlaneConfig& config) {
  TRY(auto tenant, TenantId::parse(config.tenant));
  // Every thread that starts later inherits the mask; run() takes the signals.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  auto program = std::make_unique<Program>(config, std::move(tenant));
  TRY_VOID(program->build());
  return std::unique_ptr<ControlPlane>(std::move(program));
}

}  // namespace observeai::controlplane
