// Tells when systemd has started a service again by itself: its count goes up between two looks. What was
// before the first look, and what a daemon-reexec or a restart by hand sets back to 0, is not told.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/wire/signals.h"

namespace observeai::agent {

class UnitRestarts {
 public:
  // At most this many of one look; a host whose services all restart says so by fewer.
  static constexpr std::size_t kMaxEvents = 64;

  // "unit.restart" events, by name; attribute "restarts": how many since the look before.
  std::vector<wire::Event> look(const std::vector<wire::SystemdUnit>& units, std::int64_t now_ms);
  std::uint64_t left_out() const { return left_out_; }

 private:
  std::map<std::string, std::uint32_t> known_;
  bool looked_ = false;
  std::uint64_t left_out_ = 0;  // Beyond kMaxEvents
};

}  // namespace observeai::agent
