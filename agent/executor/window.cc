#include "agent/executor/window.h"

#include <time.h>

#include <array>
#include <optional>

#include "protocol/base/text.h"

namespace observeai::agent::executor {
namespace {

constexpr int kDays = 7;
constexpr int kMinutesOfDay = 24 * 60;
constexpr std::uint8_t kEveryDay = 0x7f;
constexpr std::array<std::string_view, kDays> kNames = {"Sun", "Mon", "Tue", "Wed",
                                                        "Thu", "Fri", "Sat"};

Error bad(std::string_view text) {
  return Error(Errc::kInvalid,
               "\"" + text::escape_unprintable(text, 64) +
                   "\" must be like \"Mon-Fri 08:00-18:00\", \"Sat,Sun 00:00-24:00\""
                   " or \"daily 22:00-06:00\"");
}

std::optional<int> day_of(std::string_view name) {
  for (int day = 0; day < kDays; ++day) {
    if (kNames[static_cast<std::size_t>(day)] == name) return day;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> days_of(std::string_view text) {
  if (text == "daily") return kEveryDay;
  unsigned days = 0;
  for (const auto part : text::split(text, ',')) {
    const auto ends = text::split(part, '-');
    if (ends.size() > 2) return std::nullopt;
    const auto first = day_of(ends.front());
    const auto last = day_of(ends.back());
    if (!first || !last) return std::nullopt;
    for (int day = *first;; day = (day + 1) % kDays) {
      days |= 1U << day;
      if (day == *last) break;
    }
  }
  return static_cast<std::uint8_t>(days);
}

std::optional<int> minute_of(std::string_view text) {
  constexpr std::size_t kLength = 5;  // "08:00"
  if (text.size() != kLength || text[2] != ':') return std::nullopt;
  const auto hour = text::parse_u64(text.substr(0, 2));
  const auto minute = text::parse_u64(text.substr(3));
  if (!hour || !minute || *minute > 59) return std::nullopt;
  const int total = static_cast<int>(*hour) * 60 + static_cast<int>(*minute);
  if (total > kMinutesOfDay) return std::nullopt;
  return total;
}

}  // namespace

Result<Window> parse_window(std::string_view text) {
  const auto space = text.find(' ');
  if (space == std::string_view::npos) return bad(text);
  const auto times = text::split(text.substr(space + 1), '-');
  if (times.size() != 2) return bad(text);
  const auto days = days_of(text.substr(0, space));
  const auto from = minute_of(times[0]);
  const auto to = minute_of(times[1]);
  if (!days || !from || !to || *from == kMinutesOfDay || *from == *to) return bad(text);
  return Window{*days, *from, *to};
}

bool is_open(const Window& window, int weekday, int minute) {
  const auto begins_on = [&window](int day) { return (window.days >> day & 1) != 0; };
  if (window.from_minute < window.to_minute)
    return begins_on(weekday) && minute >= window.from_minute && minute < window.to_minute;
  const int yesterday = (weekday + kDays - 1) % kDays;
  return (begins_on(weekday) && minute >= window.from_minute) ||
         (begins_on(yesterday) && minute < window.to_minute);
}

bool is_open(const Window& window, std::int64_t unix_ms, TimeZone zone) {
  const time_t seconds = static_cast<time_t>(unix_ms / 1000);
  struct tm parts {};
  if (zone == TimeZone::kUtc) {
    if (::gmtime_r(&seconds, &parts) == nullptr) return false;
  } else if (::localtime_r(&seconds, &parts) == nullptr) {
    return false;
  }
  return is_open(window, parts.tm_wday, parts.tm_hour * 60 + parts.tm_min);
}

}  // namespace observeai::agent::executor
