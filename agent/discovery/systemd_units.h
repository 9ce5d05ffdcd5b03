// The service units of the system's systemd, through sd-bus. Blocks on the bus: run it on the
// BlockingPool.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/runtime/paths.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct SystemdState {
  std::string version;                   // HostFacts.systemd: "252", or "not running"
  std::vector<wire::SystemdUnit> units;  // By name; services only; empty when systemd does not run
  std::uint32_t over_limit = 0;          // Units left out
};

struct SystemdOptions {
  // Empty: the system bus, and without one systemd's own socket. Tests name a peer:
  // "unix:path=...".
  std::string address;
  std::uint64_t call_timeout_us = 2'000'000;
};

inline constexpr std::size_t kMaxUnits = 2'000;
// Main pid and restart count cost a call each, so only for services that run or have failed.
inline constexpr std::size_t kMaxUnitDetails = 512;

// kUnavailable when systemd runs but cannot be asked, kTimeout when it does not answer.
Result<SystemdState> read_systemd(const Paths& paths, const SystemdOptions& options);

}  // namespace observeai::agent
