// The only way a broker's configuration changes:
//
//   step                                   an error there leaves
//   validate the candidate                 the old generation running
//   scratch broker with it, canaries       the old generation running
//   swap `current`, restart                the broker halted (fail closed)
//   the same canaries, live                the broker halted (fail closed)
//
// Killed between two of these steps: `current`, what the supervisor says it runs and the mark of the
// live check tell how far it came, and settle() does the rest.
//
// Canary messages carry the tenant kCanaryTenant; ingest sees them and refuses them like any agent
// that is not in its registry.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "controlplane/broker/broker_config.h"
#include "controlplane/broker/canaries.h"
#include "controlplane/broker/generations.h"
#include "protocol/base/result.h"

namespace observeai::controlplane {

struct ApplyRequest {
  BrokerSettings settings;
  BrokerFiles files;
};

struct ApplyReport {
  std::string generation;
  std::chrono::milliseconds scratch{0};  // Scratch broker and its canaries
  std::chrono::milliseconds restart{0};
  std::chrono::milliseconds live{0};
};

// One apply at a time; blocks, about a second in all (see patience).
class GuardedApply {
 public:
  struct Options {
    std::string state_directory;
    CanaryIdentities canaries;
    // A name in the broker's certificate that leads to it from this machine.
    std::string broker_host = "localhost";
    // Issuer matches, nextUpdate is far enough ahead: protocol/pki knows.
    std::function<Result<void>(const std::string& crl_pem)> check_crl;
    MakeClient make_client = mqtt::make_paho_client;
    std::string program = "/usr/sbin/mosquitto";
    std::chrono::milliseconds patience{
        5000};  // Of each canary run; the start of a broker has its own 3 s
  };
  explicit GuardedApply(Options options)
      : options_(std::move(options)), generations_(options_.state_directory) {}

  // Needs a running supervisor. The error says which step failed and what runs now.
  Result<ApplyReport> apply(const ApplyRequest& request);
  // While no supervisor is running: everything up to the swap; the supervisor starts from it later.
  Result<ApplyReport> prepare(const ApplyRequest& request);
  // Makes the supervisor run `current` and that checked: nothing when it is so, else the live canaries,
  // after a restart where one is needed. Clears a halt. Errors as of apply(), from the restart on.
  Result<void> settle(std::uint16_t port);

 private:
  Result<void> validate(const ApplyRequest& request) const;
  Result<std::string> try_in_scratch(const ApplyRequest& request);
  Result<void> go_live(std::uint16_t port, ApplyReport& report);
  Result<void> check_live(std::uint16_t port, const std::string& generation) const;
  Error halt(Error why);

  const Options options_;
  const Generations generations_;
};

}  // namespace observeai::controlplane
