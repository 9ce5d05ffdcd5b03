#include "agent/app/agent.h"

#include <signal.h>

#include <cstdlib>
#include <random>

#include "agent/app/agent_parts.h"
#include "agent/app/broker_choice.h"
#include "agent/app/budget_loop.h"
#include "agent/app/certificate_files.h"
#include "agent/app/inventory_loop.h"
#include "agent/app/journal_loop.h"
#include "agent/app/logs_loop.h"
#include "agent/app/metrics_loop.h"
#include "agent/app/oom_loop.h"
#include "agent/app/outbox.h"
#include "agent/app/own_spool.h"
#include "agent/app/remediation.h"
#include "agent/app/remote_logs.h"
#include "agent/app/uplink_loop.h"
#include "agent/logs/mount_table.h"
#include "agent/logs/redactor.h"
#include "agent/metrics/deadline_statfs.h"
#include "agent/spool/spool.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr std::chrono::seconds kLedgerEvery(10);
// Two of them at most in one scrape: nobody's samples come a second late for a dead mount.
constexpr std::chrono::milliseconds kStatfsDeadline(400);
constexpr const char* kRestartTold = "restart_told_ms";  // Up to which it was reported

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

class Program final : public Agent, public UplinkEvents {
 public:
  Program(const AgentConfig& config, IdentityStore store, Identity identity)
      : config_(config),
        identity_store_(std::move(store)),
        identity_(std::move(identity)),
        brokers_(identity_store_, identity_) {}
  // The frames of coroutines go before what they refer to; the loop, declared first, goes last.
  ~Program() override { loop_->shutdown(); }

  Result<void> build();
  Result<void> run() override;

 private:
  Result<void> build_collectors();
  void build_journal(std::span<const SourceCheckpoint> checkpoints);
  Result<void> build_uplink();
  Result<void> build_budget();
  Result<OwnUsage> own_usage(SteadyTime now);
  AgentParts parts() const;
  // Not in safe mode, or as soon as it is over.
  void collect();
  boost::asio::awaitable<void> report_ledger();
  wire::Hello hello() const;
  ScrapeSubjects subjects() const;
  void announce_start();
  std::string restarts_path() const;

  void on_need_series() override;
  void on_new_epoch() override;
  void on_need_inventory() override;
  void on_state_changed(UplinkState state, const std::string& reason) override;
  void on_server_time(std::int64_t) override {}
  void on_command(std::string envelope) override {
    remediation_->take_command(std::move(envelope));
  }
  void on_meta(const wire::Meta& meta) override { remediation_->take_meta(meta); }
  void on_fault(const Error& error) override;

  const AgentConfig config_;
  const IdentityStore identity_store_;
  const Identity identity_;

  const std::unique_ptr<Loop> loop_ = std::make_unique<Loop>();
  SystemAsyncClock clock_;
  Shedding shedding_;
  OwnUsageMeter meter_;
  std::unique_ptr<BudgetLoop> budget_;
  std::string restart_reason_;  // Why run() ends, empty: it was told to
  std::unique_ptr<BlockingPool> pool_;
  const std::shared_ptr<DeadlineCalls> mounts_ =
      std::make_shared<DeadlineCalls>(kStatfsDeadline, "a dead mount?");
  std::unique_ptr<Spool> spool_;
  std::optional<Outbox> outbox_;
  std::unique_ptr<mqtt::BrokerClient> broker_;
  std::unique_ptr<Uplink> uplink_;
  std::unique_ptr<LogCollector> collector_;
  std::unique_ptr<InventoryLoop> inventory_;
  std::unique_ptr<DockerClient> docker_client_;
  std::unique_ptr<DockerWatcher> docker_;
  MountTable mount_table_;
  std::unique_ptr<LogsLoop> logs_;
  std::unique_ptr<RemoteLogs> remote_logs_;
  const Redactor redactor_;
  std::unique_ptr<JournalSource> journal_source_;
  std::unique_ptr<JournalLoop> journal_;
  std::unique_ptr<MetricsLoop> metrics_;
  std::unique_ptr<OomLoop> oom_;
  std::unique_ptr<Remediation> remediation_;
  std::unique_ptr<RenewalLoop> renewal_;
  std::vector<ObservedContainer> containers_;
  BrokerChoice brokers_;
  std::string spool_of_other_;  // What to tell when one was found
};

Result<void> Program::build() {
  const auto on_damage = [this](const Error& damage) {
    loop_->fail("the spool, which only a new start can mend: " + damage.message());
  };
  TRY(auto own, open_own_spool(config_.state_dir, identity_.agent.value(), spool_limits(config_),
                               clock_, on_damage));
  spool_ = std::move(own.spool);
  spool_of_other_ = std::move(own.of_other);
  TRY(outbox_, Outbox::create(*spool_, clock_, [this] {
        if (uplink_) uplink_->on_spool_grew();
      }));
  pool_ = std::make_unique<BlockingPool>(*loop_, clock_);
  TRY_VOID(build_uplink());
  TRY_VOID(build_collectors());
  TRY_VOID(build_budget());
  announce_start();
  return {};
}

Result<void> Program::build_uplink() {
  broker_ = mqtt::make_paho_client(
      [loop = loop_.get()](std::function<void()> task) { loop->post(std::move(task)); });
  TRY(auto keys, signing::agent_session_keys(identity_.sealing, identity_.controlplane_public_key));
  UplinkIdentity uplink{{identity_.tenant, identity_.shard, identity_.agent},
                        std::move(keys),
                        [this] { return brokers_.chosen(); },
                        [this] { return hello(); }};
  auto random = std::make_shared<std::mt19937_64>(std::random_device{}());
  uplink_ = std::make_unique<Uplink>(*spool_, *broker_, clock_, *this, std::move(uplink),
                                     [random] { return (*random)(); });
  const auto on_renewed = [this](const Identity& renewed) {
    brokers_.renew(renewed);
    uplink_->stop();
    uplink_->start();
  };
  renewal_ = std::make_unique<RenewalLoop>(clock_, *pool_, identity_store_, identity_, on_renewed);
  TRY(remediation_,
      Remediation::create(*loop_, clock_, *spool_, *outbox_, config_.executor_socket,
                          identity_.root_metadata, [this] { uplink_->hello_soon(); }));
  return {};
}

Result<void> Program::build_collectors() {
  const auto redact_text = [](std::string_view text) { return redact(text); };
  collector_ = std::make_unique<LogCollector>(clock_, log_options(config_));
  TRY(auto checkpoints, spool_->checkpoints());
  const auto journal_checkpoints = take_journal_checkpoints(checkpoints);
  if (config_.journal_enabled) build_journal(journal_checkpoints);
  logs_ = std::make_unique<LogsLoop>(
      *loop_, clock_, *collector_, *outbox_, config_.logs_flush, shedding_,
      [this](const LogRead& read) { return remote_logs_->admits_local(read); });
  RemoteLogs::Options remote;
  remote.logs = log_options(config_);
  remote_logs_ = std::make_unique<RemoteLogs>(
      *loop_, clock_, std::make_shared<SystemClock>(), *spool_, *outbox_, *collector_,
      std::move(remote), [this] { return mount_table_.mounts(); }, shedding_);
  if (config_.logs_enabled) {
    TRY_VOID(remote_logs_->begin());
  }

  InventoryLoop::Options inventory;
  inventory.paths.proc = config_.proc_root;
  inventory.paths.sys = config_.sys_root;
  inventory.interval = config_.inventory_interval;
  inventory.agent_version = OBSERVEAI_VERSION;
  inventory.docker_enabled = config_.docker_enabled;
  inventory_ = std::make_unique<InventoryLoop>(
      *loop_, clock_, *pool_, *outbox_, inventory, redact_text,
      [this](std::vector<ObservedContainer> all) {
        containers_ = std::move(all);
        if (config_.logs_enabled) {
          logs_->set_containers(containers_);
          remote_logs_->set_containers(containers_);
        }
        if (journal_source_) journal_source_->set_containers(containers_);
      },
      shedding_);
  DockerClient::Options docker;
  docker.socket_path = docker_socket_of(config_);
  docker_client_ = std::make_unique<DockerClient>(*loop_, clock_, docker, redact_text);
  docker_ = std::make_unique<DockerWatcher>(*loop_, clock_, *docker_client_, *inventory_);

  oom_ = std::make_unique<OomLoop>(*loop_, clock_, *outbox_, inventory.paths, "/dev/kmsg",
                                   containers_);

  MetricRoots roots;
  roots.proc = config_.proc_root;
  roots.sys = config_.sys_root;
  HostCalls calls = HostCalls::direct();
  calls.statfs = deadline_statfs(mounts_);
  calls.certificates = certificate_call(mounts_, config_.certificate_files);
  TRY(auto series, spool_->series());
  auto engine =
      std::make_shared<MetricsEngine>(roots, std::move(calls), series, spool_->next_series_id());
  metrics_ = std::make_unique<MetricsLoop>(
      clock_, *pool_, *outbox_, *spool_, std::move(engine), config_.metrics_interval,
      [this] { return subjects(); }, shedding_);
  return {};
}

void Program::build_journal(std::span<const SourceCheckpoint> checkpoints) {
  const auto redact_line = [this](std::string_view text, std::uint32_t& left, std::string& out) {
    return redactor_.redact_line(text, left, out);
  };
  journal_source_ = std::make_unique<JournalSource>(clock_, redact_line, journal_options(config_));
  journal_source_->restore(checkpoints);
  journal_ = std::make_unique<JournalLoop>(
      *loop_, clock_, *pool_, *outbox_, *journal_source_,
      make_sd_journal_reader(config_.journal_directory, clock_), config_.logs_flush, shedding_);
}

Result<void> Program::run() {
  loop_->on_signals({SIGTERM, SIGINT}, [this](int) { loop_->stop(); });
  const auto manager = ServiceManager::from_environment(
      variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID"));
  LoopWatchdog watchdog(
      [path = restarts_path()](std::chrono::seconds silent) { end_blocked_process(path, silent); });
  if (!budget_->safe_mode()) collect();
  if (config_.logs_enabled) spawn(*loop_, "log limits", logs_->keep_limits());
  spawn(*loop_, "inventory news", inventory_->report_news());
  spawn(*loop_, "kernel log", oom_->watch_log());
  spawn(*loop_, "oom kills", oom_->watch_count());
  spawn(*loop_, "budget", budget_->run(watchdog, manager));
  spawn(*loop_, "uplink", tick_uplink(clock_, *uplink_));
  spawn(*loop_, "renewal", renewal_->run());
  spawn(*loop_, "ledger", report_ledger());
  spawn(*loop_, "executor", remediation_->run());
  log::info("agent " + identity_.agent.value() + " is running");
  manager.ready();
  const auto ended = loop_->run();
  log::info("stopping");
  manager.stopping();
  uplink_->stop();
  if (ended && !restart_reason_.empty()) {
    return Error(Errc::kInternal, "ends to be started again: " + restart_reason_);
  }
  return ended;
}

void Program::collect() {
  spawn(*loop_, "inventory", inventory_->run());
  if (config_.docker_enabled) spawn(*loop_, "docker", docker_->run());
  if (config_.logs_enabled) {
    spawn(*loop_, "logs", logs_->run());
    spawn(*loop_, "log watch", logs_->watch());
    spawn(*loop_, "remote logs", remote_logs_->run());
  }
  if (journal_) spawn(*loop_, "journal", journal_->run());
  spawn(*loop_, "metrics", metrics_->run());
}

// ---- budget ------------------------------------------------------------------------------------

std::string Program::restarts_path() const {
  return config_.state_dir + "/restarts";
}

Result<void> Program::build_budget() {
  BudgetSources sources;
  sources.usage = [this](SteadyTime now) { return own_usage(now); };
  sources.progress = [this] { return watched_parts(parts()); };
  sources.stuck = [this] { return stuck_resources(parts()); };
  sources.collect = [this] { collect(); };
  sources.restart = [this](std::string reason) {
    restart_reason_ = std::move(reason);
    loop_->stop();
  };
  sources.changed = [this] { uplink_->hello_soon(); };
  budget_ = std::make_unique<BudgetLoop>(clock_, *outbox_, shedding_, budget_limits(config_),
                                         restarts_path(), std::move(sources));
  TRY(const auto told, spool_->fact(kRestartTold));
  const std::int64_t told_ms =
      told ? static_cast<std::int64_t>(text::parse_u64(*told).value_or(0)) : 0;
  const std::int64_t newest_ms = budget_->begin(told_ms);
  if (newest_ms == told_ms) return {};
  auto remembered = spool_->set_fact(kRestartTold, std::to_string(newest_ms));
  // On a full disk the restart is told once more after the next start.
  if (!remembered && remembered.error().code() == Errc::kLimit) return {};
  return remembered;
}

Result<OwnUsage> Program::own_usage(SteadyTime now) {
  TRY(auto usage, meter_.measure(now));
  usage.spool_bytes = spool_->state().disk_bytes;
  return usage;
}

// ---- uplink ------------------------------------------------------------------------------------

boost::asio::awaitable<void> Program::report_ledger() {
  for (;;) {
    co_await clock_.sleep_for(kLedgerEvery);
    outbox_->report_ledger();
    ignore(outbox_->flush(), "a full spool is reported by the outbox; the entries wait");
  }
}

AgentParts Program::parts() const {
  return {config_,     shedding_, *spool_,       *outbox_,       *uplink_,        *broker_,
          *pool_,      *mounts_,  *budget_,      *inventory_,    *docker_client_, *docker_,
          *collector_, *logs_,    *remote_logs_, journal_.get(), *metrics_,       containers_};
}

wire::Hello Program::hello() const {
  wire::Hello hello;
  hello.agent_version = OBSERVEAI_VERSION;
  hello.boot_id = inventory_->facts().boot_id;
  hello.machine_id_sha256 = inventory_->facts().machine_id_sha256;
  hello.inventory_digest = inventory_->digest();
  hello.counters = hello_counters(parts());
  hello.executor = remediation_->report();
  return hello;
}

ScrapeSubjects Program::subjects() const {
  return {containers_, process_usage(inventory_->usage()), self_values(parts()),
          outbox_->log_lines().all()};
}

void Program::announce_start() {
  wire::Event event;
  event.ts_ms = clock_.unix_ms();
  event.kind = "agent.start";
  event.target = wire::kHostTarget;
  event.message = std::string("agent ") + OBSERVEAI_VERSION + " started";
  outbox_->add_event(event);
  if (!spool_of_other_.empty()) {
    log::warning(spool_of_other_);
    event.kind = "spool.of_other_identity";
    event.severity = wire::Severity::kWarning;
    event.message = spool_of_other_;
    outbox_->add_event(event);
  }
}

void Program::on_need_series() {
  log::info("the control plane asks for all series definitions");
  outbox_->resend_series();
  ignore(outbox_->flush(), "a full spool is reported by the outbox");
}

void Program::on_new_epoch() {
  if (const auto told = outbox_->epoch_begun(); !told) on_fault(told.error());
  ignore(outbox_->flush(), "a full spool is reported by the outbox");
}

void Program::on_need_inventory() {
  log::info("the control plane asks for the whole inventory");
  inventory_->resend();
}

void Program::on_state_changed(UplinkState state, const std::string& reason) {
  log::info(std::string("uplink: ") + to_string(state) +
            (reason.empty() ? "" : " (" + log::printable(reason) + ")"));
  if (state == UplinkState::kBackingOff) brokers_.next();
}

void Program::on_fault(const Error& error) {
  log::error("uplink: " + error.message());
}

}  // namespace

Result<std::unique_ptr<Agent>> Agent::create(const AgentConfig& config, IdentityStore store,
                                             Identity identity) {
  auto program = std::make_unique<Program>(config, std::move(store), std::move(identity));
  TRY_VOID(program->build());
  return std::unique_ptr<Agent>(std::move(program));
}

}  // namespace observeai::agent
