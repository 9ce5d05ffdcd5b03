#include "controlplane/store/epoch_book.h"

#include "controlplane/store/ids.h"
#include "controlplane/store/partition_counts.h"
#include "protocol/base/check.h"
#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kInsertEpoch = "INSERT INTO epochs(agent, epoch, first_ms) VALUES(?,?,?)";
constexpr const char* kAllEpochs = "SELECT no, agent, epoch FROM epochs ORDER BY no";
constexpr const char* kAllCursors = "SELECT epoch_no, lane, contiguous, ahead FROM cursors";
constexpr const char* kAllStored =
    "SELECT epoch_no, source, lane, total, merged_through, recent, updated_ms, expired FROM stored";
constexpr const char* kAllLost =
    "SELECT epoch_no, source, lane, total, merged_through, recent, records, bytes FROM lost";
constexpr const char* kAllSettled =
    "SELECT epoch_no, source, lane, as_of_seq, updated_ms FROM ledger";
constexpr const char* kWriteCursor =
    "INSERT OR REPLACE INTO cursors(epoch_no, lane, contiguous, ahead) VALUES(?,?,?,?)";
constexpr const char* kWriteStored =
    "INSERT OR REPLACE INTO stored(epoch_no, source, lane, total, merged_through, recent, "
    "updated_ms, expired)"
    " VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kWriteLost =
    "INSERT OR REPLACE INTO lost(epoch_no, source, lane, total, merged_through, recent, records, "
    "bytes)"
    " VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kForgetLedger = "DELETE FROM ledger WHERE epoch_no=? AND source=? AND lane=?";
constexpr const char* kForgetStored = "DELETE FROM stored WHERE epoch_no=? AND source=? AND lane=?";
constexpr const char* kForgetLost = "DELETE FROM lost WHERE epoch_no=? AND source=? AND lane=?";
constexpr const char* kWriteSealing = "UPDATE sealing SET sealed_through=?";

// Batches kept one by one: 16 bytes each, all sources of an agent together.
constexpr std::size_t kRecentOfAgent = 1U << 20;
constexpr std::size_t kLeastRecent = 16;

Error broken(const char* what) {
  return Error(Errc::kCorrupt,
               std::string("state.db: ") + what + " of an epoch or lane that is none");
}

}  // namespace

void LostCount::add(std::uint64_t seq, const std::string& reason,
                    const wire::LossNotice::Source& source, std::size_t most_recent) {
  count.add(seq, source.records, most_recent);
  const bool fits = records.size() < kMaxReasons || records.contains(reason);
  const std::string under = fits ? reason : kOtherReasons;
  records[under] += source.records;
  if (source.bytes > 0) bytes[under] += source.bytes;
}

LostCount& StoredSource::lost_count() {
  if (!lost) lost = std::make_unique<LostCount>();
  return *lost;
}

void StoredSource::add_stored(std::uint64_t seq, std::uint64_t records, std::size_t most_recent) {
  count.add(seq, records, most_recent);
  in_open += records;
  unsealed = true;
}

Result<void> write_lost(sql::Database& db, std::int64_t epoch_no, const SourceKey& key,
                        const LostCount& lost) {
  TRY_VOID(db.run(kWriteLost, epoch_no, key.source, static_cast<int>(key.lane), lost.count.total(),
                  lost.count.merged_through(), sql::Blob(lost.count.pack_recent()),
                  sql::Blob(sql::pack(lost.records)), sql::Blob(sql::pack(lost.bytes))));
  return {};
}

Result<void> write_cursor(sql::Database& db, std::int64_t epoch_no, std::size_t lane,
                          const LaneCursor& cursor) {
  TRY_VOID(
      db.run(kWriteCursor, epoch_no, lane, cursor.contiguous(), sql::Blob(cursor.pack_ahead())));
  return {};
}

void LastValue::take(std::int64_t sample_ms, double sample) {
  const auto age = [](std::int64_t older, std::int64_t newer) {  // Any two times of any agent
    return static_cast<std::uint64_t>(newer) - static_cast<std::uint64_t>(older);
  };
  if (!has_value() || sample_ms == ts_ms) {
    ts_ms = sample_ms;
    value = sample;
  } else if (sample_ms > ts_ms) {
    set_before(age(ts_ms, sample_ms), value);
    ts_ms = sample_ms;
    value = sample;
  } else if (before_age_ms == 0 || age(sample_ms, ts_ms) <= before_age_ms) {
    set_before(age(sample_ms, ts_ms), sample);
  }
}

void LastValue::set_before(std::uint64_t age_ms, double sample) {
  before_age_ms =
      age_ms <= std::numeric_limits<std::uint32_t>::max() ? static_cast<std::uint32_t>(age_ms) : 0;
  before = sample;
}

void LastValue::merge(const LastValue& other) {
  used_day = std::max(used_day, other.used_day);
  if (!other.has_value()) return;
  const LastValue mine = *this;
  if (other.before_age_ms != 0) take(other.ts_ms - other.before_age_ms, other.before);
  take(other.ts_ms, other.value);
  // What was here came by a commit and stays, at equal times.
  if (mine.ts_ms == ts_ms) value = mine.value;
}

EpochState* EpochBook::newest_of(const AgentId& agent) {
  const auto all = of_agent(agent);
  return all.empty() ? nullptr : all.back();
}

EpochState* EpochBook::find(const AgentId& agent, const Epoch& epoch) {
  const auto found = by_key_.find({agent, epoch});
  return found == by_key_.end() ? nullptr : found->second;
}

EpochState* EpochBook::find(std::int64_t no) {
  const auto found = by_no_.find(no);
  return found == by_no_.end() ? nullptr : found->second.get();
}

EpochState& EpochBook::at(std::int64_t no) {
  const auto found = by_no_.find(no);
  CHECK(found != by_no_.end());
  return *found->second;
}

std::vector<EpochState*> EpochBook::of_agent(const AgentId& agent) {
  std::vector<EpochState*> out;
  if (agent.empty()) {
    for (const auto& [no, state] : by_no_) out.push_back(state.get());
    return out;
  }
  for (auto at = by_key_.lower_bound({agent, Epoch{}});
       at != by_key_.end() && at->first.first == agent; ++at) {
    out.push_back(at->second);
  }
  std::sort(out.begin(), out.end(), [](const auto* a, const auto* b) { return a->no < b->no; });
  return out;
}

std::size_t EpochBook::epochs_of(const AgentId& agent) {
  std::size_t count = 0;
  for (auto at = by_key_.lower_bound({agent, Epoch{}});
       at != by_key_.end() && at->first.first == agent; ++at) {
    ++count;
  }
  return count;
}

std::size_t EpochBook::sources_of(const AgentId& agent) {
  std::size_t count = 0;
  for (auto at = by_key_.lower_bound({agent, Epoch{}});
       at != by_key_.end() && at->first.first == agent; ++at) {
    count += at->second->stored.size();
  }
  return count;
}

StoredSource& EpochBook::source_of(EpochState& state, const SourceKey& key) {
  const auto found = state.stored.find(key);
  if (found != state.stored.end()) return found->second;
  const bool fits = sources_of(state.agent) < limits.sources_of_agent;
  return state.stored[fits ? key : SourceKey{key.lane, kOtherSources}];
}

std::size_t EpochBook::most_recent_of(const AgentId& agent) {
  const std::size_t sources = std::max<std::size_t>(sources_of(agent), 1);
  return std::clamp(kRecentOfAgent / sources, kLeastRecent, StoredCount::kMaxRecent);
}

Result<std::int64_t> EpochBook::insert(sql::Database& db, const AgentId& agent, const Epoch& epoch,
                                       std::int64_t now_ms) {
  TRY_VOID(db.run(kInsertEpoch, agent.value(), sql::Blob(epoch.bytes), now_ms));
  return db.last_insert_rowid();
}

void EpochBook::adopt(std::int64_t no, const AgentId& agent, const Epoch& epoch) {
  auto state = std::make_unique<EpochState>();
  state->no = no;
  state->agent = agent;
  state->epoch = epoch;
  by_key_[{agent, epoch}] = state.get();
  by_no_[no] = std::move(state);
}

void EpochBook::forget(std::int64_t no) {
  const auto found = by_no_.find(no);
  if (found == by_no_.end()) return;
  by_key_.erase({found->second->agent, found->second->epoch});
  by_no_.erase(found);
}

Result<void> EpochBook::load(StateDb& state) {
  return state.read([this](sql::Database& db) -> Result<void> {
    MutexLock lock(mutex);
    TRY_VOID(load_epochs(db));
    TRY_VOID(load_cursors(db));
    TRY_VOID(load_lost(db));
    return load_stored(db);
  });
}

Result<void> EpochBook::load_epochs(sql::Database& db) {
  TRY(auto row, db.query(kAllEpochs));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    TRY(const auto agent, id_from<AgentId>(row.text(1)));
    TRY(const auto epoch, epoch_from(row.blob(2)));
    adopt(row.integer(0), agent, epoch);
  }
}

Result<void> EpochBook::load_cursors(sql::Database& db) {
  TRY(auto row, db.query(kAllCursors));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    const auto found = by_no_.find(row.integer(0));
    const std::uint64_t lane = row.unsigned_integer(1);
    if (found == by_no_.end() || lane >= wire::kLaneCount) return broken("a cursor");
    TRY(found->second->lanes[lane], LaneCursor::unpack(row.unsigned_integer(2), row.blob(3)));
  }
}

Result<void> EpochBook::load_stored(sql::Database& db) {
  {
    TRY(auto row, db.query(kAllStored));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) break;
      const auto found = by_no_.find(row.integer(0));
      if (found == by_no_.end()) return broken("a count");
      const SourceKey key{static_cast<wire::Lane>(row.integer(2)), row.string(1)};
      StoredSource& stored = found->second->stored[key];
      TRY(stored.count,
          StoredCount::unpack(row.unsigned_integer(3), row.unsigned_integer(4), row.blob(5)));
      stored.updated_ms = row.integer(6);
      stored.expired = row.unsigned_integer(7);
    }
  }
  TRY(auto row, db.query(kAllSettled));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    const auto found = by_no_.find(row.integer(0));
    if (found == by_no_.end()) return broken("a ledger entry");
    const SourceKey key{static_cast<wire::Lane>(row.integer(2)), row.string(1)};
    StoredSource& stored = found->second->stored[key];
    stored.count.settle(row.unsigned_integer(3));
    if (stored.lost) stored.lost->count.settle(row.unsigned_integer(3));
    stored.updated_ms = std::max(stored.updated_ms, row.integer(4));
  }
}

Result<void> EpochBook::load_lost(sql::Database& db) {
  TRY(auto row, db.query(kAllLost));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    const auto found = by_no_.find(row.integer(0));
    if (found == by_no_.end()) return broken("a loss");
    const SourceKey key{static_cast<wire::Lane>(row.integer(2)), row.string(1)};
    LostCount& lost = found->second->stored[key].lost_count();
    TRY(lost.count,
        StoredCount::unpack(row.unsigned_integer(3), row.unsigned_integer(4), row.blob(5)));
    TRY(lost.records, sql::unpack_counts(row.blob(6)));
    TRY(lost.bytes, sql::unpack_counts(row.blob(7)));
  }
}

Result<void> EpochBook::write_unsealed(sql::Database& db, std::int64_t sealed_through,
                                       std::int64_t now_ms) {
  MutexLock lock(mutex);
  PartitionCounts held;
  for (const auto& [no, state] : by_no_) {
    if (!state->unsealed) continue;
    for (std::size_t lane = 1; lane < wire::kLaneCount; ++lane) {
      TRY_VOID(write_cursor(db, no, lane, state->lanes[lane]));
    }
    for (const auto& [key, stored] : state->stored) {
      if (!stored.unsealed) continue;
      held.add(no, key, stored.in_open);
      TRY_VOID(db.run(kWriteStored, no, key.source, static_cast<int>(key.lane),
                      stored.count.total(), stored.count.merged_through(),
                      sql::Blob(stored.count.pack_recent()), now_ms, stored.expired));
      if (stored.lost) {
        TRY_VOID(write_lost(db, no, key, *stored.lost));
      }
    }
  }
  TRY_VOID(held.write(db, sealed_through));
  TRY_VOID(db.run(kWriteSealing, sealed_through));
  return {};
}

void EpochBook::mark_sealed(std::int64_t now_ms) {
  MutexLock lock(mutex);
  for (const auto& [no, state] : by_no_) {
    if (!state->unsealed) continue;
    state->unsealed = false;
    for (auto& [key, stored] : state->stored) {
      if (stored.unsealed) stored.updated_ms = now_ms;
      stored.unsealed = false;
      stored.in_open = 0;
    }
  }
}

void EpochBook::lose_open() {
  MutexLock lock(mutex);
  for (const auto& [no, state] : by_no_) {
    for (auto& [key, stored] : state->stored) {
      if (stored.in_open == 0) continue;
      stored.lost_count().records[kCorruptPartition] += std::exchange(stored.in_open, 0);
    }
  }
}

Result<void> EpochBook::forget_sources(StateDb& state, std::int64_t before_ms) {
  std::vector<std::pair<std::int64_t, SourceKey>> gone;
  {
    MutexLock lock(mutex);
    for (const auto& [no, epoch] : by_no_) {
      for (const auto& [key, stored] : epoch->stored) {
        if (!stored.unsealed && stored.updated_ms < before_ms) gone.emplace_back(no, key);
      }
    }
  }
  if (gone.empty()) return {};
  TRY_VOID(state.write([&](sql::Database& db) -> Result<void> {
    for (const auto& [no, key] : gone) {
      TRY_VOID(db.run(kForgetLedger, no, key.source, static_cast<int>(key.lane)));
      TRY_VOID(db.run(kForgetStored, no, key.source, static_cast<int>(key.lane)));
      TRY_VOID(db.run(kForgetLost, no, key.source, static_cast<int>(key.lane)));
    }
    return {};
  }));
  MutexLock lock(mutex);
  for (const auto& [no, key] : gone) at(no).stored.erase(key);
  return {};
}

}  // namespace observeai::controlplane::store
