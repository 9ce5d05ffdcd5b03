#include "agent/spool/rows.h"

#include "protocol/sql/packed.h"

namespace observeai::agent::rows {
namespace {

constexpr const char* kInsertSeries =
    "INSERT OR REPLACE INTO series(id, target, name, labels, kind) VALUES(?,?,?,?,?)";
constexpr const char* kAllSeries = "SELECT id, target, name, labels, kind FROM series ORDER BY id";
constexpr const char* kReplaceLedger =
    "INSERT OR REPLACE INTO ledger(source, lane, as_of_seq, records_read, bytes_read, "
    "records_spooled,"
    " records_dropped, bytes_dropped) VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kAllLedger =
    "SELECT source, lane, as_of_seq, records_read, bytes_read, records_spooled, records_dropped,"
    " bytes_dropped FROM ledger ORDER BY source, lane";

std::string pack_labels(const wire::Labels& labels) {
  sql::Packer packer;
  for (const auto& label : labels) {
    packer.add(label.name);
    packer.add(label.value);
  }
  return packer.take();
}

Result<wire::Labels> unpack_labels(std::string_view bytes) {
  wire::Labels labels;
  for (sql::Unpacker unpacker(bytes); !unpacker.done();) {
    TRY(auto name, unpacker.next());
    TRY(auto value, unpacker.next());
    labels.push_back({std::move(name), std::move(value)});
  }
  return labels;
}

}  // namespace

Result<void> insert_series(sql::Database& database, const wire::SeriesDefinition& series) {
  TRY_VOID(database.run(kInsertSeries, series.id, series.target, series.name,
                        sql::Blob(pack_labels(series.labels)), static_cast<int>(series.kind)));
  return {};
}

Result<std::vector<wire::SeriesDefinition>> all_series(sql::Database& database) {
  TRY(auto row, database.query(kAllSeries));
  std::vector<wire::SeriesDefinition> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    wire::SeriesDefinition series;
    series.id = row.integer32(0);
    series.target = row.string(1);
    series.name = row.string(2);
    TRY(series.labels, unpack_labels(row.blob(3)));
    series.kind = static_cast<wire::MetricKind>(row.integer(4));
    out.push_back(std::move(series));
  }
}

Result<void> replace_ledger(sql::Database& database, const wire::LedgerEntry& entry) {
  TRY_VOID(database.run(kReplaceLedger, entry.source, static_cast<int>(entry.lane), entry.as_of_seq,
                        entry.records_read, entry.bytes_read, entry.records_spooled,
                        sql::Blob(sql::pack(entry.records_dropped)),
                        sql::Blob(sql::pack(entry.bytes_dropped))));
  return {};
}

Result<std::vector<wire::LedgerEntry>> all_ledger(sql::Database& database) {
  TRY(auto row, database.query(kAllLedger));
  std::vector<wire::LedgerEntry> out;
  for (;;) {
    TRY(const bool more, row.step());
    if (!more) return out;
    wire::LedgerEntry entry;
    entry.source = row.string(0);
    entry.lane = static_cast<wire::Lane>(row.integer(1));
    entry.as_of_seq = row.unsigned_integer(2);
    entry.records_read = row.unsigned_integer(3);
    entry.bytes_read = row.unsigned_integer(4);
    entry.records_spooled = row.unsigned_integer(5);
    TRY(entry.records_dropped, sql::unpack_counts(row.blob(6)));
    TRY(entry.bytes_dropped, sql::unpack_counts(row.blob(7)));
    out.push_back(std::move(entry));
  }
}

}  // namespace observeai::agent::rows
