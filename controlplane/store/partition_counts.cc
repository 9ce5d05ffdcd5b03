#include "controlplane/store/partition_counts.h"

#include <map>

#include "protocol/signing/sealing.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kWrite =
    "INSERT OR REPLACE INTO partition_counts(start_ms, counts) VALUES(?,?)";
constexpr const char* kRead = "SELECT counts FROM partition_counts WHERE start_ms=?";
constexpr const char* kForget = "DELETE FROM partition_counts WHERE start_ms=?";
constexpr const char* kAll = "SELECT start_ms FROM partition_counts ORDER BY start_ms";
constexpr const char* kAddExpired =
    "UPDATE stored SET expired=expired+? WHERE epoch_no=? AND source=? AND lane=?";
constexpr const char* kFindLost =
    "SELECT records FROM lost WHERE epoch_no=? AND source=? AND lane=?";
constexpr const char* kSetLost =
    "INSERT INTO lost(epoch_no, source, lane, total, merged_through, recent, records, bytes)"
    " VALUES(?,?,?,0,0,x'',?,x'') ON CONFLICT DO UPDATE SET records=excluded.records";

struct Held {
  std::int64_t epoch_no = 0;
  SourceKey key;
  std::uint64_t records = 0;
};

using Marks = std::map<std::pair<wire::Lane, std::uint64_t>, SourceKey>;

Marks marks_of(EpochBook& book, std::int64_t epoch_no) EXCLUDES(book.mutex) {
  Marks marks;
  MutexLock lock(book.mutex);
  const auto* state = book.find(epoch_no);
  if (state == nullptr) return marks;
  for (const auto& [key, stored] : state->stored) {
    marks[{key.lane, source_mark(key.source)}] = key;
  }
  return marks;
}

// Sources that are forgotten by now are left out.
Result<std::vector<Held>> read_row(sql::Database& db, EpochBook& book, std::int64_t start_ms) {
  std::vector<Held> out;
  TRY(auto row, db.query(kRead, start_ms));
  TRY(const bool found, row.step());
  if (!found) return out;
  std::map<std::int64_t, Marks> marks;
  for (sql::Unpacker unpacker(row.blob(0)); !unpacker.done();) {
    TRY(const auto epoch_no, unpacker.next_number());
    TRY(const auto lane, unpacker.next_number());
    TRY(const auto mark, unpacker.next_number());
    TRY(const auto records, unpacker.next_number());
    const auto no = static_cast<std::int64_t>(epoch_no);
    if (!marks.contains(no)) marks[no] = marks_of(book, no);
    const auto key = marks[no].find({static_cast<wire::Lane>(lane), mark});
    if (key != marks[no].end()) out.push_back({no, key->second, records});
  }
  return out;
}

// The row is of the last sealing and so may be behind the book: only the reason is written.
Result<void> write_corrupt(sql::Database& db, const Held& held) {
  const int lane = static_cast<int>(held.key.lane);
  std::map<std::string, std::uint64_t> records;
  {
    TRY(auto row, db.query(kFindLost, held.epoch_no, held.key.source, lane));
    TRY(const bool found, row.step());
    if (found) {
      TRY(records, sql::unpack_counts(row.blob(0)));
    }
  }
  records[kCorruptPartition] += held.records;
  TRY_VOID(db.run(kSetLost, held.epoch_no, held.key.source, lane, sql::Blob(sql::pack(records))));
  return {};
}

}  // namespace

std::uint64_t source_mark(const std::string& source) {
  const auto digest = signing::sha256(source);
  std::uint64_t mark = 0;
  for (std::size_t i = 0; i < sizeof(mark); ++i) mark = mark << 8 | digest[i];
  return mark;
}

void PartitionCounts::add(std::int64_t epoch_no, const SourceKey& key, std::uint64_t records) {
  if (records == 0) return;
  packed_.add_number(static_cast<std::uint64_t>(epoch_no));
  packed_.add_number(static_cast<std::uint64_t>(key.lane));
  packed_.add_number(source_mark(key.source));
  packed_.add_number(records);
}

Result<void> PartitionCounts::write(sql::Database& db, std::int64_t start_ms) {
  TRY_VOID(db.run(kWrite, start_ms, sql::Blob(std::string_view(packed_.take()))));
  return {};
}

Result<void> count_gone(StateDb& state, EpochBook& book, std::int64_t start_ms, Gone how,
                        const std::function<Result<void>(sql::Database&)>& also) {
  std::vector<Held> all;
  TRY_VOID(state.write([&](sql::Database& db) -> Result<void> {
    TRY(all, read_row(db, book, start_ms));
    for (const auto& held : all) {
      if (how == Gone::kCorrupt) {
        TRY_VOID(write_corrupt(db, held));
      } else {
        TRY_VOID(db.run(kAddExpired, held.records, held.epoch_no, held.key.source,
                        static_cast<int>(held.key.lane)));
      }
    }
    TRY_VOID(db.run(kForget, start_ms));
    if (also) {
      TRY_VOID(also(db));
    }
    return {};
  }));
  MutexLock lock(book.mutex);
  for (const auto& held : all) {
    auto* epoch = book.find(held.epoch_no);
    if (epoch == nullptr) continue;
    const auto found = epoch->stored.find(held.key);
    if (found == epoch->stored.end()) continue;
    if (how == Gone::kExpired) {
      found->second.expired += held.records;
      continue;
    }
    found->second.lost_count().records[kCorruptPartition] += held.records;
    // A sealing meanwhile may have written what was there before.
    epoch->unsealed = found->second.unsealed = true;
  }
  return {};
}

Result<std::vector<std::int64_t>> counted_partitions(StateDb& state) {
  return state.read([](sql::Database& db) -> Result<std::vector<std::int64_t>> {
    std::vector<std::int64_t> starts;
    TRY(auto row, db.query(kAll));
    for (;;) {
      TRY(const bool more, row.step());
      if (!more) return starts;
      starts.push_back(row.integer(0));
    }
  });
}

}  // namespace observeai::controlplane::store
