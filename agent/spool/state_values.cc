#include "agent/spool/state_values.h"

#include "protocol/sql/packed.h"

namespace observeai::agent {

StateKey checkpoint_key(const std::string& source) {
  return {StateKind::kCheckpoint, source};
}
StateKey ledger_key(const std::string& source) {
  return {StateKind::kLedger, source};
}
StateKey fact_key(const std::string& name) {
  return {StateKind::kFact, name};
}
StateKey series_key(std::uint32_t id) {
  return {StateKind::kSeries, std::to_string(id)};
}
StateKey forks_key() {
  return {StateKind::kForks, ""};
}

std::string pack_ledger(const wire::LedgerEntry& entry) {
  sql::Packer packer;
  packer.add_number(static_cast<std::uint64_t>(entry.lane));
  packer.add_number(entry.as_of_seq);
  packer.add_number(entry.records_read);
  packer.add_number(entry.bytes_read);
  packer.add_number(entry.records_spooled);
  packer.add(sql::pack(entry.records_dropped));
  packer.add(sql::pack(entry.bytes_dropped));
  return packer.take();
}

Result<wire::LedgerEntry> unpack_ledger(const std::string& source, std::string_view bytes) {
  sql::Unpacker unpacker(bytes);
  wire::LedgerEntry entry;
  entry.source = source;
  TRY(const auto lane, unpacker.next_number());
  entry.lane = static_cast<wire::Lane>(lane % wire::kLaneCount);
  TRY(entry.as_of_seq, unpacker.next_number());
  TRY(entry.records_read, unpacker.next_number());
  TRY(entry.bytes_read, unpacker.next_number());
  TRY(entry.records_spooled, unpacker.next_number());
  TRY(const auto records, unpacker.next());
  TRY(entry.records_dropped, sql::unpack_counts(records));
  TRY(const auto lost_bytes, unpacker.next());
  TRY(entry.bytes_dropped, sql::unpack_counts(lost_bytes));
  return entry;
}

std::string pack_series(const wire::SeriesDefinition& series) {
  sql::Packer packer;
  packer.add_number(std::uint64_t{series.id} << 32 | static_cast<std::uint32_t>(series.kind));
  packer.add(series.target);
  packer.add(series.name);
  for (const auto& label : series.labels) {
    packer.add(label.name);
    packer.add(label.value);
  }
  return packer.take();
}

Result<wire::SeriesDefinition> unpack_series(std::string_view bytes) {
  sql::Unpacker unpacker(bytes);
  wire::SeriesDefinition series;
  TRY(const auto numbers, unpacker.next_number());
  series.id = static_cast<std::uint32_t>(numbers >> 32);
  series.kind = static_cast<wire::MetricKind>(numbers & 0xFF);
  TRY(series.target, unpacker.next());
  TRY(series.name, unpacker.next());
  while (!unpacker.done()) {
    wire::Label label;
    TRY(label.name, unpacker.next());
    TRY(label.value, unpacker.next());
    series.labels.push_back(std::move(label));
  }
  return series;
}

}  // namespace observeai::agent
