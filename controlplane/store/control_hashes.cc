#include "controlplane/store/control_hashes.h"

#include "protocol/sql/packed.h"

namespace observeai::controlplane::store {
namespace {

constexpr const char* kFindHash = "SELECT hash FROM control_batches WHERE epoch_no=? AND seq=?";
constexpr const char* kFindLost =
    "SELECT records, bytes FROM lost WHERE epoch_no=? AND source=? AND lane=?";

}  // namespace

Result<std::optional<ContentHash>> control_hash(sql::Database& db, std::int64_t epoch_no,
                                                std::uint64_t seq) {
  TRY(auto row, db.query(kFindHash, epoch_no, seq));
  TRY(const bool found, row.step());
  if (!found) return std::optional<ContentHash>();
  TRY(const auto hash, hash_from(row.blob(0)));
  return std::optional<ContentHash>(hash);
}

// Lane 0 has no ledger entries that ask "up to which number": one sum is enough.
Result<void> add_control_loss(sql::Database& db, std::int64_t epoch_no, const SourceKey& key,
                              const std::string& reason, const wire::LossNotice::Source& source) {
  LostCount lost;
  {
    TRY(auto row, db.query(kFindLost, epoch_no, key.source, static_cast<int>(key.lane)));
    TRY(const bool found, row.step());
    if (found) {
      TRY(lost.records, sql::unpack_counts(row.blob(0)));
      TRY(lost.bytes, sql::unpack_counts(row.blob(1)));
    }
  }
  std::uint64_t before = 0;
  for (const auto& [name, records] : lost.records) before += records;
  lost.count.settle(UINT64_MAX);
  lost.count.add(0, before);
  lost.add(0, reason, source);
  return write_lost(db, epoch_no, key, lost);
}

}  // namespace observeai::controlplane::store
