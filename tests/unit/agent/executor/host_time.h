// Clocks that stand still until told.
#pragma once

#include "agent/executor/session.h"

namespace observeai::test {

class ManualHostTime final : public agent::executor::HostTime {
 public:
  std::int64_t wall_ms() const override { return wall; }
  std::int64_t boot_ms() const override { return boot; }
  Result<std::string> boot_id() const override { return id; }
  void advance(std::int64_t ms) {
    wall += ms;
    boot += ms;
  }

  std::int64_t wall = 1'700'000'000'000;
  std::int64_t boot = 1'000'000;
  std::string id = "boot-1";
};

}  // namespace observeai::test
