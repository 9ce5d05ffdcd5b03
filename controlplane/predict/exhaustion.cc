#include "controlplane/predict/exhaustion.h"

#include <algorithm>
#include <cmath>

#include "controlplane/predict/fields.h"
#include "controlplane/predict/habit.h"
#include "controlplane/predict/history.h"
#include "controlplane/predict/judgement.h"

namespace observeai::predict {
namespace {

constexpr std::uint8_t kVersion = 1;
// Claims nothing from fewer known steps of a regime: a trend and noise cannot be told apart.
constexpr int kLeastSteps = 24;
// Raised when exhaustion within the horizon is more likely than one in three, twice in a row: an alarm too
// many costs a look, one too few an outage. Lowered below half of that.
constexpr double kRaise = 1.0 / 3;
constexpr double kLower = kRaise / 2;
constexpr std::uint8_t kRaiseAfter = 2;
// Growth surer than this is not learnt as a habit.
constexpr double kUnusual = 0.3;
// Keeps squares finite; nothing is used a thousand times over.
constexpr double kMostUsed = 1'000;

// From one step to a later one, without overflow.
std::uint64_t between(std::int64_t from, std::int64_t to) {
  return static_cast<std::uint64_t>(to) - static_cast<std::uint64_t>(from);
}

}  // namespace

struct ExhaustionForecaster::State {
  History history;
  Habit habit;
  Forecast newest;
  std::int64_t step = 0;
  std::int64_t began = 0;
  bool any = false;
  std::uint8_t high = 0;   // Steps in a row at kRaise or above, at most kRaiseAfter
  std::uint8_t known = 0;  // Steps of the regime, at most kLeastSteps

  void observe(std::int64_t at, float used);
  void look(float level);
  void claim(const Judgement& judgement);
  void begin_regime(std::int64_t at);
  void scale(float factor);

  template <class Visitor>
  void each_field(Visitor&& visit) {
    visit(history);
    visit(habit);
    each_number_of(newest, visit);
    visit(step);
    visit(began);
    visit(any);
    visit(high);
    visit(known);
  }
  bool valid() const {
    return history.valid() && habit.valid() && newest.shape <= Shape::kSawtooth &&
           high <= kRaiseAfter && known <= kLeastSteps;
  }
};

void ExhaustionForecaster::State::observe(std::int64_t at, float used) {
  if (!any) began = at;
  if (any) history.skip(between(step, at) - 1);
  any = true;
  step = at;
  history.push(used);
  if (!std::isnan(used) && known < kLeastSteps) ++known;
  const std::uint64_t age = at > began ? between(began, at) : 0;
  newest.regime_age = static_cast<std::uint32_t>(std::min<std::uint64_t>(age, UINT32_MAX));
  newest.missing = static_cast<std::uint32_t>(kLeastSteps - known);
  if (!std::isnan(used)) {
    look(history.mean(0, kLevelSteps));
  } else if (std::isnan(history.mean(0, History::kFine))) {
    claim(Judgement{});  // A shorter gap leaves standing what was said
  }
}

void ExhaustionForecaster::State::look(float level) {
  Judgement judgement;
  if (newest.missing == 0 && habit.may_be_new(level)) judgement = judge(history, habit, level);
  if (judgement.grows < kUnusual) {
    habit.learn(level, history.mean(Habit::kLag, kLevelSteps));
    if (!std::isnan(history.forgotten())) habit.note_level(history.forgotten());
  }
  claim(judgement);
}

void ExhaustionForecaster::State::claim(const Judgement& judgement) {
  newest.p_horizon = judgement.p_horizon;
  newest.left_p10 = judgement.left_p10;
  newest.left_p50 = judgement.left_p50;
  newest.left_p90 = judgement.left_p90;
  newest.shape = newest.missing > 0 ? Shape::kUnknown : judgement.shape;
  newest.slope = judgement.slope;
  if (newest.p_horizon >= kRaise) {
    high = static_cast<std::uint8_t>(std::min<int>(high + 1, kRaiseAfter));
  } else if (newest.p_horizon < kLower) {
    high = 0;
  }
  newest.alarm = high == kRaiseAfter;
}

void ExhaustionForecaster::State::begin_regime(std::int64_t at) {
  history.clear();
  began = at;
  high = known = 0;
  newest = Forecast{};
  newest.missing = kLeastSteps;
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
  if (!state_->any || step > state_->step) {
    const double read = std::isfinite(used) ? std::clamp(used, 0.0, kMostUsed) : std::nan("");
    state_->observe(step, static_cast<float>(read));
  }
  return state_->newest;
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
  return with_checksum(kVersion, std::move(writer).take());
}

Result<ExhaustionForecaster> ExhaustionForecaster::decode(std::string_view bytes) {
  const Error damaged(Errc::kInvalid, "the state of a forecaster is damaged or of another version");
  const auto state = checked(kVersion, bytes);
  if (!state) return damaged;
  FieldReader reader(*state);
  ExhaustionForecaster forecaster;
  EachNumber each(reader);
  forecaster.state_->each_field(each);
  if (reader.failed() || !reader.at_end() || !forecaster.state_->valid()) return damaged;
  return forecaster;
}

}  // namespace observeai::predict
