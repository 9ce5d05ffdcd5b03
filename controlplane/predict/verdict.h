// The life of one prediction, look by look (docs/adr/0014). Pure.
#pragma once

#include <cstdint>

namespace observeai::predict {

enum class Verdict : std::uint8_t { kOpen, kHit, kFalseAlarm, kPrevented, kUnknown };

// What one look at the resource showed.
struct Look {
  std::int64_t ts_ms = 0;     // Of the newest reading; later than it when readings stay away
  bool is_known = false;      // There is a reading of this time
  bool has_alarm = false;     // A forecaster says so now
  bool has_happened = false;  // OOM kill, used >= limit, exit with an error
  bool has_acted =
      false;  // An action ran on the target, or its limit was raised, while there was an alarm
  bool is_replaced = false;  // It began anew: restart, new container, reboot
  bool is_gone = false;      // The target is there no more
};

// An event may be told after the restart that it caused.
inline constexpr std::int64_t kEventGraceMs = 30'000;
// After an action the threat is gone when no alarm came back in this part of a horizon; without one, in a
// whole horizon.
inline constexpr std::int64_t kSettlingPart = 6;

// From the alarm to the verdict. A plain value: what it knows can be stored.
struct Life {
  std::int64_t horizon_ms = 0;
  std::int64_t known_ms = 0;  // Newest reading
  std::int64_t quiet_ms = 0;  // Without an alarm since; 0: there is one
  std::int64_t ended_ms = 0;  // Replaced or gone since; 0: neither
  bool is_gone = false;
  bool has_acted = false;
  bool operator==(const Life&) const = default;
};

// In order of their times; the first match counts:
//
//   it happened                                                        hit
//   gone or replaced, and nothing happened for kEventGraceMs:
//     an action ran                                                    prevented
//     else                                                             unknown
//   no reading for a horizon                                           unknown
//   no alarm for horizon / kSettlingPart, an action ran before         prevented
//   no alarm for a horizon                                             false alarm
//   else                                                               open
Verdict look_at(Life& life, const Look& look);

}  // namespace observeai::predict
