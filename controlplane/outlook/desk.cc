#include "controlplane/outlook/desk.h"

#include <algorithm>

#include "controlplane/audit/kinds.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::outlook {
namespace {

Result<std::int64_t> number_in(std::string_view id, std::string_view prefix) {
  if (id.starts_with(prefix)) {
    const auto number = text::parse_i64(id.substr(prefix.size()));
    if (number && *number > 0) return *number;
  }
  return Error(Errc::kNotFound, "there is no " + std::string(id.substr(0, 40)) +
                                    "; it looks like " + std::string(prefix) + "12");
}

// It comes true when nobody does anything: no forecast.
bool is_date(const model::PredictionRecord& record) {
  return record.resource.kind == predict::name(predict::Kind::kCertificate);
}

predict::Closed closed_of(const model::PredictionRecord& record) {
  using predict::Outcome;
  predict::Closed out;
  switch (record.state) {
    case model::PredictionState::kHit:
      out.outcome = Outcome::kHit;
      break;
    case model::PredictionState::kMiss:
      out.outcome = Outcome::kMiss;
      break;
    case model::PredictionState::kFalseAlarm:
      out.outcome = Outcome::kFalseAlarm;
      break;
    case model::PredictionState::kPrevented:
      out.outcome = Outcome::kPrevented;
      break;
    case model::PredictionState::kOpen:
    case model::PredictionState::kUnknown:
      break;
  }
  out.lead_ms = model::lead_ms(record);
  if (!is_date(record)) out.longest_useful_ms = predict::kUsefulHorizons * record.horizon_ms;
  if (out.outcome == Outcome::kHit && record.first.likely_ms != 0)
    out.error_ms = record.first.likely_ms - record.event_ms;
  return out;
}

model::AccuracyView view_of(const std::string& kind, std::span<const predict::Closed> closed,
                            const predict::Calibration& sums) {
  const auto told = predict::announced(closed);
  model::AccuracyView out;
  out.kind = kind;
  out.hits = told.hits;
  out.misses = told.misses;
  out.false_alarms = told.false_alarms;
  out.prevented = told.prevented;
  out.unknown = told.unknown;
  out.precision = told.precision;
  out.recall = told.recall;
  out.useful_recall = told.useful_recall;
  out.lead_median_ms = told.lead_median_ms;
  out.lead_p10_ms = told.lead_p10_ms;
  out.error_median_ms = told.error_median_ms;
  out.brier = sums.brier();
  out.skill = sums.skill();
  out.stated = sums.count();
  static_assert(std::tuple_size_v<decltype(out.bins)> == predict::Calibration::kBins);
  for (std::size_t i = 0; i < out.bins.size(); ++i) {
    const auto& bin = sums.bins()[i];
    out.bins[i] = {bin.count, bin.happened, std::nullopt};
    if (bin.count > 0) out.bins[i].mean_p = bin.sum_p / static_cast<double>(bin.count);
  }
  return out;
}

}  // namespace

Result<std::vector<model::PredictionRecord>> Desk::list(const model::PredictionQuery& query) {
  return world_.predictions.list(query);
}

Result<model::PredictionView> Desk::show(const TenantId& tenant, const std::string& id) {
  TRY(const auto number, number_in(id, "pr-"));
  TRY(auto found, world_.predictions.find(number));
  if (!found || found->tenant != tenant) return Error(Errc::kNotFound, "there is no " + id);
  model::PredictionView out;
  out.prediction = std::move(*found);
  TRY(out.samples, world_.predictions.samples(number));
  return out;
}

Result<std::vector<model::IncidentRecord>> Desk::incidents(const TenantId& tenant) {
  return world_.predictions.incidents(tenant, model::kMaxListedPredictions);
}

Result<model::IncidentRecord> Desk::incident(const TenantId& tenant, const std::string& id) {
  TRY(const auto number, number_in(id, "in-"));
  TRY(auto found, world_.predictions.find_incident(number));
  if (!found || found->tenant != tenant) return Error(Errc::kNotFound, "there is no " + id);
  return std::move(*found);
}

Result<model::OutlookView> Desk::status(const TenantId& tenant) {
  model::OutlookView out;
  TRY(out.wanted, world_.predictions.prediction_switch(tenant));
  TRY(const auto agents, world_.agents.list(tenant));
  TRY(const auto open, world_.predictions.open());
  out.open_count = static_cast<std::uint64_t>(
      std::ranges::count(open, tenant, &model::PredictionRecord::tenant));
  out.is_running = outlook_ != nullptr;
  if (outlook_ == nullptr) return out;
  const auto& clocks = outlook_->clocks();
  out.step_ms = clocks.slow_ms;
  out.fast_step_ms = clocks.fast_ms;
  std::set<AgentId> mine;
  for (const auto& agent : agents) mine.insert(agent.id);
  for (const auto& one : outlook_->followed()) {
    if (!mine.contains(one.resource.agent)) continue;
    ++out.followed[one.resource.kind];
    if (one.slow.missing == 0 && one.reading.kind != predict::Kind::kCertificate) continue;
    if (one.slow.missing == 0) continue;
    ++out.cold_count;
    if (out.cold.size() < model::kMaxShownCold)
      out.cold.push_back({one.resource, one.slow.missing, one.slow.missing * clocks.slow_ms});
  }
  const auto counters = outlook_->counters();
  out.counters = {{"looks", counters.looks},
                  {"readings", counters.readings},
                  {"replays", counters.replays},
                  {"replays_failed", counters.replays_failed},
                  {"cut_replays", counters.cut_replays},
                  {"resources_skipped", counters.resources_skipped},
                  {"events_put_off", counters.events_put_off},
                  {"states_damaged", counters.states_damaged},
                  {"changes_dropped", counters.changes_dropped},
                  {"store_errors", counters.store_errors},
                  {"last_look_us", static_cast<std::uint64_t>(counters.last_look_us)},
                  {"longest_look_us", static_cast<std::uint64_t>(counters.longest_look_us)}};
  return out;
}

Result<model::OutlookView> Desk::set_enabled(const TenantId& tenant, const std::string& person,
                                             bool enabled) {
  TRY(const auto before, world_.predictions.prediction_switch(tenant));
  if (before.enabled != enabled) {
    const std::int64_t now_ms = world_.clock.unix_ms();
    TRY_VOID(world_.predictions.set_prediction_switch(
        tenant, {enabled, person, now_ms},
        audit::entry_of(enabled ? audit::kinds::kPredictEnable : audit::kinds::kPredictDisable,
                        now_ms, "user:" + person, "predict", {{"tenant", tenant.value()}})));
  }
  return status(tenant);
}

Result<std::vector<model::AccuracyView>> Desk::accuracy(const TenantId& tenant,
                                                        const AgentId& agent,
                                                        const std::string& kind) {
  model::PredictionQuery query;
  query.tenant = tenant;
  query.agent = agent;
  query.kind = kind;
  using State = model::PredictionState;
  query.states = {State::kHit, State::kMiss, State::kFalseAlarm, State::kPrevented,
                  State::kUnknown};
  TRY(const auto records, world_.predictions.list(query));
  TRY(const auto agents, world_.agents.list(tenant));
  std::map<std::string, std::vector<predict::Closed>> closed;
  for (const auto& record : records) {
    // Weeks of lead, always right: with forecasts it would be praise for nothing.
    if (!is_date(record) || !kind.empty()) closed[""].push_back(closed_of(record));
    closed[record.resource.kind].push_back(closed_of(record));
  }
  std::map<std::string, predict::Calibration> sums;
  if (outlook_ != nullptr) {
    for (const auto& [of, calibration] : outlook_->calibration()) {
      const bool is_mine =
          std::ranges::find(agents, of.first, &model::AgentRecord::id) != agents.end();
      if (!is_mine || (!agent.empty() && of.first != agent) || (!kind.empty() && of.second != kind))
        continue;
      sums[""].add(calibration);
      sums[of.second].add(calibration);
    }
  }
  std::vector<model::AccuracyView> out;
  std::set<std::string> kinds = {""};
  for (const auto& entry : closed) kinds.insert(entry.first);
  for (const auto& entry : sums) kinds.insert(entry.first);
  for (const auto& one : kinds) out.push_back(view_of(one, closed[one], sums[one]));
  return out;
}

}  // namespace observeai::controlplane::outlook
