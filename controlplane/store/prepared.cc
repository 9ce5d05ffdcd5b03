#include "controlplane/store/prepared.h"

#include <map>

#include "controlplane/store/ledger.h"
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
  if (header.lane > wire::Lane::kLogs) return foreign_lane();
  if (header.codec == wire::Codec::kLost) {
    TRY(out.loss, wire::decode_loss(batch.body));
    out.memory_bytes = 2 * batch.body.size();
    return {};
  }
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
  if (!out.loss) set_hash(out, batch);
  return out;
}

Prepared prepare_unreadable(const wire::Batch& batch) {
  Prepared out;
  out.batch = &batch;
  auto key = check_key(batch.header);
  if (key && batch.header.lane > wire::Lane::kLogs) key = foreign_lane();
  if (key)
    out.loss = unreadable_notice(batch.header);
  else
    out.outcome = Result<model::CommitOutcome>(std::move(key).error());
  return out;
}

std::optional<MovedContent> Prepared::moved() const {
  const auto& header = batch->header;
  if (!header.origin || loss) return std::nullopt;
  return MovedContent{header.origin->epoch, header.lane, header.origin->seq, hash};
}

std::vector<SourceKey> Prepared::sources() const {
  std::vector<SourceKey> out;
  if (samples) out.push_back({lane(), kMetricsSource});
  for (const auto& span : spans) out.push_back({lane(), log_source(span.target)});
  if (loss) {
    for (const auto& source : loss->sources) out.push_back({lane(), source.name});
  }
  if (control && !batch->header.origin) {
    for (const auto& entry : control->ledger) out.push_back({entry.lane, entry.source});
  }
  return out;
}

wire::LossNotice Prepared::account(const char* reason) const {
  wire::LossNotice account{reason, {}};
  if (samples) account.sources.push_back({kMetricsSource, n, 0});
  for (const auto& span : spans) {
    // A batch has fewer targets than a notice may name; the rest of an absurd one counts together.
    const bool last = account.sources.size() + 1 >= wire::kMaxLossSources;
    auto source = log_source(span.target);
    if (source.size() > wire::kMaxLossSourceBytes) source.resize(wire::kMaxLossSourceBytes);
    if (!account.sources.empty() && (last || account.sources.back().name >= source))
      account.sources.back().records += span.n;
    else
      account.sources.push_back({std::move(source), span.n, 0});
  }
  return account;
}

}  // namespace observeai::controlplane::store
