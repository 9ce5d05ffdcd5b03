#include "controlplane/store/ledger.h"

#include <algorithm>
#include <map>
#include <set>

#include "controlplane/store/alerts.h"
#include "controlplane/store/partition.h"
#include "controlplane/store/partition_counts.h"
#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kUpsert =
    "INSERT INTO ledger(epoch_no, source, lane, as_of_seq, records_read, bytes_read, "
    "records_spooled,"
    " records_dropped, bytes_dropped, updated_ms) VALUES(?,?,?,?,?,?,?,?,?,?)"
    " ON CONFLICT DO UPDATE SET as_of_seq=excluded.as_of_seq, records_read=excluded.records_read,"
    " bytes_read=excluded.bytes_read, records_spooled=excluded.records_spooled,"
    " records_dropped=excluded.records_dropped, bytes_dropped=excluded.bytes_dropped,"
    " updated_ms=excluded.updated_ms"
    " WHERE excluded.as_of_seq>as_of_seq"
    " OR (excluded.as_of_seq=as_of_seq AND excluded.records_read>=records_read)";
constexpr const char* kOfEpoch =
    "SELECT source, lane, as_of_seq, records_read, bytes_read, records_spooled, records_dropped,"
    " bytes_dropped FROM ledger WHERE epoch_no=? ORDER BY source, lane";
Result<wire::LedgerEntry> entry_from(const sql::Statement& row) {
  wire::LedgerEntry entry;
  entry.source = row.string(0);
  entry.lane = static_cast<wire::Lane>(row.integer(1));
  entry.as_of_seq = row.unsigned_integer(2);
  entry.records_read = row.unsigned_integer(3);
  entry.bytes_read = row.unsigned_integer(4);
  entry.records_spooled = row.unsigned_integer(5);
  TRY(entry.records_dropped, sql::unpack_counts(row.blob(6)));
  TRY(entry.bytes_dropped, sql::unpack_counts(row.blob(7)));
  return entry;
}

void take_losses(model::LedgerRow& row, const StoredSource& source) {
  row.records_expired = source.expired;
  row.records_stored -= std::min(row.records_stored, row.records_expired);
  if (!source.lost) return;
  row.records_lost = source.lost->records;
  const auto corrupt = row.records_lost.find(kCorruptPartition);
  if (corrupt != row.records_lost.end())
    row.records_stored -= std::min(row.records_stored, corrupt->second);
  row.bytes_lost = source.lost->bytes;
}

void judge(model::LedgerRow& row, EpochState& state) {
  const wire::LedgerEntry& entry = row.entry;
  const auto found = state.stored.find(SourceKey{entry.lane, entry.source});
  std::optional<std::uint64_t> stored = 0;
  std::optional<std::uint64_t> lost = 0;
  if (found != state.stored.end()) {
    const StoredSource& source = found->second;
    stored = source.count.up_to(entry.as_of_seq);
    if (source.lost) lost = source.lost->count.up_to(entry.as_of_seq);
    row.records_stored = stored ? *stored : source.count.total();
    take_losses(row, source);
  }
  const auto lane = static_cast<std::size_t>(entry.lane);
  if (!stored || !lost || lane >= wire::kLaneCount ||
      state.lanes[lane].contiguous() < entry.as_of_seq) {
    row.verdict = model::LedgerVerdict::kPending;
  } else {
    row.verdict = *stored + *lost == entry.records_spooled ? model::LedgerVerdict::kBalanced
                                                           : model::LedgerVerdict::kGap;
  }
}

// Losses of sources that have no entry: of lane 0, of a batch that nobody could read, or before the
// first entry came.
void add_losses_without_entry(std::vector<model::LedgerRow>& rows, std::set<SourceKey> reported,
                              const EpochState& state) {
  for (const auto& [key, source] : state.stored) {
    if (!source.lost || reported.contains(key)) continue;
    model::LedgerRow row;
    row.agent = state.agent;
    row.entry.source = key.source;
    row.entry.lane = key.lane;
    row.records_stored = source.count.total();
    take_losses(row, source);
    row.verdict = model::LedgerVerdict::kBalanced;  // Nothing is said that could not be true
    rows.push_back(std::move(row));
  }
}

constexpr const char* kOpenGaps = "SELECT agent, object FROM alerts WHERE kind=?";
constexpr const char* kCloseGap = "DELETE FROM alerts WHERE kind=? AND agent=? AND object=?";
constexpr const char* kTold = "SELECT gaps_told FROM epochs WHERE no=?";
constexpr const char* kSetTold = "UPDATE epochs SET gaps_told=gaps_told|? WHERE no=?";
constexpr const char* kLaneNames[wire::kLaneCount] = {"control", "metrics", "logs", "traces"};

std::uint64_t sum_of(const std::map<std::string, std::uint64_t>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [name, count] : counts) sum += count;
  return sum;
}

using AgentLane = std::pair<std::string, std::string>;

struct EpochOf {
  std::int64_t no = 0;
  AgentId agent;
  bool is_newest = true;
};

// By lane, of the rows of one epoch.
std::map<std::size_t, model::Alert> gap_alerts(const std::vector<model::LedgerRow>& rows,
                                               const EpochOf& epoch, std::int64_t now_ms) {
  std::map<std::size_t, model::Alert> alerts;
  for (const auto& row : rows) {
    if (row.verdict != model::LedgerVerdict::kGap) continue;
    const auto lane = static_cast<std::size_t>(row.entry.lane);
    auto& alert = alerts[lane];
    if (alert.count++ > 0) continue;  // The first source is named, the others are counted
    alert.kind = epoch.is_newest ? kGapAlert : kEarlierGapAlert;
    alert.agent = row.agent;
    alert.object = kLaneNames[lane];
    alert.first_ms = alert.last_ms = now_ms;
    alert.message = row.entry.source + ": the host sent " +
                    std::to_string(row.entry.records_spooled) + " records, " +
                    std::to_string(row.records_stored + row.records_expired) + " are stored, " +
                    std::to_string(sum_of(row.records_lost)) + " are declared lost; " +
                    (epoch.is_newest ? "`observeai ledger` lists every source"
                                     : "the host has begun a newer spool since, and `observeai "
                                       "ledger` shows that one only");
  }
  return alerts;
}

// Oldest first of each agent.
std::vector<EpochOf> epochs_of(EpochBook& book, const AgentId& agent) EXCLUDES(book.mutex) {
  MutexLock lock(book.mutex);
  std::vector<EpochOf> out;
  std::map<AgentId, std::size_t> newest;  // Place in `out`
  for (const EpochState* state : book.of_agent(agent)) {
    const auto [place, is_first] = newest.try_emplace(state->agent, out.size());
    if (!is_first) {
      out[place->second].is_newest = false;
      place->second = out.size();
    }
    out.push_back({state->no, state->agent, true});
  }
  return out;
}

Result<void> add_rows(std::vector<model::LedgerRow>& rows, sql::Database& db, EpochBook& book,
                      const EpochOf& epoch) {
  std::set<SourceKey> reported;
  TRY(auto row, db.query(kOfEpoch, epoch.no));
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) break;
    model::LedgerRow out;
    out.agent = epoch.agent;
    TRY(out.entry, entry_from(row));
    MutexLock lock(book.mutex);
    auto* state = book.find(epoch.no);
    if (state == nullptr) return {};  // Forgotten meanwhile
    judge(out, *state);
    reported.insert({out.entry.lane, out.entry.source});
    rows.push_back(std::move(out));
  }
  MutexLock lock(book.mutex);
  if (const auto* state = book.find(epoch.no); state != nullptr)
    add_losses_without_entry(rows, std::move(reported), *state);
  return {};
}

Result<std::set<AgentLane>> open_gaps(sql::Database& db) {
  TRY(auto row, db.query(kOpenGaps, kGapAlert));
  std::set<AgentLane> open;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return open;
    open.emplace(row.string(0), row.string(1));
  }
}

}  // namespace

std::string log_source(const wire::Target& target) {
  return "log/" + target;
}

Result<void> upsert_ledger(sql::Database& db, std::int64_t epoch_no, const wire::LedgerEntry& entry,
                           std::int64_t now_ms) {
  TRY_VOID(db.run(kUpsert, epoch_no, entry.source, static_cast<int>(entry.lane), entry.as_of_seq,
                  entry.records_read, entry.bytes_read, entry.records_spooled,
                  sql::Blob(sql::pack(entry.records_dropped)),
                  sql::Blob(sql::pack(entry.bytes_dropped)), now_ms));
  return {};
}

void count_account(EpochBook& book, EpochState& state, wire::Lane lane, std::uint64_t seq,
                   const wire::LossNotice& account) {
  state.unsealed = true;
  const std::size_t most_recent = book.most_recent_of(state.agent);
  for (const auto& source : account.sources) {
    StoredSource& stored = book.source_of(state, {lane, source.name});
    stored.unsealed = true;
    if (account.reason == kMovedReason)
      stored.count.add(seq, source.records, most_recent);
    else
      stored.lost_count().add(seq, account.reason, source, most_recent);
  }
}

wire::LossNotice unreadable_notice(const wire::BatchHeader& header) {
  const bool metrics = header.lane == wire::Lane::kMetrics;
  return {wire::loss_reasons::kUnreadable,
          {{metrics ? kMetricsSource : wire::loss_reasons::kUnreadable, header.n, 0}}};
}

Result<std::vector<model::LedgerRow>> query_ledger(sql::Database& db, EpochBook& book,
                                                   const AgentId& agent) {
  std::vector<model::LedgerRow> rows;
  for (const auto& epoch : epochs_of(book, agent)) {
    if (!epoch.is_newest) continue;
    TRY_VOID(add_rows(rows, db, book, epoch));
  }
  return rows;
}

namespace {

struct Gaps {
  std::map<AgentLane, model::Alert> now;  // Of the newest epochs
  struct Earlier {
    std::int64_t epoch_no = 0;
    std::size_t lane = 0;
    model::Alert alert;
  };
  std::vector<Earlier> untold;
};

Result<Gaps> find_gaps(sql::Database& db, EpochBook& book, std::int64_t now_ms) {
  Gaps gaps;
  for (const auto& epoch : epochs_of(book, AgentId())) {
    std::vector<model::LedgerRow> rows;
    TRY_VOID(add_rows(rows, db, book, epoch));
    TRY(const auto told, epoch.is_newest ? Result<std::int64_t>(0) : db.scalar(0, kTold, epoch.no));
    for (auto& [lane, alert] : gap_alerts(rows, epoch, now_ms)) {
      if (epoch.is_newest)
        gaps.now[{alert.agent.value(), alert.object}] = alert;
      else if ((told >> lane & 1) == 0)
        gaps.untold.push_back({epoch.no, lane, alert});
    }
  }
  return gaps;
}

}  // namespace

Result<void> alert_gaps(StateDb& state, EpochBook& book, std::int64_t now_ms) {
  TRY(const auto gaps, state.read([&](sql::Database& db) { return find_gaps(db, book, now_ms); }));
  TRY(const auto open, state.read(open_gaps));
  const bool same = open.size() == gaps.now.size() &&
                    std::all_of(gaps.now.begin(), gaps.now.end(),
                                [&](const auto& gap) { return open.contains(gap.first); });
  if (same && gaps.untold.empty()) return {};
  return state.write([&](sql::Database& db) -> Result<void> {
    for (const auto& agent_lane : open) {
      if (gaps.now.contains(agent_lane)) continue;
      TRY_VOID(db.run(kCloseGap, kGapAlert, agent_lane.first, agent_lane.second));
    }
    for (const auto& [agent_lane, alert] : gaps.now) {
      if (open.contains(agent_lane)) continue;
      TRY_VOID(raise_alert(db, alert));
    }
    for (const auto& gap : gaps.untold) {
      TRY_VOID(raise_alert(db, gap.alert));
      TRY_VOID(db.run(kSetTold, std::int64_t{1} << gap.lane, gap.epoch_no));
    }
    return {};
  });
}

}  // namespace observeai::controlplane::store
