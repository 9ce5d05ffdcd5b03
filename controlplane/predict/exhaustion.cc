#include "controlplane/predict/exhaustion.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "controlplane/predict/fields.h"
#include "controlplane/predict/tune.h"
#include "controlplane/predict/growth.h"
#include "controlplane/predict/habit.h"
#include "controlplane/predict/history.h"
#include "controlplane/predict/passage.h"

#ifdef DEBUG_FORECAST
#include <cstdio>
extern thread_local bool debug_forecast;
#endif
namespace observeai::predict {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr int kLeastSteps = 24;  // Claims nothing from fewer
constexpr int kLevelSteps = 8;
double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

struct ExhaustionForecaster::State {
  History history;
  Habit habit;
  Forecast newest;
  std::int64_t step = -1;
  std::int64_t began = 0;
  bool seen = false;
  int high = 0;

  void judge();
  template <class Novelty>
  double look(float level, Novelty&& novelty_of);
  Forecast observe(std::int64_t at, double used);
  void begin_regime(std::int64_t at);
  void scale(float factor);
  template <class Visitor>
  void each_field(Visitor&& visit) {
    visit(history);
    visit(habit);
    visit(newest.p_horizon);
    visit(newest.left_p10);
    visit(newest.left_p50);
    visit(newest.left_p90);
    visit(newest.alarm);
    visit(newest.shape);
    visit(newest.slope);
    visit(newest.regime_age);
    visit(newest.missing);
    visit(step);
    visit(began);
    visit(seen);
    visit(high);
  }
  bool valid() const {
    return history.valid() && habit.valid() && newest.shape <= Shape::kSawtooth;
  }
};

template <class Novelty>
double ExhaustionForecaster::State::look(float level, Novelty&& novelty_of) {
  std::array<double, kOnsets.size()> new_by_onset;
  for (std::size_t i = 0; i < kOnsets.size(); ++i) new_by_onset[i] = logistic(TUNE("GS", 6) * (novelty_of(kOnsets[i]) - TUNE("G0", 0.7)));
  std::array<Point, History::kMaxPoints> room;
  Noise noise = habit.noise();
  const Ways ways = explain(history.points(room), noise);
  noise.variance *= ways.stretch;

  double most = -1e300;
  for (std::size_t i = 0; i < ways.n; ++i) most = std::max(most, ways.all[i].evidence);
  std::array<Hypothesis, kOnsets.size() * kBends.size()> grows;
  std::size_t n = 0;
  double real = 0, total = 0, slope = 0;
  const float now = history.mean(0, 2);
  for (std::size_t i = 0; i < ways.n; ++i) {
    const Way& way = ways.all[i];
    const double weight = std::exp(way.evidence - most) * (way.onset == 0 ? TUNE("W0", 3000) : way.onset * (way.bend == kStep ? TUNE("WS", 1) : way.bend < 0 ? TUNE("WN", 1) : 1));
    total += weight;
    if (way.onset == 0) continue;
    const double is_new = new_by_onset[static_cast<std::size_t>(std::ranges::find(kOnsets, way.onset) - kOnsets.begin())];
    real += weight * is_new;
    if (way.size > 0 && way.bend != kStep) slope += weight * way.slope();
    grows[n++] = {way, weight};
  }
  const double gate = real / total;
#ifdef DEBUG_FORECAST
  if (debug_forecast) {
    printf("step %ld now %.3f level %.3f gate %.2f record %.3f habit %.3f steps %u noise %.3f keeps %.3f stretch %.2f\n", (long)step, now, level, gate, habit.record(), habit.level(), habit.steps(), std::sqrt(habit.noise().variance), noise.keeps, ways.stretch);
    for (size_t i = 0; i < n; ++i) if (grows[i].weight > 0.03 * total) { Passage p({&grows[i], 1}, noise, now); auto& w = grows[i].way; printf("   onset %.0f bend %.0f now %.3f size %.4f+-%.4f slope %.4f weight %.2f: p10 %.1f p50 %.1f p90 %.1f p30 %.2f\n", w.onset, w.bend, w.now(), w.size, w.size_error, w.slope(), grows[i].weight / total, p.quantile(.1), p.quantile(.5), p.quantile(.9), p.within(30)); }
  }
#endif
  if (gate > 0.02 && n > 0) {
    const Passage passage({grows.data(), n}, noise, now);
    newest.slope = slope / total;
    newest.p_horizon = gate * passage.within(kHorizonSteps);
    if (gate > TUNE("TG", 0.05)) {
      std::size_t m = 0;
      for (std::size_t i = 0; i < n; ++i) if (grows[i].way.bend >= 0 && grows[i].way.size > 0) grows[m++] = grows[i];
      const Passage onward({grows.data(), m}, noise, now);
      newest.left_p10 = onward.quantile(0.1);
      newest.left_p50 = onward.quantile(0.5);
      newest.left_p90 = onward.quantile(0.9);
    }
  }
  return gate;
}

void ExhaustionForecaster::State::judge() {
  const float level = history.mean(0, kLevelSteps);
  if (std::isnan(level) || newest.missing > 0) return;
  newest.left_p10 = newest.left_p50 = newest.left_p90 = kNever;
  newest.p_horizon = 0;
  newest.slope = 0;
  const auto novelty_of = [&](float onset) {
    float before = history.highest_before(static_cast<int>(onset));
    if (habit.steps() > 500) before = std::max(before, habit.record());
    if (std::isinf(before)) return 1e9;
    const double spread = std::max(before - habit.level(), 0.01F) + TUNE("PS", 0.25F) * TUNE("PN", 1000.0F) / (TUNE("PN", 1000.0F) + static_cast<float>(habit.steps()));
    return (level - before) / spread;
  };
  double gate = 0;
  const bool as_ever = habit.steps() > 500 && level <= habit.record();
  if (!as_ever && novelty_of(kOnsets.back()) > 0.1) gate = look(level, novelty_of);
  if (gate < 0.3) {
    habit.learn(level, history.mean(kLevelSteps, kLevelSteps));
    if (!std::isnan(history.forgotten())) habit.note_level(history.forgotten());
  }
  if (newest.p_horizon >= TUNE("AP", 0.5)) high = std::min(high + 1, (int)TUNE("AN", 2));
  if (newest.p_horizon < 0.15) high = 0;
  newest.alarm = high >= (int)TUNE("AN", 2) || (newest.alarm && high > 0);
}

// Differences of any two steps, without overflow.
std::uint64_t between(std::int64_t from, std::int64_t to) {
  return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

Forecast ExhaustionForecaster::State::observe(std::int64_t at, double used) {
  if (seen && at <= step) return newest;
  if (!seen) began = at;
  if (seen) history.skip(between(step, at) - 1);
  seen = true;
  step = at;
  history.push(static_cast<float>(used));
  newest.regime_age =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(between(began, at), UINT32_MAX));
  const auto known = static_cast<std::uint32_t>(std::min(history.steps(), kLeastSteps));
  newest.missing = static_cast<std::uint32_t>(kLeastSteps) - known;
  judge();
  return newest;
}

void ExhaustionForecaster::State::begin_regime(std::int64_t at) {
  history.clear();
  began = at;
  high = 0;
  newest = Forecast{};
}

void ExhaustionForecaster::State::scale(float factor) {
  history.scale(factor);
  habit.scale(factor);
}

ExhaustionForecaster::ExhaustionForecaster() : state_(std::make_unique<State>()) {}
ExhaustionForecaster::ExhaustionForecaster(ExhaustionForecaster&&) noexcept = default;
ExhaustionForecaster& ExhaustionForecaster::operator=(ExhaustionForecaster&&) noexcept = default;
ExhaustionForecaster::~ExhaustionForecaster() = default;

Forecast ExhaustionForecaster::observe(std::int64_t step, double used) {
  return state_->observe(step, used);
}

const Forecast& ExhaustionForecaster::newest() const {
  return state_->newest;
}

void ExhaustionForecaster::begin_regime(std::int64_t step) {
  state_->begin_regime(step);
}

void ExhaustionForecaster::rescale(double factor) {
  if (factor > 0 && std::isfinite(factor)) state_->scale(static_cast<float>(1 / factor));
}

std::string ExhaustionForecaster::encode() const {
  FieldWriter writer;
  EachNumber each(writer);
  state_->each_field(each);
  const std::string body = std::move(writer).take();
  FieldWriter head;
  head(kVersion);
  head(checksum(body));
  return std::move(head).take() + body;
}

Result<ExhaustionForecaster> ExhaustionForecaster::decode(std::string_view bytes) {
  FieldReader reader(bytes);
  std::uint8_t version = 0;
  std::uint32_t sum = 0;
  reader(version);
  reader(sum);
  if (reader.failed() || version != kVersion) {
    return Error(Errc::kInvalid, "forecaster: not of this version");
  }
  if (sum != checksum(bytes.substr(sizeof version + sizeof sum))) {
    return Error(Errc::kInvalid, "forecaster: damaged");
  }
  ExhaustionForecaster forecaster;
  EachNumber each(reader);
  forecaster.state_->each_field(each);
  if (reader.failed() || !reader.at_end() || !forecaster.state_->valid()) {
    return Error(Errc::kInvalid, "forecaster: damaged");
  }
  return forecaster;
}

}  // namespace observeai::predict
