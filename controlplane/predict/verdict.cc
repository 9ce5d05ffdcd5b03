#include "controlplane/predict/verdict.h"

#include <algorithm>

namespace observeai::predict {

Verdict look_at(Life& life, const Look& look) {
  if (look.has_happened) return Verdict::kHit;
  if (look.is_known) life.known_ms = std::max(life.known_ms, look.ts_ms);
  life.has_acted = life.has_acted || look.has_acted;
  if (life.ended_ms == 0 && (look.is_replaced || look.is_gone)) life.ended_ms = look.ts_ms;
  life.is_gone = look.is_gone;
  if (look.has_alarm) {
    life.quiet_ms = 0;
    // What began anew and is threatened again is the same threat.
    if (!look.is_gone && look.ts_ms - life.ended_ms >= kEventGraceMs) life.ended_ms = 0;
  } else if (life.quiet_ms == 0) {
    life.quiet_ms = look.ts_ms;
  }

  if (life.ended_ms != 0 && look.ts_ms - life.ended_ms >= kEventGraceMs)
    return life.has_acted ? Verdict::kPrevented : Verdict::kUnknown;
  if (look.ts_ms - life.known_ms >= life.horizon_ms) return Verdict::kUnknown;
  if (life.quiet_ms == 0) return Verdict::kOpen;
  const std::int64_t quiet = look.ts_ms - life.quiet_ms;
  if (life.has_acted && quiet >= life.horizon_ms / kSettlingPart) return Verdict::kPrevented;
  return quiet >= life.horizon_ms ? Verdict::kFalseAlarm : Verdict::kOpen;
}

}  // namespace observeai::predict
