#include "agent/discovery/unit_restarts.h"

namespace observeai::agent {
namespace {

wire::Event event_of(const wire::SystemdUnit& unit, std::uint32_t times, std::int64_t now_ms) {
  wire::Event event;
  event.ts_ms = now_ms;
  event.kind = "unit.restart";
  event.target = "unit/" + unit.name;
  event.severity = wire::Severity::kWarning;
  event.message = unit.name + " was started again by systemd, " + std::to_string(unit.restarts) +
                  " times so far";
  event.attributes = {{"restart_count", std::to_string(unit.restarts)},
                      {"restarts", std::to_string(times)}};
  return event;
}

}  // namespace

std::vector<wire::Event> UnitRestarts::look(const std::vector<wire::SystemdUnit>& units,
                                            std::int64_t now_ms) {
  std::vector<wire::Event> out;
  std::map<std::string, std::uint32_t> seen;
  for (const auto& unit : units) {
    seen[unit.name] = unit.restarts;
    const auto before = known_.find(unit.name);
    // A unit that was not there before has counted from 0.
    const std::uint32_t from = before == known_.end() ? 0 : before->second;
    if (!looked_ || unit.restarts <= from) continue;
    if (out.size() == kMaxEvents) {
      ++left_out_;
      continue;
    }
    out.push_back(event_of(unit, unit.restarts - from, now_ms));
  }
  known_ = std::move(seen);
  looked_ = true;
  return out;
}

}  // namespace observeai::agent
