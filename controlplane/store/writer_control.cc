// Lane 0: series definitions, inventory, events, results and the loss ledger, into state.db.
#include "controlplane/store/alerts.h"
#include "controlplane/store/commands.h"
#include "controlplane/store/control_hashes.h"
#include "controlplane/store/events.h"
#include "controlplane/store/inventory.h"
#include "controlplane/store/ledger.h"
#include "controlplane/store/series.h"
#include "controlplane/store/series_use.h"
#include "controlplane/store/writer.h"

namespace observeai::controlplane::store {
namespace {

// Hashes of lane 0 kept below the cursor: an agent has fewer batches in flight. What comes later than
// that is taken for a duplicate.
constexpr std::uint64_t kKeptHashes = 1024;
constexpr std::uint64_t kForgetEvery = 256;

constexpr const char* kInsertHash =
    "INSERT INTO control_batches(epoch_no, seq, hash) VALUES(?,?,?)";
constexpr const char* kHasOrigin =
    "SELECT count(*) FROM control_origins WHERE epoch=? AND seq=? AND hash=?";
constexpr const char* kInsertOrigin =
    "INSERT OR IGNORE INTO control_origins(epoch, seq, hash, epoch_no) VALUES(?,?,?,?)";
constexpr const char* kForgetHashes = "DELETE FROM control_batches WHERE epoch_no=? AND seq<=?";
constexpr const char* kInsertWaiting =
    "INSERT INTO control_waiting(epoch_no, seq, codec, body) VALUES(?,?,?,?)";
constexpr const char* kWaiting =
    "SELECT codec, body FROM control_waiting WHERE epoch_no=? AND seq<=? ORDER BY seq";
constexpr const char* kForgetWaiting = "DELETE FROM control_waiting WHERE epoch_no=? AND seq<=?";

Result<void> alert_redefined(sql::Database& db, const AgentId& agent, std::size_t count,
                             std::int64_t now_ms) {
  model::Alert alert;
  alert.kind = "series.redefined";
  alert.agent = agent;
  alert.message = "series numbers came again under other names; the first names stay";
  alert.first_ms = alert.last_ms = now_ms;
  alert.count = count;
  return raise_alert(db, alert);
}

}  // namespace

void Writer::commit_control(std::vector<Prepared>& slice) {
  const bool any = std::any_of(slice.begin(), slice.end(),
                               [](const Prepared& p) { return p.is_undecided_control(); });
  if (!any) return;
  Cursors cursors;
  {
    MutexLock lock(book_.mutex);
    for (const auto& prepared : slice) {
      if (prepared.is_undecided_control()) {
        cursors.try_emplace(prepared.epoch_no, book_.at(prepared.epoch_no).lanes[0]);
      }
    }
  }
  std::vector<Prepared*> group;
  for (auto& prepared : slice) {
    if (prepared.is_undecided_control()) group.push_back(&prepared);
  }
  auto written =
      state_.write([&](sql::Database& db) { return store_control_group(db, slice, cursors); });
  tell_inventories();
  if (written) {
    publish_control(slice, cursors);
    return;
  }
  series_of_.clear();
  for (auto* prepared : group) prepared->outcome = Result<model::CommitOutcome>(written.error());
}

Result<void> Writer::store_control_group(sql::Database& db, std::vector<Prepared>& slice,
                                         Cursors& cursors) {
  NewSources new_sources;
  for (auto& prepared : slice) {
    if (!prepared.is_undecided_control()) continue;
    LaneCursor cursor = cursors.at(prepared.epoch_no);
    const bool lane_has_room = cursor.has_room_for(prepared.batch->header.seq);
    if (auto room = check_room(prepared, lane_has_room, new_sources); !room) {
      prepared.outcome = Result<model::CommitOutcome>(std::move(room).error());
      continue;
    }
    TRY_VOID(db.run("SAVEPOINT batch"));
    auto stored = store_control(db, prepared, cursor);
    if (stored) {
      TRY_VOID(db.run("RELEASE batch"));
      cursors.at(prepared.epoch_no) = std::move(cursor);
    } else if (const auto code = stored.error().code();
               code == Errc::kInvalid || code == Errc::kLimit) {
      // Its values do not fit into the store (a count above 2^63), or its series are too many: the
      // others must not wait for it.
      TRY_VOID(db.run("ROLLBACK TO batch"));
      TRY_VOID(db.run("RELEASE batch"));
      prepared.settles = false;
      series_of_.erase(prepared.batch->header.agent);
      stored =
          Error(code == Errc::kLimit ? Errc::kInvalid : Errc::kCorrupt, stored.error().message());
    } else {
      return std::move(stored).error();
    }
    prepared.outcome = std::move(stored);
  }
  return {};
}

Result<model::CommitOutcome> Writer::store_control(sql::Database& db, Prepared& prepared,
                                                   LaneCursor& cursor) {
  const auto& header = prepared.batch->header;
  TRY(const auto before, control_hash(db, prepared.epoch_no, header.seq));
  if (before && !prepared.loss) {
    return *before == prepared.hash ? model::CommitOutcome::kDuplicate
                                    : model::CommitOutcome::kConflict;
  }
  if (cursor.contains(header.seq)) return model::CommitOutcome::kDuplicate;
  TRY(const bool elsewhere, is_control_stored_elsewhere(db, prepared));
  cursor.add(header.seq);
  prepared.settles = true;
  prepared.is_moved_duplicate = elsewhere;
  // A loss leaves no hash: its number is settled, whatever else comes under it.
  if (!prepared.loss) {
    TRY_VOID(db.run(kInsertHash, prepared.epoch_no, header.seq, sql::Blob(prepared.hash)));
  }
  if (const auto moved = prepared.moved()) {
    TRY_VOID(db.run(kInsertOrigin, sql::Blob(moved->epoch.bytes), moved->seq,
                    sql::Blob(moved->hash), prepared.epoch_no));
  }
  if (header.seq % kForgetEvery == 0 && cursor.contiguous() > kKeptHashes) {
    TRY_VOID(db.run(kForgetHashes, prepared.epoch_no, cursor.contiguous() - kKeptHashes));
  }
  TRY_VOID(write_cursor(db, prepared.epoch_no, 0, cursor));
  if (prepared.loss) {
    TRY_VOID(store_control_loss(db, prepared));
    TRY_VOID(apply_waiting(db, header.agent, prepared.epoch_no, cursor.contiguous()));
    return model::CommitOutcome::kStored;
  }
  TRY_VOID(store_content(db, prepared, cursor));
  return elsewhere ? model::CommitOutcome::kDuplicate : model::CommitOutcome::kStored;
}

Result<bool> Writer::is_control_stored_elsewhere(sql::Database& db, const Prepared& prepared) {
  if (prepared.loss) return false;
  const auto& header = prepared.batch->header;
  const auto has = [&](const MovedContent& content) {
    return db.scalar(0, kHasOrigin, sql::Blob(content.epoch.bytes), content.seq,
                     sql::Blob(content.hash));
  };
  TRY(const auto here, has({header.epoch, header.lane, header.seq, prepared.hash}));
  if (here > 0) return true;
  const auto moved = prepared.moved();
  if (!moved) return false;
  TRY(const auto there, has(*moved));
  if (there > 0) return true;
  std::int64_t origin_no = 0;
  {
    MutexLock lock(book_.mutex);
    const auto* origin = book_.find(header.agent, moved->epoch);
    if (origin == nullptr) return false;
    origin_no = origin->no;
  }
  TRY(const auto before, control_hash(db, origin_no, moved->seq));
  return before == prepared.hash;
}

// Of content that is here under another number only the series count: they are defined for each epoch
// anew. The ledger of a moved batch speaks of the numbers of its origin; the agent repeats it.
Result<void> Writer::store_content(sql::Database& db, Prepared& prepared,
                                   const LaneCursor& cursor) {
  const auto& header = prepared.batch->header;
  const auto& control = *prepared.control;
  const std::int64_t now_ms = clock_.unix_ms();
  TRY(const auto defined, define_series(db, prepared.epoch_no, control.series, now_ms));
  TRY_VOID(check_series(db, header.agent, defined.added));
  if (!defined.redefined.empty()) {
    TRY_VOID(alert_redefined(db, header.agent, defined.redefined.size(), now_ms));
  }
  if (prepared.is_moved_duplicate) {
    return apply_waiting(db, header.agent, prepared.epoch_no, cursor.contiguous());
  }
  TRY(prepared.event_ids, insert_events(db, header.agent, control.events, now_ms));
  TRY_VOID(store_results(db, header.agent, control.results, now_ms));
  if (!header.origin) {
    for (const auto& entry : control.ledger) {
      TRY_VOID(upsert_ledger(db, prepared.epoch_no, entry, now_ms));
    }
  }
  return store_inventory(db, prepared, cursor);
}

// The rows are taken back with the batch; memory grows when it is published.
Result<void> Writer::check_series(sql::Database& db, const AgentId& agent, std::size_t added) {
  if (added == 0) return {};
  auto known = series_of_.find(agent);
  if (known == series_of_.end()) {
    TRY(const auto count, count_series(db, agent));  // With those that were added
    known = series_of_.emplace(agent, count).first;
  } else {
    known->second += added;
  }
  if (known->second <= book_.limits.series_of_agent) return {};
  return Error(Errc::kLimit, "more than " + std::to_string(book_.limits.series_of_agent) +
                                 " series of agent " + agent.value());
}

Result<void> Writer::store_control_loss(sql::Database& db, const Prepared& prepared) {
  for (const auto& source : prepared.loss->sources) {
    const SourceKey key{wire::Lane::kControl, source.name};
    TRY_VOID(add_control_loss(db, prepared.epoch_no, key, prepared.loss->reason, source));
  }
  return {};
}

// Deltas make sense in order only: one that is early waits for those before it.
Result<void> Writer::store_inventory(sql::Database& db, const Prepared& prepared,
                                     const LaneCursor& cursor) {
  const auto& header = prepared.batch->header;
  const bool in_order = header.seq <= cursor.contiguous();
  if (!in_order) {
    if (prepared.control->inventory.empty()) return {};
    TRY_VOID(db.run(kInsertWaiting, prepared.epoch_no, header.seq, static_cast<int>(header.codec),
                    sql::Blob(prepared.batch->body)));
    return {};
  }
  for (const auto& update : prepared.control->inventory) {
    changed_inventories_.insert(header.agent);
    TRY_VOID(apply_inventory(db, header.agent, update));
  }
  if (cursor.contiguous() == header.seq) return {};
  return apply_waiting(db, header.agent, prepared.epoch_no, cursor.contiguous());
}

Result<void> Writer::apply_waiting(sql::Database& db, const AgentId& agent, std::int64_t epoch_no,
                                   std::uint64_t through) {
  {
    TRY(auto row, db.query(kWaiting, epoch_no, through));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) break;
      TRY(const auto control,
          wire::decode_control(row.blob(1), static_cast<wire::Codec>(row.integer(0))));
      for (const auto& update : control.inventory) {
        changed_inventories_.insert(agent);
        TRY_VOID(apply_inventory(db, agent, update));
      }
    }
  }
  TRY_VOID(db.run(kForgetWaiting, epoch_no, through));
  return {};
}

void Writer::tell_inventories() {
  for (const auto& agent : changed_inventories_) {
    digests_.erase(agent);
    inventories_.changed(agent);
  }
  changed_inventories_.clear();
}

void Writer::publish_control(const std::vector<Prepared>& slice, const Cursors& cursors) {
  MutexLock lock(book_.mutex);
  const std::int64_t now_ms = clock_.unix_ms();
  for (const auto& [no, cursor] : cursors) book_.at(no).lanes[0] = cursor;
  for (const auto& prepared : slice) {
    if (!prepared.settles || prepared.lane() != wire::Lane::kControl) continue;
    EpochState& state = book_.at(prepared.epoch_no);
    if (prepared.moved()) book_.count_moved(prepared.batch->header.agent);
    if (prepared.loss) {
      count_account(book_, state, wire::Lane::kControl, prepared.batch->header.seq, *prepared.loss);
      continue;
    }
    for (const auto& definition : prepared.control->series) {
      const auto [place, is_new] = state.values.try_emplace(definition.id);
      if (is_new) place->second.used_day = day_of(now_ms);
    }
    if (prepared.is_moved_duplicate || prepared.batch->header.origin) continue;
    for (const auto& entry : prepared.control->ledger) {
      StoredSource& stored = book_.source_of(state, {entry.lane, entry.source});
      stored.count.settle(entry.as_of_seq);
      if (stored.lost) stored.lost->count.settle(entry.as_of_seq);
      stored.updated_ms = now_ms;
    }
  }
}

}  // namespace observeai::controlplane::store
