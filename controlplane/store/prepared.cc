#include "controlplane/store/prepared.h"

#include <map>

#include "protocol/signing/sealing.h"

namespace observeai::controlplane::store {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

std::int64_t floor_ms(std::int64_t ns) {
  return ns / kNsPerMs - (ns % kNsPerMs < 0 ? 1 : 0);
}

void sum_up(Prepared& out, const wire::SampleBatch& samples) {
  for (const auto& scrape : samples.scrapes) {
    out.n += scrape.series.size();
    out.bounds.include(scrape.ts_ms, scrape.ts_ms);
  }
  out.memory_bytes = out.n * (sizeof(double) + sizeof(std::uint32_t));
}

void sum_up(Prepared& out, const wire::LogBatch& logs) {
  std::map<std::string_view, LogSpan> spans;
  for (const auto& record : logs.records) {
    LogSpan& span = spans[record.target];
    span.first_ns = std::min(span.first_ns, record.ts_ns);
    span.last_ns = std::max(span.last_ns, record.ts_ns);
    ++span.n;
    out.bounds.include(floor_ms(record.ts_ns), floor_ms(record.ts_ns));
    out.memory_bytes += sizeof(record) + record.target.size() + record.text.size();
  }
  for (auto& [target, span] : spans) {
    span.target = target;
    out.spans.push_back(std::move(span));
  }
  out.n = logs.records.size();
}

Result<void> check_key(const wire::BatchHeader& header) {
  if (header.seq == 0 || header.seq > static_cast<std::uint64_t>(INT64_MAX)) {
    return Error(Errc::kCorrupt, "batch number out of range");
  }
  if (header.agent.empty()) return Error(Errc::kCorrupt, "batch without an agent");
  return {};
}

Error foreign_lane() {
  return Error(Errc::kInvalid, "this store takes lanes 0 to 2");
}

void set_hash(Prepared& out, const wire::Batch& batch) {
  const auto digest = signing::sha256(batch.body);
  std::copy_n(digest.begin(), out.hash.size(), out.hash.begin());
}

Result<void> decode(Prepared& out, const wire::Batch& batch) {
  const auto& header = batch.header;
  TRY_VOID(check_key(header));
  switch (header.lane) {
    case wire::Lane::kControl: {
      TRY(out.control, wire::decode_control(batch.body, header.codec));
      out.memory_bytes = 8 * batch.body.size();
      return {};
    }
    case wire::Lane::kMetrics: {
      TRY(out.samples, wire::decode_samples(batch.body, header.codec));
      sum_up(out, *out.samples);
      return {};
    }
    case wire::Lane::kLogs: {
      TRY(out.logs, wire::decode_logs(batch.body, header.codec));
      sum_up(out, *out.logs);
      return {};
    }
    default:
      return foreign_lane();
  }
}

}  // namespace

Prepared prepare(const wire::Batch& batch) {
  Prepared out;
  out.batch = &batch;
  if (auto decoded = decode(out, batch); !decoded) {
    out.outcome = Result<model::CommitOutcome>(std::move(decoded).error());
    return out;
  }
  set_hash(out, batch);
  return out;
}

Prepared prepare_empty(const wire::Batch& batch) {
  Prepared out;
  out.batch = &batch;
  set_hash(out, batch);
  if (auto key = check_key(batch.header); !key) {
    out.outcome = Result<model::CommitOutcome>(std::move(key).error());
    return out;
  }
  switch (batch.header.lane) {
    case wire::Lane::kControl:
      out.control.emplace();
      break;
    case wire::Lane::kMetrics:
      out.samples.emplace();
      break;
    case wire::Lane::kLogs:
      out.logs.emplace();
      break;
    default:
      out.outcome = Result<model::CommitOutcome>(foreign_lane());
  }
  return out;
}

}  // namespace observeai::controlplane::store
