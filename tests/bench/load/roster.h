// The agents of a bench: enrolled straight into the state folder of a control plane that does not run
// yet, with the project's own certificate authority and store, and kept in one file for later steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/signing/sealing.h"
#include "protocol/topics/topics.h"
#include "tests/bench/load/mqtt_link.h"

namespace observeai::bench {

struct EnrolledAgent {
  topics::AgentAddress address;
  signing::SessionKeys keys;
  TlsIdentity tls;
};

struct Roster {
  std::string server_ca_pem;
  std::vector<EnrolledAgent> agents;
};

// Makes `count` active agents in `state_dir`, as if they had enrolled, and writes `file`.
Result<void> enroll_agents(const std::string& state_dir, std::size_t count,
                           const std::string& file);
Result<Roster> load_roster(const std::string& file);

}  // namespace observeai::bench
