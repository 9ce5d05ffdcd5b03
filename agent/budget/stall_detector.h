// Notices that the pipeline stands still although there is something to do. Pure: the caller brings
// what its parts have counted, and acts on what comes out.
//
// Each watched thing has work waiting or not and a number that moves whenever it gets on. Work that
// waits for kStalledAfter without the number moving is a stall; it is over when the number moves or
// nothing waits any more.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/base/clock.h"

namespace observeai::agent {

class StallDetector {
 public:
  // With the ten seconds at most until the event leaves it stays below the 30 s that are promised.
  static constexpr std::chrono::seconds kStalledAfter{20};
  // A stall that lasts so long is ended by a restart.
  static constexpr std::chrono::seconds kHopelessAfter{300};

  struct Progress {
    std::string part;  // "uplink", "workers"
    bool waits = false;
    std::uint64_t moved = 0;
    std::string detail;  // What waits, for a person
    bool restart_helps = true;
  };
  struct Change {
    std::string part;
    bool stalled = false;  // false: it goes on again
    std::chrono::seconds lasted{0};
    std::string detail;
  };

  // Every second or so; parts that are not named any more are forgotten.
  std::vector<Change> look(const std::vector<Progress>& parts, SteadyTime now);
  // The part that has stood still for kHopelessAfter and that a restart helps; empty when none has.
  std::string hopeless(SteadyTime now) const;
  std::size_t stalled() const;

 private:
  struct Watched {
    std::uint64_t moved = 0;
    SteadyTime since{};  // When it last moved, or nothing waited
    bool stalled = false;
    bool restart_helps = true;
  };
  std::map<std::string, Watched> watched_;
};

}  // namespace observeai::agent
