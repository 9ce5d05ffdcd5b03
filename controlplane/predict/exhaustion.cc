#include "controlplane/predict/exhaustion.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "controlplane/predict/fields.h"
#include "controlplane/predict/growth.h"
#include "controlplane/predict/habit.h"
#include "controlplane/predict/history.h"

namespace observeai::predict {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr int kLeastSteps = 24;  // Claims nothing from fewer
constexpr int kLevelSteps = 8;
constexpr std::array<float, 22> kAhead = {1,  2,  3,  5,  7,  10,  13,  16,  20,  25,  30,
                                          36, 43, 52, 65, 80, 100, 130, 170, 240, 360, 600};

double normal(double z) {
  return 0.5 * std::erfc(-z / std::sqrt(2.0));
}
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
  float record = 0;  // Highest level of what left the history
  int high = 0;

  void judge();
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
    visit(record);
    visit(high);
  }
  bool valid() const {
    return history.valid() && habit.valid() && newest.shape <= Shape::kSawtooth;
  }
};

void ExhaustionForecaster::State::judge() {
  std::array<Point, History::kMaxPoints> room;
  const auto points = history.points(room);
  const auto fits = fit_windows(points);
  const float level = history.mean(0, kLevelSteps);
  if (std::isnan(level) || newest.missing > 0) return;

  std::array<double, kAhead.size()> reached{};
  double total = 0, sure = 0;
  double slope = 0;
  for (std::size_t w = 0; w < kWindows.size(); ++w) {
    const auto window = static_cast<float>(kWindows[w]);
    if (fits[w].line.weight == 0) continue;
    const float noise = habit.residual(w);
    const float slope_noise = habit.slope_noise(w);
    // Novelty
    float before = history.highest_before(kWindows[w]);
    if (habit.steps() > static_cast<std::uint32_t>(kWindows.back()))
      before = std::max(before, record);
    const double total_variance = std::max(1e-9, static_cast<double>(fits[w].line.residual) +
                                                     std::pow(fits[w].line.slope * window, 2) / 12);
    const double explained = 1 - fits[w].line.residual / total_variance;
    const bool cold = std::isinf(before);
    const float spread = std::max(before - habit.level(), 0.01F) +
                         0.10F * 500.0F / (500.0F + static_cast<float>(habit.steps()));
    const double novelty = (level - before) / spread;
    const double gate = cold ? (window < 30 ? 0 : logistic(100 * (explained - 0.95)))
                             : logistic(6 * (novelty - 0.7));
    for (const Fit* fit : {&fits[w].line, &fits[w].curve}) {
      if (fit->weight == 0) continue;
      const double effective = window / 8;
      const double misfit = std::max(0.0F, fit->residual / noise - 1);
      const double weight = std::exp(-0.5 * effective * misfit) / (slope_noise * slope_noise);
      if (fit->slope <= 0) {
        total += weight;
        continue;
      }
      total += weight;
      sure += weight * gate;
      slope += weight * fit->slope;
      const double sigma = std::sqrt(noise);
      for (std::size_t s = 0; s < kAhead.size(); ++s) {
        const double ahead = fit->now + fit->gain(kAhead[s]) +
                             sigma * std::min(2.0, 0.5 + 0.35 * std::log1p(kAhead[s] / 4.0));
        const double error = std::hypot(0.5 * sigma, slope_noise * kAhead[s]);
        reached[s] += weight * normal((ahead - 1) / error);
      }
    }
  }
  newest.left_p10 = newest.left_p50 = newest.left_p90 = kNever;
  newest.p_horizon = 0;
  if (total > 0) {
    double last = 0;
    for (auto& p : reached) last = p = std::max(last, p / total);
    const auto quantile = [&](double q) {
      double from = 0, p_from = 0;
      for (std::size_t s = 0; s < kAhead.size(); ++s) {
        if (reached[s] >= q)
          return from + (kAhead[s] - from) * (q - p_from) / std::max(1e-9, reached[s] - p_from);
        from = kAhead[s];
        p_from = reached[s];
      }
      return kNever;
    };
    const double gate = sure / total;
    newest.p_horizon = gate * reached[10];
    newest.slope = slope / total;
    if (gate > 0.2) {
      newest.left_p10 = quantile(0.1);
      newest.left_p50 = quantile(0.5);
      newest.left_p90 = quantile(0.9);
    }
    if (gate < 0.3) {
      habit.learn(fits, level);
      if (!std::isnan(history.forgotten())) record = std::max(record, history.forgotten());
    }
  }
  if (newest.p_horizon >= 0.5) high = std::min(high + 1, 2);
  if (newest.p_horizon < 0.15) high = 0;
  newest.alarm = high >= 2 || (newest.alarm && high > 0);
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
  record *= factor;
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
