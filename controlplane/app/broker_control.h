// Keeps the broker's configuration in step with the registry: who may connect, who is revoked.
// Every change goes through the guarded apply (controlplane/broker).
#pragma once

#include <memory>
#include <string>

#include "controlplane/broker/guarded_apply.h"
#include "controlplane/enroll/certificate_authorities.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

// Thread-safe; one apply at a time.
class BrokerControl {
 public:
  struct Options {
    std::string state_directory;
    BrokerSettings settings;
    std::string host = "localhost";  // Leads to the broker from here; in its certificate
    AgentId canary;                  // Common name of the canaries; no agent has it
  };

  // Makes the canaries' certificates when missing. Everything must outlive it.
  static Result<std::unique_ptr<BrokerControl>> create(Options options,
                                                       CertificateAuthorities& authorities,
                                                       model::AgentRegistry& agents,
                                                       const Clock& clock);

  // A first configuration, tried in a scratch broker, when there is none; and a new one when the
  // settings are no longer those of the current one. The supervisor starts from it.
  Result<void> prepare();
  // The newest revocation lists and rules into the running broker; blocks about a second.
  Result<ApplyReport> apply();

 private:
  BrokerControl(Options options, CertificateAuthorities& authorities, model::AgentRegistry& agents,
                const Clock& clock, CanaryIdentities canaries, std::string revoked_canary_serial);
  Result<ApplyRequest> request() const;
  Result<void> check_lists(const std::string& lists_pem) const;

  const Options options_;
  CertificateAuthorities& authorities_;
  model::AgentRegistry& agents_;
  const Clock& clock_;
  const std::string revoked_canary_serial_;
  const Generations generations_;
  Mutex mutex_;
  GuardedApply guarded_ GUARDED_BY(mutex_);
};

}  // namespace observeai::controlplane
