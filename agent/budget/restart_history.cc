#include "agent/budget/restart_history.h"

#include <algorithm>

#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::size_t kMaxFileBytes = 64 << 10;

std::string one_line(std::string_view text) {
  std::string out(text.substr(0, RestartHistory::kMaxReasonBytes));
  std::replace_if(
      out.begin(), out.end(), [](unsigned char c) { return c < ' ' || c == 0x7F; }, ' ');
  return text::replace_invalid_utf8(out);
}

}  // namespace

RestartHistory RestartHistory::parse(std::string_view text) {
  RestartHistory out;
  for (const auto line : text::split(text, '\n')) {
    const std::size_t space = line.find(' ');
    const auto at = text::parse_u64(line.substr(0, space));
    if (!at || *at > static_cast<std::uint64_t>(INT64_MAX)) continue;
    const auto reason = space == std::string_view::npos ? "" : line.substr(space + 1);
    out.add({static_cast<std::int64_t>(*at), std::string(reason)});
  }
  return out;
}

std::string RestartHistory::text() const {
  std::string out;
  for (const auto& restart : restarts_) {
    out += std::to_string(restart.at_ms) + " " + restart.reason + "\n";
  }
  return out;
}

void RestartHistory::add(Restart restart) {
  restart.reason = one_line(restart.reason);
  restarts_.push_back(std::move(restart));
  if (restarts_.size() > kKept) restarts_.erase(restarts_.begin());
}

bool RestartHistory::bring_back(std::int64_t now_ms) {
  bool changed = false;
  for (auto& restart : restarts_) {
    if (restart.at_ms - kHourMs <= now_ms) continue;
    restart.at_ms = now_ms;
    changed = true;
  }
  return changed;
}

std::size_t RestartHistory::in_last_hour(std::int64_t now_ms) const {
  return static_cast<std::size_t>(
      std::count_if(restarts_.begin(), restarts_.end(),
                    [now_ms](const auto& restart) { return restart.at_ms > now_ms - kHourMs; }));
}

Result<RestartHistory> load_restarts(const std::string& path) {
  const auto text = files::read(path, kMaxFileBytes);
  if (text) return RestartHistory::parse(*text);
  if (text.error().code() == Errc::kNotFound) return RestartHistory();
  return text.error();
}

Result<void> store_restarts(const std::string& path, const RestartHistory& history) {
  return files::write_atomic(path, history.text(), 0600);
}

}  // namespace observeai::agent
