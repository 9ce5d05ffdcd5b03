// The only way a broker's configuration changes:
//
//   step                                   an error there leaves
//   validate the candidate                 the old generation running
//   scratch broker with it, canaries       the old generation running
//   swap `current`, restart                the broker halted (fail closed)
//   the same canaries, live                the broker halted (fail closed)
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
  // Before the first start: everything up to the swap; the supervisor starts from it later.
  Result<ApplyReport> prepare(const ApplyRequest& request);

 private:
  Result<void> validate(const ApplyRequest& request) const;
  Result<std::string> try_in_scratch(const ApplyRequest& request);
  Result<void> go_live(const ApplyRequest& request, ApplyReport& report);
  Error halt(Error why);

  const Options options_;
  const Generations generations_;
};

}  // namespace observeai::controlplane
