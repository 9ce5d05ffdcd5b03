// Reader::series and Reader::points.
#include <tuple>

#include "controlplane/store/events.h"
#include "controlplane/store/last_values.h"
#include "controlplane/store/reader.h"
#include "controlplane/store/series.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::controlplane::store {
namespace {

constexpr std::size_t kMaxPoints = 2'000'000;  // Of one answer: 32 MiB

constexpr const char* kChunks =
    "SELECT codec, body FROM sample_chunks WHERE epoch_no=? AND last_ms>=? AND first_ms<?";

// The same series keeps its identity when the agent begins a new epoch.
using Identity = std::tuple<AgentId, wire::Target, std::string, wire::Labels>;

Identity identity_of(const AgentId& agent, const wire::SeriesDefinition& series) {
  return {agent, series.target, series.name, series.labels};
}

// Gathers points of one answer; with a step, only the last of each.
class PointCollector {
 public:
  PointCollector(const model::SeriesQuery& query, std::vector<model::SeriesPoints>& out)
      : query_(query), until_ms_(end_of(query.range)), out_(out), last_of_step_(out.size()) {}

  bool wants(std::int64_t ts_ms) const {
    return ts_ms >= query_.range.since_ms && ts_ms < until_ms_;
  }

  Result<void> add(std::size_t series, std::int64_t ts_ms, double value) {
    if (query_.step_ms <= 0) {
      out_[series].points.push_back({ts_ms, value});
      ++count_;
    } else {
      const std::int64_t step = ts_ms / query_.step_ms - (ts_ms % query_.step_ms < 0 ? 1 : 0);
      const auto [place, is_new] =
          last_of_step_[series].try_emplace(step, model::Point{ts_ms, value});
      if (is_new) ++count_;
      if (ts_ms >= place->second.ts_ms) place->second = {ts_ms, value};
    }
    if (count_ <= kMaxPoints) return {};
    return Error(Errc::kLimit,
                 "more than " + std::to_string(kMaxPoints) +
                     " points: ask for a shorter time, fewer series or a larger step");
  }

  void finish() {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      auto& points = out_[i].points;
      for (const auto& [step, point] : last_of_step_[i]) points.push_back(point);
      std::stable_sort(
          points.begin(), points.end(),
          [](const model::Point& a, const model::Point& b) { return a.ts_ms < b.ts_ms; });
    }
  }

 private:
  const model::SeriesQuery& query_;
  const std::int64_t until_ms_;
  std::vector<model::SeriesPoints>& out_;
  std::vector<std::map<std::int64_t, model::Point>> last_of_step_;
  std::size_t count_ = 0;
};

Result<void> collect(const wire::SampleBatch& samples,
                     const std::map<std::uint32_t, std::size_t>& wanted,
                     PointCollector& collector) {
  for (const auto& scrape : samples.scrapes) {
    if (!collector.wants(scrape.ts_ms)) continue;
    // Both ascend: the scrape is searched from where the last one was found.
    auto at = scrape.series.begin();
    for (const auto& [id, series] : wanted) {
      at = std::lower_bound(at, scrape.series.end(), id);
      if (at == scrape.series.end()) break;
      if (*at != id) continue;
      TRY_VOID(collector.add(series, scrape.ts_ms,
                             scrape.values[static_cast<std::size_t>(at - scrape.series.begin())]));
    }
  }
  return {};
}

}  // namespace

Result<std::vector<model::SeriesPoints>> Reader::matching_series(
    const model::SeriesQuery& query,
    std::map<std::int64_t, std::map<std::uint32_t, std::size_t>>& where) {
  std::vector<model::SeriesPoints> out;
  std::map<Identity, std::size_t> known;
  for (const auto& epoch : epochs_of(query.agent)) {
    TRY(const auto matching, state_.read([&](sql::Database& db) {
      return match_series(db, epoch.no, query.target, query.name, query.labels);
    }));
    if (matching.empty()) continue;
    if (auto loaded = load_values(state_, book_, partitions_, epoch.no); !loaded) {
      if (loaded.error().code() == Errc::kNotFound) continue;
      return std::move(loaded).error();
    }
    MutexLock lock(book_.mutex);
    const auto* state = book_.find(epoch.no);
    if (state == nullptr) continue;
    const auto& values = state->values;
    for (const auto& definition : matching) {
      const auto [place, is_new] =
          known.try_emplace(identity_of(epoch.agent, definition), out.size());
      if (is_new) out.emplace_back();
      auto& info = out[place->second].info;
      info.agent = epoch.agent;
      info.definition = definition;  // Of the newest epoch
      const auto value = values.find(definition.id);
      const LastValue last = value == values.end() ? LastValue{} : value->second;
      if (is_new || (last.has_value() && last.ts_ms >= info.last_ts_ms)) {
        info.last_value = last.value;
        info.last_ts_ms = last.has_value() ? last.ts_ms : 0;
      }
      where[epoch.no][definition.id] = place->second;
    }
  }
  return out;
}

Result<std::vector<model::SeriesInfo>> Reader::series(const AgentId& agent,
                                                      const wire::Target& target) {
  model::SeriesQuery query;
  query.agent = agent;
  query.target = target;
  std::map<std::int64_t, std::map<std::uint32_t, std::size_t>> where;
  TRY(auto matching, matching_series(query, where));
  std::vector<model::SeriesInfo> out;
  out.reserve(matching.size());
  for (auto& series : matching) out.push_back(std::move(series.info));
  return out;
}

Result<std::vector<model::SeriesPoints>> Reader::latest(const AgentId& agent,
                                                        const wire::Target& target,
                                                        const std::vector<std::string>& names) {
  std::int64_t epoch_no = 0;
  {
    MutexLock lock(book_.mutex);
    const auto* state = book_.newest_of(agent);
    if (state == nullptr) return std::vector<model::SeriesPoints>();
    epoch_no = state->no;
  }
  TRY_VOID(load_values(state_, book_, partitions_, epoch_no));
  TRY(auto definitions,
      state_.read([&](sql::Database& db) { return series_named(db, epoch_no, target, names); }));
  std::vector<model::SeriesPoints> out;
  out.reserve(definitions.size());
  MutexLock lock(book_.mutex);
  const auto* state = book_.find(epoch_no);
  if (state == nullptr) return out;
  const auto& values = state->values;
  for (auto& definition : definitions) {
    const auto found = values.find(definition.id);
    auto& series = out.emplace_back();
    series.info.agent = agent;
    series.info.definition = std::move(definition);
    if (found == values.end() || !found->second.has_value()) continue;
    const LastValue& last = found->second;
    series.info.last_value = last.value;
    series.info.last_ts_ms = last.ts_ms;
    if (last.before_age_ms != 0)
      series.points.push_back({last.ts_ms - last.before_age_ms, last.before});
    series.points.push_back({last.ts_ms, last.value});
  }
  return out;
}

Result<std::vector<model::SeriesPoints>> Reader::points(const model::SeriesQuery& query) {
  std::map<std::int64_t, std::map<std::uint32_t, std::size_t>> where;
  TRY(auto out, matching_series(query, where));
  if (out.empty()) return out;
  PointCollector collector(query, out);
  TRY_VOID(each_partition(
      query.range, false, [&](sql::Database& db, const Partition& partition) -> Result<void> {
        for (const auto& [epoch_no, wanted] : where) {
          TRY(auto row, db.query(kChunks, epoch_no, query.range.since_ms, end_of(query.range)));
          for (;;) {
            TRY(const bool more, row.step());
            if (!more) break;
            const auto samples =
                wire::decode_samples(row.blob(1), static_cast<wire::Codec>(row.integer(0)));
            if (!samples) {
              unreadable_chunk(partition, samples.error());
              continue;
            }
            TRY_VOID(collect(*samples, wanted, collector));
          }
        }
        return {};
      }));
  collector.finish();
  return out;
}

}  // namespace observeai::controlplane::store
