// Times of the week at which the host's owner lets things happen. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::agent::executor {

enum class TimeZone : std::uint8_t { kUtc = 1, kLocal = 2 };

struct Window {
  std::uint8_t days = 0;  // Bit 0 Sunday ... bit 6 Saturday: on which it begins
  int from_minute = 0;    // Of the day
  int to_minute = 0;      // Not any more; up to 1440. Not above `from`: of the next day
  bool operator==(const Window&) const = default;
};

// "Mon-Fri 08:00-18:00", "Sat,Sun 00:00-24:00", "daily 22:00-06:00". kInvalid says what is wrong.
Result<Window> parse_window(std::string_view text);

bool is_open(const Window& window, int weekday, int minute);
bool is_open(const Window& window, std::int64_t unix_ms, TimeZone zone);

}  // namespace observeai::agent::executor
