#include "controlplane/series/evidence.h"

#include <algorithm>
#include <cmath>

namespace observeai::series {

namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr double kTiny = 1e-12;
// Four weeks of minutes: what is usual follows slow changes only.
constexpr double kUsualSpan = 40'000;
// A deviation counts at most this many usual ones when the usual size is learned, plus a share of the
// spread, without which a series that is nearly always constant could never learn that it is not.
constexpr double kOutlier = 20;
constexpr double kOutlierSpread = 0.02;
// No deviation is large that is small against all that the series does: a floor below the usual size.
constexpr double kFloorSpread = 0.02;
constexpr double kHourlyShare = 0.3;  // Of the usual size over all hours, below that of one hour
constexpr double kSpreadDays = 7;
constexpr double kWeekHalfDays = 3;
constexpr double kSpreadCut = 6;
constexpr double kSpreadCutAll = 0.1;
constexpr std::uint32_t kYoung = 200;  // Below this nothing is cut
constexpr std::uint32_t kTailFrom =
    100;  // Values before the tails learn: z needs a usual size first

float ratio(double value) {
  return static_cast<float>(std::clamp(std::log10(value + 1e-9), -2.0, 2.5));
}

float rarity(const Tail& tail, double z) {
  return static_cast<float>(std::clamp(-std::log10(tail.probability(z)), 0.0, 6.0));
}

}  // namespace

struct Evidence::Deviations {
  std::array<double, kDeviations> size{};  // Absolute
  double median5 = 0;                      // Signed
  // In units of what is usual:
  std::array<double, kDeviations> z{};
  double hourly = 0;
  double relative = 0;
  double floor = 0;
};

double Evidence::median_before(std::uint32_t count) const {
  std::array<double, kRecent> sorted;
  for (std::uint32_t i = 0; i < count; ++i) sorted[i] = recent_[(seen_ - 1 - i) % kRecent];
  std::nth_element(sorted.begin(), sorted.begin() + count / 2, sorted.begin() + count);
  return sorted[count / 2];
}

Evidence::Deviations Evidence::deviations(std::int64_t ts_ms, double value, double season) const {
  Deviations out;
  const double rest = value - season;
  const double step = value - recent_[(seen_ - 1) % kRecent];
  const double season60 = rest - rest60_.mean;
  const bool agree = step * season60 > 0;
  out.size[kStep] = std::abs(step);
  out.size[kMean10] = std::abs(value - mean10_.mean);
  out.size[kMean30] = std::abs(value - mean30_.mean);
  out.size[kSeason60] = std::abs(season60);
  out.size[kSeasonDay] = std::abs(rest - rest_day_.mean);
  out.size[kAgreed] = agree ? std::min(std::abs(step), std::abs(season60)) : 0;
  out.size[kMedian15] = std::abs(value - median_before(15));
  out.size[kMedian30] = std::abs(value - median_before(30));
  out.median5 = value - median_before(5);

  out.floor = kFloorSpread * spread_all_.deviation() + kTiny;
  for (int i = 0; i < kDeviations; ++i) out.z[i] = out.size[i] / (usual_[i].mean + out.floor);
  const double median5 = std::abs(out.median5);
  const auto hour = static_cast<std::size_t>((ts_ms / kHourMs % 24 + 24) % 24);
  out.hourly = median5 / (hourly_[hour].mean + kHourlyShare * usual_median5_.mean + out.floor);
  out.relative = median5 / (std::abs(level_.mean) + 1e-9);
  return out;
}

Features Evidence::features(std::int64_t ts_ms, double value, double season) const {
  Features out{};
  if (seen_ < kRecent) return out;
  const Deviations d = deviations(ts_ms, value, season);
  const double median5 = std::abs(d.median5);
  const double usual = usual_median5_.mean;
  for (int i = 0; i < kDeviations; ++i) out[i] = ratio(d.z[i]);
  out[kRareAgreed] = rarity(rare_agreed_, d.z[kAgreed]);
  out[kRareSeason60] = rarity(rare_season60_, d.z[kSeason60]);
  out[kRareMedian15] = rarity(rare_median15_, d.z[kMedian15]);
  out[kRareHourly] = rarity(rare_hourly_, d.hourly);
  out[kRareRelative] = rarity(rare_relative_, d.relative);
  out[kRelative] = ratio(d.relative);
  out[kSpread] = ratio(median5 / (spread_all_.deviation() + kTiny));
  out[kHourly] = ratio(d.hourly);
  out[kRough10] = ratio(rough10_.mean / (usual + kTiny));
  out[kRough60] = ratio(rough60_.mean / (usual + kTiny));
  out[kAgainstDay] = ratio(median5 / (day_maximum_.value + d.floor));
  out[kAgainstWeek] = ratio(median5 / (week_maximum_.value + d.floor));
  out[kUpwards] = d.median5 > 0 ? 1 : 0;
  out[kNoise] = ratio(usual / (spread_.deviation() + kTiny));
  out[kHeavy] = ratio(week_maximum_.value / (usual + d.floor));
  out[kNoiseToLevel] = ratio(usual / (std::abs(level_.mean) + 1e-9));
  out[kOutliers] = ratio(spread_.deviation() / (spread_all_.deviation() + kTiny));
  return out;
}

double Evidence::probability(const Features& features) const {
  // Three tails are asked; Bonferroni makes the smallest of three a p-value again.
  const float rarest =
      std::max({features[kRareAgreed], features[kRareMedian15], features[kRareHourly]});
  return std::min(1.0, 3 * std::pow(10.0, -static_cast<double>(rarest)));
}

void Evidence::observe(std::int64_t ts_ms, double value, double season, double per_day) {
  const double rest = value - season;
  if (seen_ >= kRecent) {
    const Deviations d = deviations(ts_ms, value, season);
    const double all = spread_all_.deviation();
    if (usual_[0].count > kTailFrom) {
      rare_agreed_.add(d.z[kAgreed]);
      rare_season60_.add(d.z[kSeason60]);
      rare_median15_.add(d.z[kMedian15]);
      rare_hourly_.add(d.hourly);
      rare_relative_.add(d.relative);
    }
    const auto learn = [&](MovingMean& usual, double size) {
      const double most = kOutlier * usual.mean + kOutlierSpread * all;
      usual.add(usual.count > kYoung ? std::min(size, most) : size, kUsualSpan);
    };
    for (int i = 0; i < kDeviations; ++i) learn(usual_[i], d.size[i]);
    const double median5 = std::abs(d.median5);
    learn(usual_median5_, median5);
    const auto hour = static_cast<std::size_t>((ts_ms / kHourMs % 24 + 24) % 24);
    MovingMean& hourly = hourly_[hour];
    const double most = kOutlier * hourly.mean + usual_median5_.mean;
    hourly.add(hourly.count > 60 ? std::min(median5, most) : median5, per_day / 24 * 5);
    rough10_.add(std::min(median5, 10 * usual_median5_.mean), 10);
    rough60_.add(std::min(median5, 10 * usual_median5_.mean), 60);
    day_maximum_.add(median5, per_day / 2);
    week_maximum_.add(median5, kWeekHalfDays * per_day);
  }
  const double cut =
      kSpreadCut * spread_.deviation() + kSpreadCutAll * spread_all_.deviation() + 1e-9;
  const double kept =
      seen_ > kYoung ? std::clamp(value, spread_.mean() - cut, spread_.mean() + cut) : value;
  spread_.add(kept, kSpreadDays * per_day);
  spread_all_.add(value, kSpreadDays * per_day);
  mean10_.add(value, 10);
  mean30_.add(value, 30);
  level_.add(value, per_day);
  rest60_.add(rest, 60);
  level_rest_.add(std::abs(rest - rest_day_.mean), per_day);
  const double limit = kSpreadCut * level_rest_.mean;
  rest_day_.add(rest_day_.mean + std::clamp(rest - rest_day_.mean, -limit, limit), per_day);

  recent_[seen_ % kRecent] = value;
  // Folded long before it overflows, at a multiple of the ring's length.
  if (++seen_ == kRecent * 100'000'000U) seen_ -= kRecent * 50'000'000U;
}

void Evidence::write(StateWriter& out) const {
  for (const double value : recent_) out.real64(value);
  out.whole(seen_, 4);
  for (const auto* mean : {&mean10_, &mean30_, &rest60_, &rest_day_, &level_, &level_rest_,
                           &usual_median5_, &rough10_, &rough60_}) {
    mean->write(out);
  }
  for (const auto& mean : usual_) mean.write(out);
  for (const auto& mean : hourly_) mean.write(out);
  spread_.write(out);
  spread_all_.write(out);
  day_maximum_.write(out);
  week_maximum_.write(out);
  for (const auto* tail :
       {&rare_agreed_, &rare_season60_, &rare_median15_, &rare_hourly_, &rare_relative_}) {
    tail->write(out);
  }
}

bool Evidence::read(StateReader& in) {
  bool valid = true;
  for (double& value : recent_) {
    value = in.real64();
    valid = valid && plausible(value);
  }
  seen_ = static_cast<std::uint32_t>(in.whole(4));
  valid = valid && seen_ < kRecent * 100'000'000U;
  for (auto* mean : {&mean10_, &mean30_, &rest60_, &rest_day_, &level_, &level_rest_,
                     &usual_median5_, &rough10_, &rough60_}) {
    valid = mean->read(in) && valid;
  }
  for (auto& mean : usual_) valid = mean.read(in) && mean.mean >= 0 && valid;
  for (auto& mean : hourly_) valid = mean.read(in) && mean.mean >= 0 && valid;
  valid = spread_.read(in) && spread_all_.read(in) && day_maximum_.read(in) &&
          week_maximum_.read(in) && valid;
  for (auto* tail :
       {&rare_agreed_, &rare_season60_, &rare_median15_, &rare_hourly_, &rare_relative_}) {
    valid = tail->read(in) && valid;
  }
  return valid;
}

}  // namespace observeai::series
