#include "agent/app/outbox.h"

#include <algorithm>
#include <utility>

#include "protocol/base/log.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kShortestCut = 64U << 10;  // A lone record is halved no further than this
constexpr const char* kMetricsSource = "metrics";

std::size_t index_of(wire::Lane lane) {
  return static_cast<std::size_t>(lane);
}

// Encodes `items` into as many batches as the codec's bound asks for, by halving. `shrink` makes
// less of a lone item that is too large, or two of it; `refuse` hears of each that no batch can
// hold. An error is none of the items' fault. Leaves some of the items: all, unless it halved.
template <class T, class Encode, class Shrink, class Refuse>
Result<void> encode_split(std::vector<T>& items, const Encode& encode, const Shrink& shrink,
                          const Refuse& refuse, std::vector<PendingBatch>& out) {
  if (items.empty()) return {};
  auto body = encode(items);
  if (body) {
    out.push_back(std::move(*body));
    return {};
  }
  const Errc why = body.error().code();
  if (why != Errc::kLimit && why != Errc::kInvalid) return body.error();
  if (items.size() == 1) {
    if (why == Errc::kLimit && shrink(items))
      return encode_split(items, encode, shrink, refuse, out);
    refuse(items.front(), body.error());
    return {};
  }
  const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
  std::vector<T> back(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
  items.erase(middle, items.end());
  TRY_VOID(encode_split(items, encode, shrink, refuse, out));
  return encode_split(back, encode, shrink, refuse, out);
}

// ---- logs --------------------------------------------------------------------------------------

// By source, in the order of their names.
std::map<std::string, SourceCount> count_by_source(const std::vector<wire::LogRecord>& records) {
  std::map<std::string, SourceCount> counts;
  const wire::Target* last = nullptr;
  SourceCount* count = nullptr;
  for (const auto& record : records) {  // As a rule one source's records stand together
    if (last == nullptr || record.target != *last) {
      last = &record.target;
      count = &counts["log/" + record.target];
    }
    ++count->records;
    count->bytes += record.original_bytes != 0 ? record.original_bytes : record.text.size();
  }
  return counts;
}

// Leaves the records as they are: lent to the codec, for copying them costs as much as packing.
Result<PendingBatch> log_batch(std::vector<wire::LogRecord>& records) {
  wire::LogBatch batch{std::move(records)};
  auto packed = wire::encode_logs(batch);
  records = std::move(batch.records);
  TRY(auto body, std::move(packed));
  PendingBatch pending;
  pending.lane = wire::Lane::kLogs;
  pending.n = static_cast<std::uint32_t>(records.size());
  pending.first_ts_ms = pending.last_ts_ms = records.front().ts_ns / 1'000'000;
  for (const auto& record : records) {
    pending.first_ts_ms = std::min(pending.first_ts_ms, record.ts_ns / 1'000'000);
    pending.last_ts_ms = std::max(pending.last_ts_ms, record.ts_ns / 1'000'000);
  }
  pending.body = std::move(body);
  for (const auto& [source, count] : count_by_source(records))
    pending.counts.push_back({source, count.records, count.bytes});
  return pending;
}

// A line that does not fit a message even alone (it hardly compresses) is cut, and says so.
bool cut_record(std::vector<wire::LogRecord>& one) {
  wire::LogRecord& record = one.front();
  if (record.text.size() <= kShortestCut) return false;
  if (record.original_bytes == 0) record.original_bytes = record.text.size();
  record.flags |= wire::log_flags::kTruncated;
  record.text.resize(record.text.size() / 2);
  return true;
}

void add_counts(const SourceCounts& counts, wire::LedgerEntry& entry) {
  entry.records_read += counts.records_read;
  entry.bytes_read += counts.bytes_read;
  for (const auto& [reason, count] : counts.records_dropped) entry.records_dropped[reason] += count;
  for (const auto& [reason, count] : counts.bytes_dropped) entry.bytes_dropped[reason] += count;
}

// ---- control -----------------------------------------------------------------------------------

std::uint32_t control_count(const wire::ControlBatch& batch) {
  return static_cast<std::uint32_t>(batch.series.size() + batch.inventory.size() +
                                    batch.events.size() + batch.ledger.size());
}

std::size_t entries_in(const wire::InventoryUpdate& update) {
  const auto count = [](const auto& section) {
    return section.upserts.size() + section.removed.size();
  };
  return count(update.containers) + count(update.processes) + count(update.units) +
         count(update.ports) + (update.host ? 1 : 0);
}

// Makes two of a lone update, which apply one after the other to the same result. False when it has
// one entry only.
bool halve_update(std::vector<wire::InventoryUpdate>& one) {
  const std::size_t entries = entries_in(one.front());
  if (entries < 2) return false;
  one.emplace_back();
  wire::InventoryUpdate& front = one[0];
  wire::InventoryUpdate& back = one[1];
  back.ts_ms = front.ts_ms;
  std::size_t stay = entries / 2 - (front.host ? 1 : 0);
  const auto move_rest = [&stay](auto& from, auto& to) {
    const auto kept = std::min(stay, from.size());
    const auto middle = from.begin() + static_cast<std::ptrdiff_t>(kept);
    to.assign(std::make_move_iterator(middle), std::make_move_iterator(from.end()));
    from.erase(middle, from.end());
    stay -= kept;
  };
  const auto halve = [&](auto section) {
    move_rest((front.*section).removed, (back.*section).removed);
    move_rest((front.*section).upserts, (back.*section).upserts);
  };
  halve(&wire::InventoryUpdate::containers);
  halve(&wire::InventoryUpdate::processes);
  halve(&wire::InventoryUpdate::units);
  halve(&wire::InventoryUpdate::ports);
  return true;
}

std::string name_of(const wire::SeriesDefinition& series) {
  return "series " + series.name;
}
std::string name_of(const wire::InventoryUpdate&) {
  return "an entry of the inventory";
}
std::string name_of(const wire::Event& event) {
  return "event " + event.kind;
}
std::string name_of(const wire::LedgerEntry& entry) {
  return "ledger entry " + entry.source;
}

// Control signals as batches, and what none can hold.
class ControlEncoder {
 public:
  explicit ControlEncoder(std::int64_t now_ms) : now_ms_(now_ms) {}

  // Small control traffic, the usual case, travels as one batch; else one kind after the other, in
  // the order in which they are to be applied: lane 0 is delivered in order.
  Result<void> add(const wire::ControlBatch& signals) {
    if (control_count(signals) == 0) return {};
    if (auto whole = encode(signals)) {
      batches.push_back(std::move(*whole));
      return {};
    }
    const auto whole_or_nothing = [](const auto&) { return false; };
    TRY_VOID(add_kind(signals, &wire::ControlBatch::series, whole_or_nothing));
    TRY_VOID(add_kind(signals, &wire::ControlBatch::inventory, halve_update));
    TRY_VOID(add_kind(signals, &wire::ControlBatch::events, whole_or_nothing));
    return add_kind(signals, &wire::ControlBatch::ledger, whole_or_nothing);
  }

  std::vector<PendingBatch> batches;
  std::vector<std::string> refused;

 private:
  Result<PendingBatch> encode(const wire::ControlBatch& signals) const {
    TRY(auto body, wire::encode_control(signals));
    PendingBatch pending;
    pending.lane = wire::Lane::kControl;
    pending.n = control_count(signals);
    pending.first_ts_ms = pending.last_ts_ms = now_ms_;
    pending.body = std::move(body);
    return pending;
  }

  template <class Kind, class Shrink>
  Result<void> add_kind(const wire::ControlBatch& signals, Kind kind, const Shrink& shrink) {
    const auto encode_items = [this, kind](const auto& items) {
      wire::ControlBatch part;
      part.*kind = items;
      return encode(part);
    };
    const auto refuse = [this](const auto& item, const Error& why) {
      refused.push_back(name_of(item) + ": " + why.message());
    };
    auto items = signals.*kind;
    return encode_split(items, encode_items, shrink, refuse, batches);
  }

  const std::int64_t now_ms_;
};

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
  ledger_.clear();
  changed_.clear();
  gone_.clear();
  for (auto& entry : entries) {
    const LedgerKey key{entry.source, entry.lane};
    changed_.insert(key);
    // Forgotten by an earlier run, which did not live to see its last report arrive.
    if (entry.lane == wire::Lane::kLogs && !followed.contains(entry.source)) gone_.insert(key);
    ledger_[key].entry = std::move(entry);
  }
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
  if (ledger_wanted_) unit.forgotten_ledger = finished_rows();
  std::uint64_t last_seq = 0;
  if (!unit.batches.empty() || !unit.forgotten_ledger.empty()) {
    TRY(const auto sequences, commit(unit, control_pause_));
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
    for (const auto& key : changed_) waiting_.ledger.push_back(ledger_.at(key).entry);
  }
  return {};
}

void Outbox::control_committed(std::uint64_t last_seq, const std::vector<LedgerKey>& forgotten,
                               const std::vector<std::string>& refused) {
  waiting_ = {};
  series_wanted_ = false;
  if (std::exchange(ledger_wanted_, false)) {
    for (const auto& key : changed_) ledger_.at(key).reported_in = last_seq;
    changed_.clear();
  }
  for (const auto& key : forgotten) {
    ledger_.erase(key);
    gone_.erase(key);
  }
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
  wire::LedgerEntry entry = ledger_entry(kMetricsSource, wire::Lane::kMetrics);
  const auto stored = store_scrape(std::move(scrape), definitions, entry);
  if (stored) return {};
  const Errc why = stored.error().code();
  entry.records_read += count;
  entry.records_dropped[why == Errc::kLimit     ? "spool_full"
                        : why == Errc::kInvalid ? "unencodable"
                                                : "spool_error"] += count;
  keep(std::move(entry));
  return stored;
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
  TRY_VOID(commit(unit, metrics_pause_));
  keep(std::move(entry));
  note_full();
  on_grew_();
  return {};
}

Result<void> Outbox::commit_logs(LogCommit&& logs) {
  if (!takes_data()) return still_full();
  std::map<std::string, wire::LedgerEntry> entries;
  const auto entry_of = [&](const std::string& source) -> wire::LedgerEntry& {
    return entries.try_emplace(source, ledger_entry(source, wire::Lane::kLogs)).first->second;
  };
  for (const auto& counts : logs.counts) add_counts(counts, entry_of(counts.source));

  CommitUnit unit;
  auto spooled = count_by_source(logs.records);
  const auto refuse = [&](const wire::LogRecord& record, const Error& why) {
    log::error("a log record is dropped: " + unencodable(why.message()).message());
    --spooled["log/" + record.target].records;
    ++entry_of("log/" + record.target).records_dropped["unencodable"];
  };
  TRY_VOID(encode_split(logs.records, log_batch, cut_record, refuse, unit.batches));
  const std::uint64_t next_seq = spool_->state().next_seq[index_of(wire::Lane::kLogs)];
  for (const auto& [source, count] : spooled) {
    if (count.records == 0) continue;
    auto& entry = entry_of(source);
    entry.records_spooled += count.records;
    entry.as_of_seq = next_seq + unit.batches.size() - 1;
  }

  for (const auto& [source, entry] : entries) unit.ledger.push_back(entry);
  unit.checkpoints = std::move(logs.checkpoints);
  unit.forgotten_sources = std::move(logs.forgotten_sources);
  TRY_VOID(commit(unit, logs_pause_));
  logs_committed(std::move(unit), std::move(logs.events));
  return {};
}

// Not before: on a failure the caller reads again and would report the events a second time.
void Outbox::logs_committed(CommitUnit unit, std::vector<wire::Event> events) {
  for (auto& entry : unit.ledger) keep(std::move(entry));
  for (auto& source : unit.forgotten_sources) {
    const LedgerKey key{std::move(source), wire::Lane::kLogs};
    if (ledger_.contains(key)) gone_.insert(key);
  }
  if (!unit.batches.empty()) {
    note_full();
    on_grew_();
  }
  if (events.empty()) return;
  for (auto& event : events) add_event(std::move(event));
  ignore(flush(), "they wait for the next flush");
}

Result<std::vector<std::uint64_t>> Outbox::commit(const CommitUnit& unit, FullPause& pause) {
  auto sequences = spool_->commit(unit);
  if (sequences) {
    if (!unit.batches.empty()) pause.end();
  } else if (sequences.error().code() == Errc::kLimit) {
    pause.begin(spool_->state(), clock_->steady_now());
    note_full();
  }
  return sequences;
}

// ---- ledger ------------------------------------------------------------------------------------

wire::LedgerEntry Outbox::ledger_entry(const std::string& source, wire::Lane lane) const {
  if (const auto found = ledger_.find({source, lane}); found != ledger_.end())
    return found->second.entry;
  wire::LedgerEntry entry;
  entry.source = source;
  entry.lane = lane;
  return entry;
}

void Outbox::keep(wire::LedgerEntry entry) {
  const LedgerKey key{entry.source, entry.lane};
  changed_.insert(key);
  gone_.erase(key);
  ledger_[key].entry = std::move(entry);
}

// Of forgotten sources, with their last counts acknowledged by the control plane.
std::vector<LedgerKey> Outbox::finished_rows() const {
  std::vector<LedgerKey> finished;
  const std::uint64_t oldest = spool_->state().oldest_seq[index_of(wire::Lane::kControl)];
  for (const auto& key : gone_) {
    const std::uint64_t reported_in = ledger_.at(key).reported_in;
    if (!changed_.contains(key) && reported_in != 0 && reported_in < oldest)
      finished.push_back(key);
  }
  return finished;
}

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
