#include "agent/budget/stall_detector.h"

#include <algorithm>

namespace observeai::agent {

using std::chrono::duration_cast;
using std::chrono::seconds;

std::vector<StallDetector::Change> StallDetector::look(const std::vector<Progress>& parts,
                                                       SteadyTime now) {
  std::vector<Change> changes;
  std::map<std::string, Watched> still_named;
  for (const auto& part : parts) {
    const auto before = watched_.find(part.part);
    Watched watched =
        before != watched_.end() ? before->second : Watched{part.moved, now, false, true};
    const auto lasted = duration_cast<seconds>(now - watched.since);
    if (!part.waits || part.moved != watched.moved) {
      if (watched.stalled) changes.push_back({part.part, false, lasted, part.detail});
      watched = {part.moved, now, false, true};
    } else if (!watched.stalled && lasted >= kStalledAfter) {
      watched.stalled = true;
      changes.push_back({part.part, true, lasted, part.detail});
    }
    watched.restart_helps = part.restart_helps;
    still_named.emplace(part.part, watched);
  }
  watched_ = std::move(still_named);
  return changes;
}

std::string StallDetector::hopeless(SteadyTime now) const {
  for (const auto& [name, watched] : watched_) {
    if (watched.stalled && watched.restart_helps && now - watched.since >= kHopelessAfter)
      return name;
  }
  return "";
}

std::size_t StallDetector::stalled() const {
  return static_cast<std::size_t>(std::count_if(
      watched_.begin(), watched_.end(), [](const auto& item) { return item.second.stalled; }));
}

}  // namespace observeai::agent
