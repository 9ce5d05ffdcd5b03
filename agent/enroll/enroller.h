// From a token to an identity, in steps that explain themselves (`observeai-agent enroll --explain`).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/enroll/control_plane_client.h"
#include "agent/enroll/identity.h"
#include "protocol/base/clock.h"
#include "protocol/pki/enrollment_token.h"

namespace observeai::agent {

inline constexpr const char* kTokenVariable = "OBSERVEAI_ENROLL_TOKEN";
inline constexpr const char* kDefaultTokenFile = "/etc/observeai/enroll.token";

// Where a token may come from, in this order.
struct TokenSources {
  std::string argument;     // "" = none given; every user of the host can read it while we run
  std::string named_file;   // "" = none named; "-" is standard input
  std::string environment;  // The value of kTokenVariable
  std::string file = kDefaultTokenFile;
};

struct EnrollOptions {
  std::string server_host;
  std::uint16_t server_port = 0;
  TokenSources token;
  std::string hostname;
  std::string machine_id_sha256;  // read_machine_id_sha256()
  std::string agent_version;
  bool force = false;  // Replace an identity that is there
};

enum class StepState { kOk, kFailed, kSkipped };

struct Step {
  std::string name;
  StepState state = StepState::kSkipped;
  std::string detail;  // What was found, or why it failed
  std::string next;    // What to do about it; "" unless failed
};

struct EnrollReport {
  std::vector<Step>
      steps;  // Always the same steps in the same order; those after a failure skipped
  std::optional<AgentId> agent;  // Set when the host has an identity now
  bool active = false;           // False: waits for a person's approval
  std::optional<Error> error;    // That of the failed step
};

// Blocking; one run at a time for one folder. Safe to run again after any failure or crash: the host
// shows the same keys to the same token and becomes one agent, not two. On a host that is enrolled and
// without `force` it only finishes a missing confirmation.
class Enroller {
 public:
  // Everything must outlive it. `on_step` sees each step as it ends, for progress.
  Enroller(EnrollOptions options, IdentityStore& store, HttpClientFactory connect,
           const Clock& clock, std::function<void(const Step&)> on_step = {});

  EnrollReport run();

 private:
  struct Run;
  using StepFunction = Result<std::string> (Enroller::*)(Run&);
  struct StepRow;
  static const std::vector<StepRow>& table();

  // The steps: what to say when it went well, or why it did not.
  Result<std::string> look_for_identity(Run& run);
  Result<std::string> read_token(Run& run);
  Result<std::string> read_token_file(Run& run, const std::string& name);
  Result<std::string> parse_token(Run& run);
  Result<std::string> reach_server(Run& run);
  Result<std::string> check_server_key(Run& run);
  Result<std::string> check_clock(Run& run);
  Result<std::string> make_keys(Run& run);
  Result<std::string> send_request(Run& run);
  Result<std::string> check_root_metadata(Run& run);
  Result<std::string> check_certificate(Run& run);
  Result<std::string> store_identity(Run& run);
  Result<std::string> confirm(Run& run);

  const EnrollOptions options_;
  IdentityStore& store_;
  const HttpClientFactory connect_;
  const Clock& clock_;
  const std::function<void(const Step&)> on_step_;
};

// Hex SHA-256 of the machine id (white space trimmed); "" when the host has none.
std::string read_machine_id_sha256(const std::string& path = "/etc/machine-id");

}  // namespace observeai::agent
