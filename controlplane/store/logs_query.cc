// Reader::logs: the index says which chunks, only those are decoded.
#include <limits>

#include "controlplane/store/events.h"
#include "controlplane/store/reader.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane::store {
namespace {

// Of one answer, whatever the caller asks for; reached, the answer has fewer rows.
constexpr std::size_t kMaxRows = 100'000;
constexpr std::size_t kMaxBytes = 64U << 20;

constexpr const char* kChunksOfTarget =
    "SELECT i.chunk, i.first_ns, i.last_ns FROM log_index i JOIN targets t ON t.no=i.target_no"
    " WHERE i.epoch_no=?1 AND t.target=?5 AND i.last_ns>=?2 AND i.first_ns<?3 AND i.chunk>=?4";
constexpr const char* kChunks =
    "SELECT chunk, min(first_ns), max(last_ns) FROM log_index"
    " WHERE epoch_no=?1 AND last_ns>=?2 AND first_ns<?3 AND chunk>=?4 GROUP BY chunk";
constexpr const char* kChunkBody = "SELECT codec, body FROM log_chunks WHERE no=?";

constexpr std::int64_t kNsPerMs = 1'000'000;

std::int64_t ns_from_ms(std::int64_t ms) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max() / kNsPerMs - 1;
  return std::clamp(ms, -kMost, kMost) * kNsPerMs;
}

struct ChunkRef {
  std::int64_t chunk = 0;
  std::int64_t first_ns = 0;
  std::int64_t last_ns = 0;
  const AgentId* agent = nullptr;
};

// By time, then by arrival.
struct RowKey {
  std::int64_t ts_ns = 0;
  model::LogPosition position;
  auto operator<=>(const RowKey&) const = default;
};

// Keeps the wanted end of everything offered.
class LogCollector {
 public:
  explicit LogCollector(const model::LogQuery& query)
      : query_(query),
        limit_(std::min(query.limit, kMaxRows)),
        since_ns_(ns_from_ms(query.range.since_ms)),
        until_ns_(ns_from_ms(end_of(query.range))) {}

  std::int64_t since_ns() const { return since_ns_; }
  std::int64_t until_ns() const { return until_ns_; }

  // Batches below this one arrived too early; nullopt when that is true of the whole partition.
  std::optional<std::uint64_t> first_batch(const Partition& partition) const {
    if (!query_.after || partition.start_ms() > query_.after->partition_ms) return 0;
    if (partition.start_ms() < query_.after->partition_ms) return std::nullopt;
    return query_.after->batch;
  }

  // False when nothing between these times can be in the answer any more.
  bool may_hold(std::int64_t first_ns, std::int64_t last_ns) const {
    if (limit_ == 0) return false;
    if (!is_full()) return true;
    return query_.newest ? last_ns >= rows_.begin()->first.ts_ns
                         : first_ns <= std::prev(rows_.end())->first.ts_ns;
  }

  void offer(const RowKey& key, const AgentId& agent, wire::LogRecord& record) {
    if (!matches(record) || (query_.after && key.position <= *query_.after)) return;
    bytes_ += bytes_of(record);
    rows_.emplace(key, model::LogRow{agent, std::move(record), key.position});
    while (rows_.size() > limit_ || (bytes_ > kMaxBytes && rows_.size() > 1)) {
      const auto worst = query_.newest ? rows_.begin() : std::prev(rows_.end());
      bytes_ -= bytes_of(worst->second.record);
      rows_.erase(worst);
      cut_ = true;
    }
  }

  std::vector<model::LogRow> take() {
    std::vector<model::LogRow> out;
    out.reserve(rows_.size());
    for (auto& [key, row] : rows_) out.push_back(std::move(row));
    return out;
  }

 private:
  bool is_full() const { return cut_ || rows_.size() >= limit_; }
  static std::size_t bytes_of(const wire::LogRecord& record) {
    return sizeof(model::LogRow) + record.text.size() + record.target.size();
  }
  bool matches(const wire::LogRecord& record) const {
    return record.ts_ns >= since_ns_ && record.ts_ns < until_ns_ &&
           (query_.target.empty() || record.target == query_.target) &&
           (!query_.stream || record.stream == *query_.stream) &&
           (query_.grep.empty() || record.text.find(query_.grep) != std::string::npos);
  }

  const model::LogQuery& query_;
  const std::size_t limit_;
  const std::int64_t since_ns_;
  const std::int64_t until_ns_;
  std::map<RowKey, model::LogRow> rows_;
  std::size_t bytes_ = 0;
  bool cut_ = false;
};

Result<void> find_chunks(sql::Database& db, const model::LogQuery& query,
                         const LogCollector& collector, std::uint64_t first_batch,
                         std::int64_t epoch_no, const AgentId& agent,
                         std::vector<ChunkRef>& chunks) {
  TRY(auto row, db.prepare(query.target.empty() ? kChunks : kChunksOfTarget));
  row.bind(1, epoch_no);
  row.bind(2, collector.since_ns());
  row.bind(3, collector.until_ns());
  row.bind(4, first_batch);
  if (!query.target.empty()) row.bind(5, query.target);
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return {};
    chunks.push_back({row.integer(0), row.integer(1), row.integer(2), &agent});
  }
}

}  // namespace

Result<std::vector<model::LogRow>> Reader::logs(const model::LogQuery& query) {
  const auto epochs = epochs_of(query.agent);
  LogCollector collector(query);
  const auto visit = [&](sql::Database& db, const Partition& partition) -> Result<void> {
    const auto bounds = partition.bounds();
    if (!collector.may_hold(ns_from_ms(bounds.first_ms), ns_from_ms(bounds.last_ms) + kNsPerMs))
      return {};
    const auto first_batch = collector.first_batch(partition);
    if (!first_batch) return {};
    std::vector<ChunkRef> chunks;
    for (const auto& epoch : epochs) {
      TRY_VOID(find_chunks(db, query, collector, *first_batch, epoch.no, epoch.agent, chunks));
    }
    std::sort(chunks.begin(), chunks.end(), [&](const ChunkRef& a, const ChunkRef& b) {
      return query.newest ? a.last_ns > b.last_ns : a.first_ns < b.first_ns;
    });
    for (const auto& ref : chunks) {
      if (!collector.may_hold(ref.first_ns, ref.last_ns)) break;
      TRY(auto row, db.query(kChunkBody, ref.chunk));
      TRY(const bool found, row.step());
      if (!found) continue;
      auto logs = wire::decode_logs(row.blob(1), static_cast<wire::Codec>(row.integer(0)));
      if (!logs) {
        unreadable_chunk(partition, logs.error());
        continue;
      }
      for (std::size_t i = 0; i < logs->records.size(); ++i) {
        auto& record = logs->records[i];
        const model::LogPosition position{partition.start_ms(),
                                          static_cast<std::uint64_t>(ref.chunk),
                                          static_cast<std::uint32_t>(i)};
        collector.offer({record.ts_ns, position}, *ref.agent, record);
      }
    }
    return {};
  };
  TRY_VOID(each_partition(query.range, query.newest, visit));
  return collector.take();
}

}  // namespace observeai::controlplane::store
