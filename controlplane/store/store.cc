#include "controlplane/store/store.h"

#include "controlplane/store/access.h"
#include "controlplane/store/age_clock.h"
#include "controlplane/store/agents.h"
#include "controlplane/store/alerts.h"
#include "controlplane/store/audit_log.h"
#include "controlplane/store/commands.h"
#include "controlplane/store/events.h"
#include "controlplane/store/inventory.h"
#include "controlplane/store/ledger.h"
#include "controlplane/store/plans.h"
#include "controlplane/store/predictions.h"
#include "controlplane/store/reader.h"
#include "controlplane/store/tokens.h"
#include "controlplane/store/writer.h"
#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/sql/directory_lock.h"

namespace observeai::controlplane {

namespace {

std::string telemetry_of(const StoreOptions& options) {
  return options.directory + "/telemetry";
}

store::PartitionLimits limits_of(const StoreOptions& options) {
  return {options.telemetry_max_bytes, options.partition_length_ms, options.min_free_bytes};
}

constexpr const char* kClockAlert = "store.clock";
constexpr const char* kIsClockAlertOpen = "SELECT count(*) FROM alerts WHERE kind='store.clock'";
constexpr const char* kKnownTime = "SELECT ms FROM known_time";
constexpr const char* kNoteKnownTime =
    "INSERT INTO known_time(id, ms) VALUES(1, ?) ON CONFLICT DO UPDATE SET ms=excluded.ms";

model::Alert clock_alert(const store::AgeClock::Reading& time) {
  constexpr std::int64_t kMinuteMs = 60'000;
  model::Alert alert;
  alert.kind = kClockAlert;
  alert.message = "the clock of this machine is " +
                  std::to_string(std::abs(time.ahead_ms) / kMinuteMs) + " minutes " +
                  (time.ahead_ms > 0 ? "ahead of" : "behind") +
                  " the time that is known (or nothing ran here for so long): nothing goes by age "
                  "because of it until it has stayed so for a day; the limit in bytes holds";
  alert.first_ms = alert.last_ms = time.known_ms;
  alert.count = 1;
  return alert;
}

}  // namespace

struct Store::Parts {
  Parts(const StoreOptions& store_options, const Clock& store_clock,
        sql::DirectoryLock directory_lock, std::unique_ptr<store::StateDb> state_db)
      : options(store_options),
        clock(store_clock),
        lock(std::move(directory_lock)),
        state(std::move(state_db)),
        book({store_options.max_epochs_of_agent, store_options.max_moved_of_agent,
              store_options.max_sources_of_agent, store_options.max_series_of_agent}),
        partitions(telemetry_of(options), limits_of(options), *state, book, clock),
        writer(*state, book, partitions, inventories, clock),
        reader(*state, book, partitions, inventories, clock),
        agents(*state,
               [this](const AgentId& agent, const wire::Hello& hello) {
                 ignore(writer.pass_over_lost(agent, hello), "the next hello says it again");
               }),
        tokens(*state),
        access(*state),
        audit(*state),
        audit_heads(*state),
        alerts(*state),
        plans(*state),
        commands(*state),
        predictions(*state) {}

  // What is old by the time that is believed; alerts while that is not the wall clock's.
  store::AgeClock::Reading tell_time() EXCLUDES(age_mutex);

  const StoreOptions options;
  const Clock& clock;
  sql::DirectoryLock lock;
  std::unique_ptr<store::StateDb> state;
  store::EpochBook book;
  store::Partitions partitions;
  store::InventoryCache inventories;
  store::Writer writer;
  store::Reader reader;
  store::AgentStore agents;
  store::TokenStore tokens;
  store::AccessStore access;
  store::AuditStore audit;
  store::AuditHeadStore audit_heads;
  store::AlertStore alerts;
  store::PlanStore plans;
  store::CommandStore commands;
  store::PredictionStore predictions;
  Mutex age_mutex;
  std::optional<store::AgeClock> age GUARDED_BY(age_mutex);  // Set by open()
};

store::AgeClock::Reading Store::Parts::tell_time() {
  const auto time = [&] {
    MutexLock guard(age_mutex);
    return age->read(clock.unix_ms(), clock.steady_now());
  }();
  const bool is_open =
      state->read([](sql::Database& db) { return db.scalar(0, kIsClockAlertOpen); }).value_or(0) >
      0;
  if (time.ahead_ms != 0 && !is_open) {
    const auto alert = clock_alert(time);
    log::warning(alert.message);
    ignore(alerts.raise(alert), "it is in the log");
  } else if (time.ahead_ms == 0 && is_open) {
    ignore(alerts.clear(kClockAlert, AgentId(), ""), "the next round tries again");
  }
  return time;
}

Store::Store(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Store::~Store() {
  if (auto flushed = parts_->agents.flush(); !flushed) {
    log::warning("when agents were last seen is not written: " + flushed.error().message());
  }
}

Result<std::unique_ptr<Store>> Store::open(const StoreOptions& options, const Clock& clock) {
  if (options.partition_length_ms <= 0) return Error(Errc::kInvalid, "partitions need a length");
  const auto open_parts = [&]() -> Result<std::unique_ptr<Parts>> {
    TRY_VOID(files::make_directories(options.directory, 0700));
    TRY_VOID(files::make_directories(telemetry_of(options), 0700));
    TRY(auto lock, sql::DirectoryLock::acquire(options.directory));
    store::Partitions::make_room_on_disk(telemetry_of(options), limits_of(options));
    TRY(auto state, store::StateDb::open(options.directory + "/state.db"));
    TRY_VOID(store::name_old_inventory(*state));
    TRY_VOID(store::chain_old_entries(*state));
    auto parts = std::make_unique<Parts>(options, clock, std::move(lock), std::move(state));
    TRY_VOID(parts->book.load(*parts->state));
    TRY_VOID(parts->partitions.load());
    TRY(auto known_ms,
        parts->state->read([](sql::Database& db) { return db.scalar(-1, kKnownTime); }));
    const auto all = parts->partitions.snapshot();
    if (known_ms < 0 && !all.empty()) known_ms = all.back()->start_ms();
    MutexLock guard(parts->age_mutex);
    parts->age.emplace(known_ms < 0 ? std::nullopt : std::optional(known_ms), clock.unix_ms(),
                       clock.steady_now());
    return parts;
  };
  auto parts = open_parts();
  if (!parts) return std::move(parts).error().with_context("open store");
  return std::unique_ptr<Store>(new Store(std::move(*parts)));
}

model::AgentRegistry& Store::agents() {
  return parts_->agents;
}
model::TokenRepository& Store::tokens() {
  return parts_->tokens;
}
model::AccessRepository& Store::access() {
  return parts_->access;
}
model::AuditLog& Store::audit() {
  return parts_->audit;
}
model::AuditHeadRepository& Store::audit_heads() {
  return parts_->audit_heads;
}
model::AlertRepository& Store::alerts() {
  return parts_->alerts;
}
model::TelemetryReader& Store::reader() {
  return parts_->reader;
}
model::TelemetryWriter& Store::writer() {
  return parts_->writer;
}
model::PlanRepository& Store::plans() {
  return parts_->plans;
}
model::CommandRepository& Store::commands() {
  return parts_->commands;
}
model::PredictionRepository& Store::predictions() {
  return parts_->predictions;
}

Result<void> Store::maintenance() {
  const auto time = parts_->tell_time();
  const std::int64_t now_ms = parts_->clock.unix_ms();
  const std::int64_t oldest_ms = time.now_ms - parts_->options.telemetry_max_age_ms;
  Result<void> first_error;
  const auto note = [&first_error](Result<void> step) {
    if (!step && first_error) first_error = std::move(step);
  };
  // On a full disk nothing else works before partitions are gone.
  note(parts_->writer.retain(time.now_ms, oldest_ms));
  note(parts_->alerts.flush());
  note(parts_->agents.flush());
  note(parts_->access.forget_expired_logins(now_ms));
  note(parts_->plans.forget(time.now_ms - model::kKeepPlansMs));
  note(parts_->predictions.forget_closed(time.now_ms - model::kKeepPredictionsMs));
  note(store::forget_events(*parts_->state, oldest_ms));
  note(parts_->state->write([&](sql::Database& db) -> Result<void> {
    TRY_VOID(db.run(kNoteKnownTime, time.known_ms));
    return {};
  }));
  note(store::alert_gaps(*parts_->state, parts_->book, now_ms));
  return first_error;
}

StoreCounters Store::counters() {
  const auto partitions = parts_->partitions.counters();
  return {partitions.partitions,
          partitions.bytes,
          partitions.dropped_partitions,
          partitions.dropped_bytes,
          partitions.quarantined_partitions,
          parts_->reader.unreadable_chunks()};
}

}  // namespace observeai::controlplane
