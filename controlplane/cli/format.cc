#include "controlplane/cli/format.h"

#include <array>
#include <cstdio>
#include <ctime>

#include "protocol/base/text.h"

namespace observeai::controlplane::cli {

std::string ago(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms <= 0) return "-";
  return text::format_duration_ms(std::max<std::int64_t>(0, now_ms - then_ms));
}

std::string since(std::int64_t then_ms, std::int64_t now_ms) {
  return then_ms <= 0 ? "never" : ago(then_ms, now_ms) + " ago";
}

std::string until(std::int64_t then_ms, std::int64_t now_ms) {
  if (then_ms == 0) return "never";
  if (then_ms <= now_ms) return "expired";
  return "in " + text::format_duration_ms(then_ms - now_ms);
}

std::string bytes_or_dash(std::optional<double> bytes) {
  return bytes ? text::format_bytes(*bytes) : "-";
}

std::string cores_or_dash(std::optional<double> cores) {
  if (!cores) return "-";
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), *cores < 0.1 ? "%.3f" : "%.2f", *cores);
  return out.data();
}

std::string rate_or_dash(std::optional<double> per_second) {
  return per_second ? format_value(*per_second, "") + "/s" : "-";
}

std::string local_clock(std::int64_t ts_ms) {
  const std::time_t seconds = ts_ms / 1000;
  const std::time_t now = std::time(nullptr);
  std::tm then{};
  std::tm today{};
  ::localtime_r(&seconds, &then);
  ::localtime_r(&now, &today);
  const bool same_day = then.tm_year == today.tm_year && then.tm_yday == today.tm_yday;
  std::array<char, 40> out{};
  const auto length =
      std::strftime(out.data(), out.size(), same_day ? "%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &then);
  std::snprintf(out.data() + length, out.size() - length, ".%03d", static_cast<int>(ts_ms % 1000));
  return out.data();
}

std::string short_id(const std::string& id) {
  return id.substr(0, 12);
}

Cell state_cell(const std::string& state) {
  for (const char* good :
       {"online", "running", "healthy", "active", "usable", "connected", "balanced"}) {
    if (state == good) return Cell(state, Tone::kGood);
  }
  for (const char* bad : {"offline", "dead", "down", "failed", "revoked", "unhealthy", "gap",
                          "disconnected", "error", "critical"}) {
    if (state == bad) return Cell(state, Tone::kBad);
  }
  for (const char* odd : {"pending", "restarting", "paused", "degraded", "starting", "connecting",
                          "warning", "expired", "unknown"}) {
    if (state == odd) return Cell(state, Tone::kWarning);
  }
  return Cell(state);
}

}  // namespace observeai::controlplane::cli
