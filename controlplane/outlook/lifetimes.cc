// Outlook: predictions are opened, kept true, and closed.
#include "controlplane/outlook/outlook.h"
#include "controlplane/outlook/suggestions.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::outlook {
namespace {

// What the plot shows before the alarm.
constexpr std::int64_t kPastHorizons = 4;

model::PredictionState state_of(predict::Verdict verdict) {
  switch (verdict) {
    case predict::Verdict::kHit:
      return model::PredictionState::kHit;
    case predict::Verdict::kFalseAlarm:
      return model::PredictionState::kFalseAlarm;
    case predict::Verdict::kPrevented:
      return model::PredictionState::kPrevented;
    case predict::Verdict::kUnknown:
      return model::PredictionState::kUnknown;
    case predict::Verdict::kOpen:
      break;
  }
  return model::PredictionState::kOpen;
}

std::string reason_of(predict::Verdict verdict, const model::PredictionRecord& prediction,
                      const predict::Life& life, const std::string& event) {
  const auto horizon = text::format_duration_ms(prediction.horizon_ms);
  switch (verdict) {
    case predict::Verdict::kHit:
      return event;
    case predict::Verdict::kFalseAlarm:
      return "it turned around and stayed below the alarm for " + horizon + "; nobody acted";
    case predict::Verdict::kPrevented:
      return prediction.acted;
    case predict::Verdict::kUnknown:
    case predict::Verdict::kOpen:
      break;
  }
  if (life.is_gone) return "the target went away before its time";
  if (life.ended_ms != 0) return "it began anew before its time, by nobody's plan";
  return "there were no data for " + horizon;
}

// Lines so far -> lines per minute.
std::vector<model::PredictionSample> rates_of(const std::vector<model::PredictionSample>& counted) {
  constexpr double kMinuteMs = 60'000;
  std::vector<model::PredictionSample> out;
  for (std::size_t i = 1; i < counted.size(); ++i) {
    const double more = counted[i].used - counted[i - 1].used;
    const auto span_ms = static_cast<double>(counted[i].ts_ms - counted[i - 1].ts_ms);
    if (more >= 0 && span_ms > 0) out.push_back({counted[i].ts_ms, more * kMinuteMs / span_ms, 0});
  }
  return out;
}

}  // namespace

void Outlook::follow_life(Host& host, const model::ResourceName& name, Entry& entry,
                          const Followed::News& news, Found found) {
  auto& followed = entry.followed;
  const auto& reading = followed.newest();
  // A kill may be told before the reading that shows the limit reached: one end.
  const std::int64_t since_event_ms = found.event_ms - followed.last_event_ms;
  if (since_event_ms < kSameEventMs && since_event_ms > -kSameFailureMs) found.has_happened = false;
  if (found.has_happened) followed.awaits_kill = true;
  if (followed.awaits_kill && followed.is_exhausted()) {
    followed.last_event_ms = reading.ts_ms;
  } else if (reading.ts_ms - followed.last_event_ms >= kSameEventMs) {
    followed.awaits_kill = false;
  }
  if (found.has_happened) {
    calibrate(name, entry, true, found.event_ms);
  } else if (news.has_stepped) {
    if (news.is_replaced) followed.stated = {};
    calibrate(name, entry, false, reading.ts_ms);
  }
  const auto open_at = open_.find(name);
  if (open_at == open_.end()) {
    if (found.has_happened) {
      sudden(host, name, reading.unit, found.event_ms, found.text);
    } else if (found.is_live && news.has_stepped && followed.has_alarm() &&
               !followed.is_exhausted() && reading.ts_ms - followed.last_event_ms >= kSameEventMs) {
      open(host, name, entry);
    }
    return;
  }
  auto& prediction = open_at->second;
  // Read again after a restart: what was before it was opened.
  if (news.is_new && reading.ts_ms < prediction.opened_ms) return;
  auto& life = followed.life;
  if (!life) life = predict::Life{prediction.horizon_ms, reading.ts_ms};
  if (news.is_raised) act(prediction, reading.ts_ms, "the limit was raised");
  if (followed.has_date() && news.is_replaced) act(prediction, reading.ts_ms, "it was renewed");
  if (followed.slow().alarm && prediction.clock == "fast") {
    prediction.clock = "slow";
    life->horizon_ms = prediction.horizon_ms = horizon_of(clocks_.slow_ms);
  }
  predict::Look look;
  look.is_known = news.is_new;
  // By the host's clock, as far as it is known.
  look.ts_ms =
      news.is_new ? reading.ts_ms : host.newest_ms + world_.clock.unix_ms() - host.heard_ms;
  look.has_alarm = followed.has_alarm();
  look.has_happened = found.has_happened;
  look.has_acted =
      !prediction.acted.empty() &&
      (life->quiet_ms == 0 || prediction.acted_ms <= life->quiet_ms + predict::kEventGraceMs);
  look.is_replaced = news.is_replaced;
  look.is_gone = found.is_gone;
  const auto verdict = predict::look_at(*life, look);
  if (verdict != predict::Verdict::kOpen) {
    const auto reason = reason_of(verdict, prediction, *life, found.text);
    close(name, verdict, found.has_happened ? found.event_ms : look.ts_ms, reason);
  } else if (news.has_stepped) {
    update(prediction, entry);
  }
}

void Outlook::open(Host& host, const model::ResourceName& name, Entry& entry) {
  const auto of = named(host, name);
  auto prediction = opened(of, entry.followed, clocks_);
  prediction.suggestions = suggestions_for(entry.followed.newest(), inventory(host));
  entry.followed.life = predict::Life{prediction.horizon_ms, prediction.opened_ms};
  // What led to it, for people.
  std::vector<model::PredictionSample> past;
  const auto step_ms = prediction.clock == "slow" ? clocks_.slow_ms : clocks_.fast_ms;
  const wire::Target targets[] = {name.target, wire::kHostTarget};
  const auto read = reader_.past(
      name.agent, std::span(targets, name.target == wire::kHostTarget ? 1U : 2U),
      {prediction.opened_ms - kPastHorizons * prediction.horizon_ms, prediction.opened_ms + 1},
      step_ms, [&](std::int64_t, std::span<const predict::Reading> readings) {
        for (const auto& one : readings) {
          if (predict::name(one.kind) != name.kind || one.target != name.target ||
              one.instance != name.instance || (!past.empty() && past.back().ts_ms >= one.ts_ms)) {
            continue;
          }
          past.push_back({one.ts_ms, one.used, one.limit});
        }
      });
  if (!read) log::warning("predictions: " + read.error().message());
  if (!entry.followed.has_limit()) past = rates_of(past);
  if (past.empty() || past.back().ts_ms < prediction.opened_ms)
    past.push_back({prediction.opened_ms, prediction.first.used, prediction.first.limit});
  log::info("prediction opened: " + log::printable(title_of(name, of.name, of.hostname)));
  change(prediction, std::move(past), incident_of(prediction, of.hostname));
  open_[name] = std::move(prediction);
}

void Outlook::update(model::PredictionRecord& prediction, Entry& entry) {
  prediction.newest = stated_now(entry.followed, clocks_);
  prediction.updated_ms = prediction.newest.made_ms;
  change(prediction, {{prediction.updated_ms, prediction.newest.used, prediction.newest.limit}},
         std::nullopt);
}

void Outlook::act(model::PredictionRecord& prediction, std::int64_t at_ms,
                  const std::string& what) {
  if (!prediction.acted.empty()) return;
  if (prediction.acted_ms == 0) {
    prediction.acted_ms = at_ms;
    prediction.before_action = prediction.newest;
  }
  prediction.acted = what;
  change(prediction, {}, std::nullopt);
}

void Outlook::close(const model::ResourceName& name, predict::Verdict verdict, std::int64_t at_ms,
                    const std::string& reason) {
  auto prediction = open_.extract(name);
  if (prediction.empty()) return;
  auto& record = prediction.mapped();
  record.state = state_of(verdict);
  record.closed_ms = std::max(at_ms, record.opened_ms);
  if (verdict == predict::Verdict::kHit) record.event_ms = record.closed_ms;
  record.reason = reason;
  std::vector<model::PredictionSample> last;
  if (const auto entry = followed_.find(name); entry != followed_.end()) {
    entry->second.followed.life.reset();
    const auto reading = entry->second.followed.shown();
    last.push_back({reading.ts_ms, reading.used, reading.limit});
  }
  log::info("prediction closed: " + record.resource.kind + " of " + log::printable(record.name) +
            ": " + std::string(model::name(record.state)));
  change(record, std::move(last), std::nullopt);
}

void Outlook::sudden(Host& host, const model::ResourceName& name, const std::string& unit,
                     std::int64_t event_ms, const std::string& text) {
  if (host.is_new) return;  // Before the first look there was nobody to foretell it
  const bool is_blind = std::abs(host.newest_ms - event_ms) > kBlindMs;
  change(missed(named(host, name), unit, event_ms, text,
                is_blind ? "nobody could foretell it: there were no data at that time" : ""),
         {}, std::nullopt);
}

void Outlook::calibrate(const model::ResourceName& name, Entry& entry, bool has_happened,
                        std::int64_t at_ms) {
  auto& followed = entry.followed;
  auto& stated = followed.stated;
  // What would have come without the action nobody knows.
  const auto open = open_.find(name);
  if (open != open_.end() && !open->second.acted.empty()) {
    stated = {};
    return;
  }
  const std::int64_t horizon_ms = horizon_of(clocks_.slow_ms);
  const std::int64_t age_ms = at_ms - stated.made_ms;
  if (stated.made_ms != 0 && (has_happened || age_ms >= horizon_ms)) {
    const bool is_within = age_ms >= 0 && age_ms <= horizon_ms;
    // After a longer silence what happened in it is not known.
    if (has_happened ? is_within : age_ms <= 2 * horizon_ms) {
      const std::pair key(name.agent, name.kind);
      calibration_[key].add(stated.p, has_happened);
      unsaved_calibration_.insert(key);
    }
    stated = {};
  }
  if (!has_happened && stated.made_ms == 0 && !followed.has_date() && !followed.is_exhausted() &&
      followed.slow().missing == 0) {
    stated = {at_ms, followed.slow().p_horizon};
  }
}

void Outlook::change(const model::PredictionRecord& prediction,
                     std::vector<model::PredictionSample> samples,
                     std::optional<model::IncidentRecord> incident) {
  // One that is not stored yet is still the same one.
  for (auto step = changes_.rbegin(); step != changes_.rend(); ++step) {
    const auto& before = step->prediction;
    if (before.resource != prediction.resource || before.opened_ms != prediction.opened_ms)
      continue;
    if (before.no != prediction.no || before.closed_ms != 0) break;
    step->prediction = prediction;
    step->samples.insert(step->samples.end(), samples.begin(), samples.end());
    return;
  }
  changes_.push_back({prediction, std::move(incident), std::move(samples)});
}

}  // namespace observeai::controlplane::outlook
