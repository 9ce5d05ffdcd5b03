// What the tests share that run as a unit of the systemd that in_systemd.sh boots.
#pragma once

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "agent/executor/process_runner.h"
#include "tests/integration/executor_host/action_rig.h"

namespace observeai::test {

// They write units and remove journals, so they run nowhere else.
class InSystemd : public ActionRig {
 public:
  InSystemd() {
    if (std::getenv("OBSERVEAI_IN_SYSTEMD") == nullptr) {
      std::cerr << "SKIPPED: this test is run by in_systemd.sh, in a container of its own\n";
      std::exit(77);
    }
  }
};

// What it printed.
inline std::string call(const std::string& program, std::vector<std::string> arguments) {
  auto end = executor::run_program({.path = program, .arguments = std::move(arguments)},
                                   std::chrono::seconds(60), 256U << 10);
  REQUIRE_MESSAGE(end.has_value(), end.error().message());
  return end->output;
}

}  // namespace observeai::test
