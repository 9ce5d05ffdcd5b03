#include "controlplane/predict/hazard.h"

#include <algorithm>
#include <cmath>

#include "controlplane/predict/fields.h"

namespace observeai::predict {
namespace {

constexpr std::uint8_t kVersion = 2;

// A service that logs as usual ends once in 100,000 steps: twice in three months at steps of a minute. Full
// evidence of rising errors makes a step 100 times worse, each e-fold of errors 4.5 times more, each
// e-fold that is to come in ten steps 3 times, each restart of late e times.
constexpr double kQuiet = -11.5;
constexpr double kRising = 4.6;
constexpr double kExcess = 1.5;
constexpr double kGrowth = 1.1;
constexpr double kRestarts = 1.0;
constexpr double kMostExcess = 4.0;  // Beyond 55 times the usual nothing is learned from more
constexpr double kMostGrowth = 2.0;
constexpr double kMostRestarts = 3.0;
constexpr double kGrowthAhead = 10;
constexpr double kFrailty = 2;  // Ends that should have been by now halve the hazard

constexpr double kUsualSteps = 240;
constexpr double kShortSteps = 4;
constexpr double kLongSteps = 16;
constexpr double kRestartSteps = 30;

// The CUSUM asks whether errors doubled; twelve in its units are sure, and a step gives two at most.
constexpr double kSure = 12;
constexpr double kMostInStep = 2;
constexpr double kFewErrors = 0.2;  // Per step: what a service that never logged one may log

constexpr double kRaise = 0.5;  // Alarm: for kRaiseSteps above it and rising ...
constexpr int kRaiseSteps = 2;
constexpr double kClear = 0.2;  // ... until kClearSteps below it
constexpr int kClearSteps = 5;
constexpr int kFarthest = 300;  // Steps ahead that are looked at

double moved(double mean, double value, double steps) {
  return mean + (value - mean) / steps;
}

}  // namespace

Forecast HazardForecaster::observe(std::int64_t step, const ServiceStep& seen) {
  if (seen_ && step <= step_) return newest_;
  if (!seen_) began_ = step;
  const std::int64_t passed = seen_ ? std::min<std::int64_t>(step - step_, kFarthest) : 1;
  seen_ = true;
  step_ = step;
  restarts_ *= std::exp(-static_cast<double>(passed) / kRestartSteps);
  newest_.regime_age =
      static_cast<std::uint32_t>(std::clamp<std::int64_t>(step - began_, 0, UINT32_MAX));
  const bool known = std::isfinite(seen.errors) && std::isfinite(seen.others) && seen.errors >= 0 &&
                     seen.others >= 0;
  if (known) {
    // More errors of more work are usual; less work makes none of them less usual.
    const double rate = usual_weight_ > 0 ? usual_errors_ / usual_weight_ : 0;
    const double work = usual_weight_ > 0 ? usual_others_ / usual_weight_ : 0;
    const double usual =
        std::max(kFewErrors, rate * (work > 0 ? std::max(1.0, seen.others / work) : 1.0));
    if (known_ >= kLearnSteps) weigh(seen.errors, usual);
    learn(seen.errors, seen.others);
    known_ += known_ < UINT32_MAX ? 1 : 0;
  }
  newest_.missing = known_ < kLearnSteps ? kLearnSteps - known_ : 0;
  judge();
  return newest_;
}

// While there is evidence, what is seen is what is to be judged and not what is usual: it is learned so much
// more slowly.
void HazardForecaster::learn(double errors, double others) {
  const double evidence = std::min(1.0, cusum_ / kSure);
  const double share = 1 - 0.95 * evidence;
  const double keep = 1 - share / kUsualSteps;
  usual_errors_ = usual_errors_ * keep + share * errors;
  usual_squares_ = usual_squares_ * keep + share * errors * errors;
  usual_others_ = usual_others_ * keep + share * others;
  usual_weight_ = usual_weight_ * keep + share;
}

void HazardForecaster::weigh(double errors, double usual) {
  if (long_usual_ == 0) {
    short_errors_ = long_errors_ = short_usual_ = long_usual_ = usual;
  }
  short_errors_ = moved(short_errors_, errors, kShortSteps);
  short_usual_ = moved(short_usual_, usual, kShortSteps);
  long_errors_ = moved(long_errors_, errors, kLongSteps);
  long_usual_ = moved(long_usual_, usual, kLongSteps);

  // Poisson, made wider by how much more than Poisson this service's errors vary.
  const double mean = usual_errors_ / usual_weight_;
  const double variance = usual_squares_ / usual_weight_ - mean * mean;
  const double dispersion = std::max(1.0, variance / std::max(mean, kFewErrors));
  const double doubled = 2 * usual + 1;
  const double evidence = (errors * std::log(doubled / usual) - (doubled - usual)) / dispersion;
  cusum_ = std::clamp(cusum_ + std::clamp(evidence, -kMostInStep, kMostInStep), 0.0, kSure);
}

// Per step, so many steps ahead.
double HazardForecaster::hazard(double ahead) const {
  const double evidence = cusum_ / kSure;
  const double burn_short = short_errors_ / std::max(short_usual_, kFewErrors);
  const double burn_long = long_errors_ / std::max(long_usual_, kFewErrors);
  // The long window lags: half of it is enough to be no burst.
  const double burn = std::min(burn_short, 2 * burn_long);
  const double growth = std::clamp(newest_.slope, 0.0, kMostGrowth / kGrowthAhead);
  const double excess =
      std::clamp(std::log(std::max(burn, 1.0)) + growth * ahead, 0.0, kMostExcess);
  const double restarts = std::min(restarts_, kMostRestarts);
  const double frailty = kFrailty / (kFrailty + survived_);
  return frailty *
         std::exp(kQuiet + evidence * (kRising + kExcess * excess +
                                       kGrowth * growth * kGrowthAhead + kRestarts * restarts));
}

double HazardForecaster::steps_until(double cumulated) const {
  double sum = 0;
  for (int ahead = 1; ahead <= kFarthest; ++ahead) {
    sum += hazard(ahead);
    if (sum >= cumulated) return ahead;
  }
  return kNever;
}

void HazardForecaster::judge() {
  newest_.p_horizon = 0;
  newest_.left_p10 = newest_.left_p50 = newest_.left_p90 = kNever;
  newest_.shape = newest_.missing > 0 ? Shape::kUnknown : Shape::kSteady;
  newest_.slope = 0;
  if (cusum_ <= 0) survived_ = 0;
  if (newest_.missing == 0 && long_usual_ > 0) {
    const double fast = (short_errors_ + kFewErrors) / (short_usual_ + kFewErrors);
    const double slow = (long_errors_ + kFewErrors) / (long_usual_ + kFewErrors);
    newest_.slope = std::log(fast / slow) / (kLongSteps - kShortSteps);
  }
  if (newest_.missing == 0 && cusum_ > 0) {
    double sum = 0;
    for (int ahead = 1; ahead <= kHorizonSteps; ++ahead) sum += hazard(ahead);
    newest_.p_horizon = 1 - std::exp(-sum);
    newest_.left_p10 = steps_until(-std::log(0.9));
    newest_.left_p50 = steps_until(-std::log(0.5));
    newest_.left_p90 = steps_until(-std::log(0.1));
    if (newest_.slope > 0.01) newest_.shape = Shape::kExponential;
    survived_ += hazard(0) * (kFrailty + survived_) / kFrailty;  // Without what is survived
  }
  const bool rising = newest_.slope > 0;
  high_ = newest_.p_horizon >= kRaise && rising
              ? static_cast<std::uint8_t>(std::min(high_ + 1, 100))
              : 0;
  low_ = newest_.p_horizon < kClear ? static_cast<std::uint8_t>(std::min(low_ + 1, 100)) : 0;
  if (high_ >= kRaiseSteps) newest_.alarm = true;
  if (low_ >= kClearSteps) newest_.alarm = false;
}

void HazardForecaster::begin_regime(std::int64_t step) {
  began_ = step;
  cusum_ = survived_ = 0;
  short_errors_ = short_usual_ = long_errors_ = long_usual_ = 0;
  high_ = low_ = 0;
  restarts_ += 1;
  const std::uint32_t missing = newest_.missing;
  newest_ = Forecast();
  newest_.missing = missing;
}

template <class Self, class Visitor>
void HazardForecaster::each_field(Self& self, Visitor&& visit) {
  each_number_of(self.newest_, visit);
  visit(self.step_);
  visit(self.began_);
  visit(self.seen_);
  visit(self.known_);
  for (auto* number :
       {&self.usual_errors_, &self.usual_squares_, &self.usual_others_, &self.usual_weight_,
        &self.short_errors_, &self.short_usual_, &self.long_errors_, &self.long_usual_,
        &self.cusum_, &self.survived_, &self.restarts_}) {
    visit(*number);
  }
  visit(self.high_);
  visit(self.low_);
}

bool HazardForecaster::valid() const {
  for (const double number :
       {usual_errors_, usual_squares_, usual_others_, usual_weight_, short_errors_, short_usual_,
        long_errors_, long_usual_, cusum_, survived_, restarts_}) {
    if (!std::isfinite(number) || number < 0) return false;
  }
  return newest_.shape <= Shape::kSawtooth && cusum_ <= kSure && !std::isnan(newest_.p_horizon) &&
         std::isfinite(newest_.slope);
}

std::string HazardForecaster::encode() const {
  FieldWriter writer;
  each_field(*this, writer);
  return with_checksum(kVersion, std::move(writer).take());
}

Result<HazardForecaster> HazardForecaster::decode(std::string_view bytes) {
  const Error damaged(Errc::kInvalid,
                      "the state of a hazard forecaster is damaged or of another version");
  const auto state = checked(kVersion, bytes);
  if (!state) return damaged;
  FieldReader reader(*state);
  HazardForecaster out;
  each_field(out, reader);
  if (reader.failed() || !reader.at_end() || !out.valid()) return damaged;
  return out;
}

}  // namespace observeai::predict
