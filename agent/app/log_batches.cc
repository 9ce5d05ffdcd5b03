#include "agent/app/log_batches.h"

#include <algorithm>
#include <utility>

#include "agent/app/encode_split.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::agent {
namespace {

constexpr std::size_t kShortestCut = 64U << 10;  // A lone record is halved no further than this

// Leaves the records as they are: lent to the codec, for copying them costs as much as packing.
Result<PendingBatch> log_batch(std::vector<wire::LogRecord>& records) {
  wire::LogBatch batch{std::move(records)};
  auto packed = wire::encode_logs(batch);
  records = std::move(batch.records);
  TRY(auto body, std::move(packed));
  PendingBatch pending;
  pending.lane = wire::Lane::kLogs;
  pending.n = static_cast<std::uint32_t>(records.size());
  pending.first_ts_ms = pending.last_ts_ms = records.front().ts_ns / 1'000'000;
  for (const auto& record : records) {
    pending.first_ts_ms = std::min(pending.first_ts_ms, record.ts_ns / 1'000'000);
    pending.last_ts_ms = std::max(pending.last_ts_ms, record.ts_ns / 1'000'000);
  }
  pending.body = std::move(body);
  for (const auto& [source, count] : count_by_source(records))
    pending.counts.push_back({source, count.records, count.bytes});
  return pending;
}

// A line that does not fit a message even alone (it hardly compresses) is cut, and says so.
bool cut_record(std::vector<wire::LogRecord>& one) {
  wire::LogRecord& record = one.front();
  if (record.text.size() <= kShortestCut) return false;
  if (record.original_bytes == 0) record.original_bytes = record.text.size();
  record.flags |= wire::log_flags::kTruncated;
  record.text.resize(record.text.size() / 2);
  return true;
}

}  // namespace

std::map<std::string, SourceCount> count_by_source(const std::vector<wire::LogRecord>& records) {
  std::map<std::string, SourceCount> counts;
  const wire::Target* last = nullptr;
  SourceCount* count = nullptr;
  for (const auto& record : records) {  // As a rule one source's records stand together
    if (last == nullptr || record.target != *last) {
      last = &record.target;
      count = &counts["log/" + record.target];
    }
    ++count->records;
    count->bytes += record.original_bytes != 0 ? record.original_bytes : record.text.size();
  }
  return counts;
}

Result<void> add_log_batches(std::vector<wire::LogRecord>& records, const RefuseRecord& refuse,
                             std::vector<PendingBatch>& out) {
  return encode_split(records, log_batch, cut_record, refuse, out);
}

}  // namespace observeai::agent
