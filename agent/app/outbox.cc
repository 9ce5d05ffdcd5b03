#include "agent/app/outbox.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "agent/app/control_encoder.h"
#include "agent/app/log_batches.h"
#include "protocol/base/log.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/command_codec.h"

namespace observeai::agent {
namespace {

constexpr const char* kMetricsSource = "metrics";

std::size_t index_of(wire::Lane lane) {
  return static_cast<std::size_t>(lane);
}

// kLimit is kept for a spool that is full: waiting does not help against this.
Error unencodable(const std::string& what) {
  return Error(Errc::kInvalid, "cannot be sent: " + what);
}

Error still_full() {
  return Error(Errc::kLimit, "the spool is full");
}

}  // namespace

Result<Outbox> Outbox::create(Spool& spool, const Clock& clock, std::function<void()> on_grew) {
  Outbox outbox(spool, clock, std::move(on_grew));
  TRY_VOID(outbox.load_ledger());
  return outbox;
}

Result<void> Outbox::load_ledger() {
  TRY(const auto checkpoints, spool_->checkpoints());
  std::set<std::string> followed;
  for (const auto& checkpoint : checkpoints) followed.insert(checkpoint.source);
  TRY(auto entries, spool_->ledger());
  ledger_.load(std::move(entries), followed);
  return {};
}

Result<void> Outbox::epoch_begun() {
  resend_series();
  report_ledger();
  return load_ledger();
}

// ---- control -----------------------------------------------------------------------------------

void Outbox::add_event(wire::Event event) {
  waiting_.events.push_back(std::move(event));
  if (waiting_.events.size() <= kMaxWaiting) return;
  waiting_.events.erase(waiting_.events.begin());
  ++control_dropped_;
}

void Outbox::add_inventory(wire::InventoryUpdate update) {
  if (!update.empty()) waiting_.inventory.push_back(std::move(update));
}

Result<void> Outbox::add_result(std::string envelope) {
  if (envelope.empty() || envelope.size() > wire::kMaxResultEnvelopeBytes) {
    return unencodable("a result of " + std::to_string(envelope.size()) + " bytes");
  }
  const auto digest = wire::digest_of(envelope);
  const auto& waiting = waiting_results_;
  if (std::find(waiting.begin(), waiting.end(), digest) != waiting.end()) return {};
  std::size_t bytes = envelope.size();
  for (const auto& other : waiting_.results) bytes += other.size();
  if (bytes > kMaxWaitingResultBytes) {
    return Error(Errc::kLimit, "results wait for the spool: " + std::to_string(bytes) + " bytes");
  }
  waiting_.results.push_back(std::move(envelope));
  waiting_results_.push_back(digest);
  return {};
}

void Outbox::report_ledger() {
  ledger_wanted_ = true;
}

Result<void> Outbox::flush() {
  report_notices();
  if (control_pause_.lasts(spool_->state(), clock_->steady_now())) return still_full();
  TRY_VOID(add_late_control());
  ControlEncoder encoder(clock_->unix_ms());
  const auto encoded = encoder.add(waiting_);
  waiting_.series.clear();
  waiting_.ledger.clear();
  TRY_VOID(encoded);
  CommitUnit unit;
  unit.batches = std::move(encoder.batches);
  if (ledger_wanted_)
    unit.forgotten_ledger =
        ledger_.finished(spool_->state().oldest_seq[index_of(wire::Lane::kControl)]);
  std::uint64_t last_seq = 0;
  if (!unit.batches.empty() || !unit.forgotten_ledger.empty()) {
    TRY(const auto sequences, commit(unit, wire::Lane::kControl));
    if (!sequences.empty()) last_seq = sequences.back();
  }
  control_committed(last_seq, unit.forgotten_ledger, encoder.refused);
  note_full();
  if (!unit.batches.empty()) on_grew_();
  return {};
}

// What is read anew for each attempt instead of waiting in memory.
Result<void> Outbox::add_late_control() {
  if (series_wanted_) {
    TRY(waiting_.series, spool_->series());
  }
  if (ledger_wanted_) {
    save_ledger();
    waiting_.ledger = ledger_.to_report();
  }
  return {};
}

void Outbox::control_committed(std::uint64_t last_seq, const std::vector<LedgerKey>& forgotten,
                               const std::vector<std::string>& refused) {
  waiting_ = {};
  spooled_results_.insert(spooled_results_.end(), waiting_results_.begin(), waiting_results_.end());
  waiting_results_.clear();
  series_wanted_ = false;
  if (std::exchange(ledger_wanted_, false)) ledger_.reported(last_seq);
  ledger_.erase(forgotten);
  note_refused(refused);
}

void Outbox::note_refused(const std::vector<std::string>& refused) {
  for (const auto& what : refused) {
    ++control_dropped_;
    log::error("dropped, for no message can hold it: " + log::printable(what));
    wire::Event event;
    event.ts_ms = clock_->unix_ms();
    event.kind = "control.dropped";
    event.target = wire::kHostTarget;
    event.severity = wire::Severity::kError;
    event.message = "no message can hold " + log::printable(what);
    add_event(std::move(event));
  }
}

// ---- data --------------------------------------------------------------------------------------

Result<void> Outbox::commit_scrape(wire::Scrape scrape,
                                   const std::vector<wire::SeriesDefinition>& definitions) {
  const auto count = scrape.series.size();
  wire::LedgerEntry entry = ledger_.entry(kMetricsSource, wire::Lane::kMetrics);
  const auto stored = store_scrape(std::move(scrape), definitions, entry);
  if (stored) return {};
  const Errc why = stored.error().code();
  entry.records_read += count;
  entry.records_dropped[why == Errc::kLimit     ? "spool_full"
                        : why == Errc::kInvalid ? "unencodable"
                                                : "spool_error"] += count;
  // Without batches it finds room where the scrape found none; then it survives whatever ends this process.
  CommitUnit counts;
  counts.ledger = {entry};
  ledger_.keep(std::move(entry), bool(spool_->commit(counts)));
  return stored;
}

void Outbox::save_ledger() {
  CommitUnit counts;
  counts.ledger = ledger_.unsaved();
  if (!counts.ledger.empty() && spool_->commit(counts)) ledger_.note_saved();
}

Result<void> Outbox::store_scrape(wire::Scrape scrape,
                                  const std::vector<wire::SeriesDefinition>& definitions,
                                  const wire::LedgerEntry& before) {
  if (metrics_pause_.lasts(spool_->state(), clock_->steady_now())) return still_full();
  // Definitions before the samples that use them: lane 0 is drained first.
  wire::ControlBatch control;
  control.series = definitions;
  ControlEncoder encoder(clock_->unix_ms());
  TRY_VOID(encoder.add(control));
  if (!encoder.refused.empty()) return unencodable(encoder.refused.front());

  PendingBatch pending;
  pending.lane = wire::Lane::kMetrics;
  pending.n = static_cast<std::uint32_t>(scrape.series.size());
  pending.first_ts_ms = pending.last_ts_ms = scrape.ts_ms;
  pending.counts = {{kMetricsSource, pending.n, 0}};
  wire::SampleBatch samples;
  samples.scrapes.push_back(std::move(scrape));
  auto body = wire::encode_samples(samples);
  if (!body) return unencodable(body.error().message());
  pending.body = std::move(*body);

  CommitUnit unit;
  unit.batches = std::move(encoder.batches);
  unit.batches.push_back(std::move(pending));
  unit.new_series = definitions;
  wire::LedgerEntry entry = before;
  entry.records_read += unit.batches.back().n;
  entry.records_spooled += unit.batches.back().n;
  entry.as_of_seq = spool_->state().next_seq[index_of(wire::Lane::kMetrics)];
  unit.ledger.push_back(entry);
  TRY_VOID(commit(unit, wire::Lane::kMetrics));
  ledger_.keep(std::move(entry));
  note_full();
  on_grew_();
  return {};
}

Result<void> Outbox::commit_logs(LogCommit&& logs) {
  if (!takes_data()) return still_full();
  std::map<std::string, wire::LedgerEntry> entries;
  const auto entry_of = [&](const std::string& source) -> wire::LedgerEntry& {
    return entries.try_emplace(source, ledger_.entry(source, wire::Lane::kLogs)).first->second;
  };
  for (const auto& counts : logs.counts) add_counts(counts, entry_of(counts.source));

  CommitUnit unit;
  const auto refuse = [&](const wire::LogRecord& record, const Error& why) {
    log::error("a log record is dropped: " + unencodable(why.message()).message());
    ++entry_of("log/" + record.target).records_dropped["unencodable"];
  };
  log_lines_.look(logs);
  TRY_VOID(add_log_batches(logs.records, refuse, unit.batches));
  const std::uint64_t next_seq = spool_->state().next_seq[index_of(wire::Lane::kLogs)];
  for (const auto& batch : unit.batches) {
    for (const auto& count : batch.counts) {
      auto& entry = entry_of(count.source);
      entry.records_spooled += count.records;
      entry.as_of_seq = next_seq + unit.batches.size() - 1;
    }
  }
  wire::ControlBatch told;
  told.events = std::move(logs.events);
  ControlEncoder encoder(clock_->unix_ms());
  TRY_VOID(encoder.add(told));
  std::move(encoder.batches.begin(), encoder.batches.end(), std::back_inserter(unit.batches));

  for (const auto& [source, entry] : entries) unit.ledger.push_back(entry);
  unit.checkpoints = std::move(logs.checkpoints);
  unit.forgotten_sources = std::move(logs.forgotten_sources);
  TRY_VOID(commit(unit, wire::Lane::kLogs));
  log_lines_.taken();
  logs_committed(std::move(unit));
  note_refused(encoder.refused);
  return {};
}

void Outbox::logs_committed(CommitUnit unit) {
  for (auto& entry : unit.ledger) ledger_.keep(std::move(entry));
  for (const auto& source : unit.forgotten_sources) ledger_.forget_log(source);
  if (!unit.batches.empty()) {
    note_full();
    on_grew_();
  }
}

Result<std::vector<std::uint64_t>> Outbox::commit(const CommitUnit& unit, wire::Lane lane) {
  FullPause& pause = lane == wire::Lane::kLogs      ? logs_pause_
                     : lane == wire::Lane::kMetrics ? metrics_pause_
                                                    : control_pause_;
  auto sequences = spool_->commit(unit);
  if (sequences) {
    // What else is in the unit finds room where a batch of the lane may not.
    const bool has_lane = std::any_of(unit.batches.begin(), unit.batches.end(),
                                      [lane](const auto& batch) { return batch.lane == lane; });
    if (has_lane) pause.end();
  } else if (sequences.error().code() == Errc::kLimit) {
    pause.begin(spool_->state(), clock_->steady_now());
    note_full();
  }
  return sequences;
}

// ---- the spool ---------------------------------------------------------------------------------

// What happened to the spool, as events.
void Outbox::report_notices() {
  for (auto& notice : spool_->take_notices()) {
    wire::Event event;
    event.ts_ms = notice.ts_ms;
    event.kind = std::move(notice.kind);
    event.target = wire::kHostTarget;
    event.severity = notice.severity;
    event.message = log::printable(notice.message);
    add_event(std::move(event));
  }
}

// After what waited was committed, for it adds an event.
void Outbox::note_full() {
  const bool full = logs_pause_.begun() || metrics_pause_.begun() || control_pause_.begun();
  if (full == spool_full_) return;
  spool_full_ = full;
  log::warning(
      full ? "the spool is full: logs wait in their files, old metrics make room for new ones"
           : "the spool takes data again");
  wire::Event event;
  event.ts_ms = clock_->unix_ms();
  event.kind = full ? "spool.full" : "spool.recovered";
  event.target = wire::kHostTarget;
  event.severity = full ? wire::Severity::kError : wire::Severity::kInfo;
  event.message = full ? "the agent's queue on disk is full; logs wait in their files"
                       : "the agent's queue on disk takes data again";
  add_event(std::move(event));
}

}  // namespace observeai::agent
