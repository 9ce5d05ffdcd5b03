#include "controlplane/predict/judgement.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "controlplane/predict/growth.h"
#include "controlplane/predict/passage.h"

namespace observeai::predict {
namespace {

// Growth less sure than this is not worth a time: about what is said of the record itself.
constexpr double kLeastSure = 0.05;
// Ways that matter less than this share change no digit that is shown.
constexpr double kLeastShare = 0.005;

// A jump or fall is what noise does in one of a thousand neighbours.
constexpr double kJump = 3;
// Stairs: several jumps make most of the growth. Sawtooth: it falls back at least twice.
constexpr double kStairShare = 0.7;
constexpr int kLeastJumps = 3;
constexpr int kLeastFalls = 2;
// The likeliest onset may be that of the newest stair or tooth: so many steps are looked at, or all since it.
constexpr float kLeastSpan = 128;

// How what is new since `onset` came about.
Shape shape_of(const Way& way, std::span<const Point> points, const Noise& usual) {
  int rises = 0, falls = 0;
  bool rising = false;
  double risen = 0, grown = 0;
  const float span = std::max(way.onset, kLeastSpan);
  for (std::size_t i = 0; i + 1 < points.size() && points[i + 1].age < span; ++i) {
    const double change = points[i].value - points[i + 1].value;
    grown += change;
    const double gap = points[i + 1].age - points[i].age;
    const double noise = std::sqrt(2 * usual.variance * (1 - std::pow(usual.keeps, gap)));
    const bool jumped = change > kJump * noise;
    if (jumped) risen += change;
    if (jumped && !rising) ++rises;  // One that several points show is one
    rising = jumped;
    if (change < -kJump * noise) ++falls;
  }
  if (falls >= kLeastFalls) return Shape::kSawtooth;
  if (rises >= kLeastJumps && risen > kStairShare * grown) return Shape::kStairs;
  return way.bend > 0 ? Shape::kExponential : Shape::kLinear;
}

}  // namespace

Judgement judge(const History& history, const Habit& habit, float level) {
  Judgement judgement;
  // The later growth began, the higher a past it has to exceed.
  const float oldest = history.oldest();
  std::array<double, kOnsets.size()> newness{};
  for (std::size_t i = kOnsets.size(); i-- > 0;) {
    const float before = history.highest_before(static_cast<int>(kOnsets[i]));
    newness[i] = habit.newness(level, std::isinf(before) ? oldest : before);
    if (newness[i] > 0 && newness[i] < kLeastSure) break;
  }
  if (*std::ranges::max_element(newness) < kLeastSure) return judgement;

  std::array<Point, History::kMaxPoints> room;
  const auto points = history.points(room);
  const Noise usual = habit.noise();
  const Ways ways = explain(points, usual);
  const Noise noise{usual.variance * ways.stretch, usual.keeps};
  const double now = history.mean(0, kLevelSteps / 2);
  const Way* likeliest = nullptr;
  for (const Way& way : std::span(ways.all.data(), ways.n)) {
    if (way.onset == 0) continue;
    judgement.grows += way.weight * newness[way.onset_index];
    if (way.goes_on() && (likeliest == nullptr || way.weight > likeliest->weight)) likeliest = &way;
  }
  if (judgement.grows < kLeastSure || likeliest == nullptr) return judgement;

  Passage all, onward;
  double rest = 0;
  for (const Way& way : std::span(ways.all.data(), ways.n)) {
    if (way.onset == 0) continue;
    const double weight = way.weight * newness[way.onset_index];
    if (!way.goes_on()) rest += way.weight;
    if (way.goes_on()) judgement.slope += way.weight * way.slope();
    if (weight >= kLeastShare * judgement.grows) all.add(way, weight, noise, now);
    if (way.goes_on() && way.weight >= kLeastShare * likeliest->weight) {
      onward.add(way, way.weight, noise, now);
    }
  }
  const double p_horizon = all.within(kHorizonSteps);
  if (!std::isfinite(p_horizon)) return {};  // Out of what numbers can hold, after absurd limits
  judgement.p_horizon = std::min(1.0, p_horizon);
  judgement.left_p10 = onward.quantile(0.1);
  judgement.left_p50 = onward.quantile(0.5);
  judgement.left_p90 = onward.quantile(0.9);
  if (rest < 0.5) judgement.shape = shape_of(*likeliest, points, usual);
  return judgement;
}

}  // namespace observeai::predict
