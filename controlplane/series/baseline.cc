#include "controlplane/series/baseline.h"

#include <algorithm>
#include <cmath>

namespace observeai::series {

namespace {

constexpr std::int64_t kDayMs = 86'400'000;
constexpr double kCut = 6;
// The first days of a slot are averaged, then the newest counts a quarter: a habit is learned in four days.
constexpr double kYoungDays = 3;
constexpr double kNewestDay = 0.25;
constexpr double kNewestWeek = 0.25;
// A part of the week is taken into account when it was seen in two weeks: one Tuesday is no habit.
constexpr double kWeekFromDays = 7;
constexpr double kWeekVisits = 2;
// The first day the scale learns faster: it starts from nothing.
constexpr double kFirstDay = 5;

std::int64_t within(std::int64_t value, std::int64_t cycle) {
  return (value % cycle + cycle) % cycle;
}

int day_slot(std::int64_t ts_ms) {
  return static_cast<int>(within(ts_ms, kDayMs) * Baseline::kDaySlots / kDayMs);
}

int week_slot(std::int64_t ts_ms) {
  return static_cast<int>(within(ts_ms, 7 * kDayMs) * Baseline::kWeekSlots / (7 * kDayMs));
}

// Share of the newest value in a slot that gets `per_visit` values each time its time comes round.
double share(std::uint16_t count, double per_visit, double newest) {
  return count < kYoungDays * per_visit ? 1.0 / (count + 1) : newest / per_visit;
}

}  // namespace

double Baseline::known_week(std::int64_t ts_ms) const {
  const Slot& slot = week_[week_slot(ts_ms)];
  return slot.known ? slot.mean : 0;
}

Expectation Baseline::expect(std::int64_t ts_ms) const {
  Expectation out;
  out.season = day_[day_slot(ts_ms)].mean + known_week(ts_ms);
  out.expected = level_.mean + out.season;
  out.scale = scale_.mean;
  return out;
}

void Baseline::observe(std::int64_t ts_ms, double value, double per_day) {
  if (level_.count == 0) {  // The level begins with the first value, not at 0
    level_.add(value, per_day);
    return;
  }
  Slot& day = day_[day_slot(ts_ms)];
  Slot& week = week_[week_slot(ts_ms)];
  const double rest = value - day.mean - known_week(ts_ms) - level_.mean;
  const double cut = kCut * scale_.mean;
  const double speed = level_.count < per_day ? kFirstDay : 1;
  scale_.add(std::abs(rest), per_day / speed);
  const double kept = std::clamp(rest, -cut, cut);

  const double per_slot = std::max(1.0, per_day / kDaySlots);
  day.mean += static_cast<float>(share(day.count, per_slot, kNewestDay) * kept);
  if (day.count != UINT16_MAX) ++day.count;
  // The week learns only once the days are known, or it would learn them instead.
  if (level_.count > kWeekFromDays * per_day) {
    const double per_part = std::max(1.0, 7 * per_day / kWeekSlots);
    const double rest_of_week = std::clamp(value - day.mean - level_.mean, -cut, cut);
    week.mean +=
        static_cast<float>(share(week.count, per_part, kNewestWeek) * (rest_of_week - week.mean));
    if (week.count < kWeekVisits * per_part) ++week.count;
    week.known = week.count >= kWeekVisits * per_part;
  }
  level_.add(level_.mean + kept, per_day);
}

void Baseline::write(StateWriter& out) const {
  for (const auto& slot : day_) {
    out.real32(slot.mean);
    out.whole(slot.count, 2);
  }
  for (const auto& slot : week_) {
    out.real32(slot.mean);
    out.whole(slot.count, 2);
    out.whole(slot.known ? 1 : 0, 1);
  }
  level_.write(out);
  scale_.write(out);
}

bool Baseline::read(StateReader& in) {
  bool valid = true;
  const auto read_slot = [&](Slot& slot) {
    slot.mean = in.real32();
    slot.count = static_cast<std::uint16_t>(in.whole(2));
    valid = valid && plausible(slot.mean);
  };
  for (auto& slot : day_) read_slot(slot);
  for (auto& slot : week_) {
    read_slot(slot);
    const auto known = in.whole(1);
    slot.known = known == 1;
    valid = valid && known <= 1;
  }
  return valid && level_.read(in) && scale_.read(in) && scale_.mean >= 0;
}

}  // namespace observeai::series
