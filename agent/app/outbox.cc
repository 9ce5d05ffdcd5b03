#include "agent/app/outbox.h"

#include "protocol/base/log.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kShortestCut = 64U << 10;  // A lone record is halved no further than this

// Encodes `items` into as many batches as the codec's bound asks for, by halving.
template <class T, class Encode, class Shrink>
Result<void> encode_split(std::vector<T> items, const Encode& encode, const Shrink& shrink,
                          std::vector<PendingBatch>& out) {
  auto body = encode(items);
  if (body) {
    out.push_back(std::move(*body));
    return {};
  }
  if (body.error().code() != Errc::kLimit) return body.error();
  if (items.size() <= 1) {
    if (items.empty() || !shrink(items.front())) return body.error();
    return encode_split(std::move(items), encode, shrink, out);
  }
  const auto middle = items.begin() + static_cast<std::ptrdiff_t>(items.size() / 2);
  std::vector<T> back(std::make_move_iterator(middle), std::make_move_iterator(items.end()));
  items.erase(middle, items.end());
  TRY_VOID(encode_split(std::move(items), encode, shrink, out));
  return encode_split(std::move(back), encode, shrink, out);
}

Result<PendingBatch> log_batch(const std::vector<wire::LogRecord>& records) {
  const wire::LogBatch batch{records};
  TRY(auto body, wire::encode_logs(batch));
  PendingBatch pending;
  pending.lane = wire::Lane::kLogs;
  pending.n = static_cast<std::uint32_t>(records.size());
  pending.first_ts_ms = pending.last_ts_ms = records.front().ts_ns / 1'000'000;
  for (const auto& record : records) {
    pending.first_ts_ms = std::min(pending.first_ts_ms, record.ts_ns / 1'000'000);
    pending.last_ts_ms = std::max(pending.last_ts_ms, record.ts_ns / 1'000'000);
  }
  pending.body = std::move(body);
  return pending;
}

// A line that does not fit a message even alone (it hardly compresses) is cut, and says so.
bool cut_record(wire::LogRecord& record) {
  if (record.text.size() <= kShortestCut) return false;
  if (record.original_bytes == 0) record.original_bytes = record.text.size();
  record.flags |= wire::log_flags::kTruncated;
  record.text.resize(record.text.size() / 2);
  return true;
}

std::uint32_t control_count(const wire::ControlBatch& batch) {
  return static_cast<std::uint32_t>(batch.series.size() + batch.inventory.size() +
                                    batch.events.size() + batch.ledger.size());
}

// Splits one update into pieces that apply one after the other to the same result.
std::vector<wire::InventoryUpdate> pieces_of(const wire::InventoryUpdate& update) {
  constexpr std::size_t kEntries =
      500;  // A few hundred bytes each: far below the bound of a message
  std::vector<wire::InventoryUpdate> pieces(1);
  pieces[0].ts_ms = update.ts_ms;
  pieces[0].host = update.host;
  const auto split = [&](auto section) {
    const auto& from = update.*section;
    auto& first = pieces[0].*section;
    first.full = from.full;
    first.removed = from.removed;
    for (std::size_t i = 0; i < from.upserts.size(); ++i) {
      const std::size_t piece = i / kEntries;
      while (pieces.size() <= piece) {
        pieces.emplace_back();
        pieces.back().ts_ms = update.ts_ms;
      }
      (pieces[piece].*section).upserts.push_back(from.upserts[i]);
    }
  };
  split(&wire::InventoryUpdate::containers);
  split(&wire::InventoryUpdate::processes);
  split(&wire::InventoryUpdate::units);
  split(&wire::InventoryUpdate::ports);
  return pieces;
}

}  // namespace

Result<Outbox> Outbox::create(Spool& spool, const Clock& clock, std::function<void()> on_grew) {
  Outbox outbox(spool, clock, std::move(on_grew));
  TRY(auto entries, spool.ledger());
  for (auto& entry : entries) {
    LedgerKey key(entry.source, entry.lane);
    outbox.changed_.push_back(key);
    outbox.ledger_.emplace(std::move(key), std::move(entry));
  }
  return outbox;
}

void Outbox::add_event(wire::Event event) {
  waiting_.events.push_back(std::move(event));
  bound_waiting();
}

void Outbox::add_inventory(wire::InventoryUpdate update) {
  if (update.empty()) return;
  for (auto& piece : pieces_of(update)) waiting_.inventory.push_back(std::move(piece));
}

void Outbox::resend_series(std::vector<wire::SeriesDefinition> definitions) {
  waiting_.series.insert(waiting_.series.end(), std::make_move_iterator(definitions.begin()),
                         std::make_move_iterator(definitions.end()));
}

void Outbox::bound_waiting() {
  if (waiting_.events.size() <= kMaxWaiting) return;
  waiting_.events.erase(waiting_.events.begin());
  ++control_dropped_;
}

// One batch for each kind of content and bound; the order series -> inventory -> events -> ledger
// holds because lane 0 is delivered in order.
Result<void> Outbox::add_control(CommitUnit& unit) const {
  const std::int64_t now_ms = clock_->unix_ms();
  const auto no_shrink = [](auto&) { return false; };
  const auto encode_as = [&](auto member) {
    return [now_ms, member](const auto& items) -> Result<PendingBatch> {
      wire::ControlBatch part;
      part.*member = items;
      TRY(auto body, wire::encode_control(part));
      PendingBatch pending;
      pending.lane = wire::Lane::kControl;
      pending.n = control_count(part);
      pending.first_ts_ms = pending.last_ts_ms = now_ms;
      pending.body = std::move(body);
      return pending;
    };
  };
  const auto add = [&](auto member) -> Result<void> {
    const auto& items = waiting_.*member;
    if (items.empty()) return {};
    return encode_split(items, encode_as(member), no_shrink, unit.batches);
  };
  // Small control traffic, the usual case, travels as one batch.
  if (auto whole = wire::encode_control(waiting_); whole) {
    PendingBatch pending;
    pending.n = control_count(waiting_);
    pending.first_ts_ms = pending.last_ts_ms = now_ms;
    pending.body = std::move(*whole);
    unit.batches.push_back(std::move(pending));
    return {};
  }
  TRY_VOID(add(&wire::ControlBatch::series));
  TRY_VOID(add(&wire::ControlBatch::inventory));
  TRY_VOID(add(&wire::ControlBatch::events));
  return add(&wire::ControlBatch::ledger);
}

Result<void> Outbox::commit(CommitUnit unit, bool with_control) {
  if (with_control && control_count(waiting_) > 0) {
    CommitUnit whole;
    TRY_VOID(add_control(whole));
    // Definitions before the samples that use them: lane 0 is drained first.
    std::move(unit.batches.begin(), unit.batches.end(), std::back_inserter(whole.batches));
    unit.batches = std::move(whole.batches);
  } else {
    with_control = false;
  }
  if (unit.batches.empty() && unit.checkpoints.empty() && unit.forgotten_sources.empty() &&
      unit.ledger.empty()) {
    return {};
  }
  const auto sequences = spool_->commit(unit);
  if (!sequences) {
    if (sequences.error().code() == Errc::kLimit) note_full(true);
    return sequences.error();
  }
  note_full(false);
  if (with_control) waiting_ = {};
  if (!unit.batches.empty()) on_grew_();
  return {};
}

Result<void> Outbox::flush() {
  return commit({}, true);
}

Result<void> Outbox::commit_scrape(wire::Scrape scrape,
                                   const std::vector<wire::SeriesDefinition>& definitions) {
  const auto count = scrape.series.size();
  CommitUnit unit;
  wire::SampleBatch samples;
  PendingBatch pending;
  pending.lane = wire::Lane::kMetrics;
  pending.n = static_cast<std::uint32_t>(count);
  pending.first_ts_ms = pending.last_ts_ms = scrape.ts_ms;
  samples.scrapes.push_back(std::move(scrape));
  TRY(pending.body, wire::encode_samples(samples));
  unit.batches.push_back(std::move(pending));

  wire::LedgerEntry entry = ledger_entry("metrics", wire::Lane::kMetrics);
  entry.records_read += count;
  entry.records_spooled += count;
  entry.as_of_seq = spool_->state().next_seq[static_cast<std::size_t>(wire::Lane::kMetrics)];
  unit.ledger.push_back(entry);
  unit.new_series = definitions;
  const std::size_t resent = waiting_.series.size();
  waiting_.series.insert(waiting_.series.end(), definitions.begin(), definitions.end());
  const auto committed = commit(std::move(unit), true);
  if (!committed) waiting_.series.resize(resent);
  wire::LedgerEntry& kept = ledger_entry("metrics", wire::Lane::kMetrics);
  if (committed) {
    kept = entry;
  } else {
    kept.records_read += count;
    kept.records_dropped[committed.error().code() == Errc::kLimit ? "spool_full" : "spool_error"] +=
        count;
  }
  return committed;
}

Result<void> Outbox::commit_logs(LogCommit logs) {
  CommitUnit unit;
  unit.checkpoints = std::move(logs.checkpoints);
  unit.forgotten_sources = std::move(logs.forgotten_sources);

  std::map<std::string, std::uint64_t> spooled;
  for (const auto& record : logs.records) ++spooled["log/" + record.target];
  if (!logs.records.empty()) {
    TRY_VOID(encode_split(std::move(logs.records), log_batch, cut_record, unit.batches));
  }
  const std::uint64_t first_seq =
      spool_->state().next_seq[static_cast<std::size_t>(wire::Lane::kLogs)];
  const std::uint64_t last_seq = first_seq + unit.batches.size() - 1;

  std::map<std::string, wire::LedgerEntry> entries;
  const auto entry_of = [&](const std::string& source) -> wire::LedgerEntry& {
    return entries.try_emplace(source, ledger_entry(source, wire::Lane::kLogs)).first->second;
  };
  for (const auto& [source, count] : spooled) {
    auto& entry = entry_of(source);
    entry.records_spooled += count;
    entry.as_of_seq = last_seq;
  }
  for (const auto& delta : logs.deltas) {
    auto& entry = entry_of(delta.source);
    entry.records_read += delta.records_read;
    entry.bytes_read += delta.bytes_read;
    for (const auto& [reason, count] : delta.records_dropped)
      entry.records_dropped[reason] += count;
    for (const auto& [reason, count] : delta.bytes_dropped) entry.bytes_dropped[reason] += count;
  }
  for (const auto& [source, entry] : entries) unit.ledger.push_back(entry);

  TRY_VOID(commit(std::move(unit), true));
  for (auto& [source, entry] : entries) ledger_entry(source, wire::Lane::kLogs) = std::move(entry);
  // After the commit: on a failure the caller reads again and would report them a second time.
  for (auto& event : logs.events) add_event(std::move(event));
  return {};
}

wire::LedgerEntry& Outbox::ledger_entry(const std::string& source, wire::Lane lane) {
  const LedgerKey key(source, lane);
  const auto [found, is_new] = ledger_.try_emplace(key);
  if (is_new) {
    found->second.source = source;
    found->second.lane = lane;
  }
  if (std::find(changed_.begin(), changed_.end(), key) == changed_.end()) changed_.push_back(key);
  return found->second;
}

void Outbox::report_ledger() {
  for (const auto& key : changed_) waiting_.ledger.push_back(ledger_.at(key));
  changed_.clear();
}

void Outbox::note_full(bool full) {
  if (full == spool_full_) return;
  spool_full_ = full;
  log::warning(full ? "the spool is full: logs wait in their files, metrics are dropped and counted"
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
