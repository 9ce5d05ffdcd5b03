#include "agent/logs/docker_time.h"

#include <array>
#include <chrono>
#include <cstring>
#include <tuple>

#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

// What stands before the fraction, and what it means: lines of one second follow each other.
struct Second {
  std::array<char, 19> text{};
  std::int64_t unix_s = 0;
};

// Up to nine digits behind a point and 'Z', as nanoseconds; -1 when it is something else.
std::int64_t fraction_ns(std::string_view text) {
  if (text.size() < 3 || text.size() > 11 || text[0] != '.' || text.back() != 'Z') return -1;
  std::int64_t value = 0;
  for (const char c : text.substr(1, text.size() - 2)) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  for (auto digits = text.size() - 2; digits < 9; ++digits) value *= 10;
  return value;
}

// The daemon's own form, "2026-11-21T07:45:00.123456789Z"; everything else is left to the general
// one.
std::optional<std::int64_t> parse_full_time(std::string_view text) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00";
  const auto general = [&]() -> std::optional<std::int64_t> {
    auto parsed = text::parse_rfc3339_ns(text);
    if (!parsed) return std::nullopt;
    return *parsed;
  };
  if (text.size() < kShape.size() + 1 || text.size() > kShape.size() + 11 || text.back() != 'Z') {
    return general();
  }
  std::array<unsigned, 20> digit{};
  for (std::size_t i = 0; i < kShape.size(); ++i) {
    digit[i] = static_cast<unsigned>(text[i] - '0');
    if (kShape[i] == '0' ? digit[i] > 9 : text[i] != kShape[i]) return general();
  }
  const auto two = [&](std::size_t i) { return digit[i] * 10 + digit[i + 1]; };
  const auto year = static_cast<int>(two(0) * 100 + two(2));
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(two(5)),
                                         std::chrono::day(two(8))};
  if (year < 1970 || year > 2200 || !date.ok() || two(11) > 23 || two(14) > 59 || two(17) > 59) {
    return general();
  }
  std::int64_t fraction = 0;
  const auto digits = text.substr(kShape.size(), text.size() - kShape.size() - 1);
  if (!digits.empty()) {
    if (digits[0] != '.' || digits.size() < 2 || digits.size() > 10) return general();
    std::int64_t scale = 100'000'000;
    for (const char c : digits.substr(1)) {
      if (c < '0' || c > '9') return general();
      fraction += (c - '0') * scale;
      scale /= 10;
    }
  }
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t seconds =
      std::int64_t{days} * 86'400 + two(11) * 3600 + two(14) * 60 + two(17);
  return seconds * 1'000'000'000 + fraction;
}

}  // namespace

std::optional<std::int64_t> parse_docker_time(std::string_view text) {
  static thread_local Second last;
  constexpr auto kBytes = std::tuple_size_v<decltype(last.text)>;
  const auto fraction = text.size() > kBytes ? fraction_ns(text.substr(kBytes)) : -1;
  if (fraction < 0) return parse_full_time(text);
  if (std::memcmp(text.data(), last.text.data(), kBytes) != 0) {
    const auto whole = parse_full_time(text);
    if (!whole) return whole;
    std::memcpy(last.text.data(), text.data(), kBytes);
    last.unix_s = (*whole - fraction) / 1'000'000'000;
  }
  return last.unix_s * 1'000'000'000 + fraction;
}

}  // namespace observeai::agent
