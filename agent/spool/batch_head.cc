#include "agent/spool/batch_head.h"

#include "agent/spool/checksum.h"
#include "protocol/sql/packed.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kChecksumBytes = 8;

}  // namespace

std::string with_checksum(std::string value) {
  sql::Packer packer;
  packer.add_number(checksum64(value));
  return value + packer.take();
}

Result<std::string> without_checksum(std::string_view bytes) {
  if (bytes.size() >= kChecksumBytes) {
    const auto value = bytes.substr(0, bytes.size() - kChecksumBytes);
    sql::Unpacker unpacker(bytes.substr(value.size()));
    TRY(const auto checksum, unpacker.next_number());
    if (checksum == checksum64(value)) return std::string(value);
  }
  return Error(Errc::kCorrupt, "a stored value does not match its checksum");
}

BatchHead head_of(const PendingBatch& batch) {
  BatchHead head;
  head.n = batch.n;
  head.first_ts_ms = batch.first_ts_ms;
  head.last_ts_ms = batch.last_ts_ms;
  head.size = static_cast<std::uint32_t>(batch.body.size());
  head.checksum = checksum64(batch.body);
  head.counts = batch.counts;
  return head;
}

std::string pack_head(const BatchHead& head) {
  sql::Packer packer;
  packer.add_number(std::uint64_t{head.n} << 32 | head.size);
  packer.add_number(static_cast<std::uint64_t>(head.first_ts_ms));
  packer.add_number(static_cast<std::uint64_t>(head.last_ts_ms));
  packer.add_number(head.checksum);
  for (const auto& count : head.counts) {
    packer.add(count.source);
    packer.add_number(count.records);
    packer.add_number(count.bytes);
  }
  return with_checksum(packer.take());
}

Result<BatchHead> unpack_head(std::string_view bytes) {
  TRY(const auto value, without_checksum(bytes));
  sql::Unpacker unpacker(value);
  BatchHead head;
  TRY(const auto sizes, unpacker.next_number());
  head.n = static_cast<std::uint32_t>(sizes >> 32);
  head.size = static_cast<std::uint32_t>(sizes);
  TRY(const auto first_ts_ms, unpacker.next_number());
  head.first_ts_ms = static_cast<std::int64_t>(first_ts_ms);
  TRY(const auto last_ts_ms, unpacker.next_number());
  head.last_ts_ms = static_cast<std::int64_t>(last_ts_ms);
  TRY(head.checksum, unpacker.next_number());
  while (!unpacker.done()) {
    SourceCount count;
    TRY(count.source, unpacker.next());
    TRY(count.records, unpacker.next_number());
    TRY(count.bytes, unpacker.next_number());
    head.counts.push_back(std::move(count));
  }
  return head;
}

bool matches(const BatchHead& head, std::string_view body) {
  return head.size == body.size() && head.checksum == checksum64(body);
}

}  // namespace observeai::agent
