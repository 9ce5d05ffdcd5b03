// Keeps the broker's configuration in step with the registry: who may connect, who is revoked.
// Every change goes through the guarded apply (controlplane/broker).
//
// One thread compares what the broker should run with what it does run (`current`, the supervisor's
// word, the marks of the guarded apply) and makes up for the difference: at the start, every minute, on
// request, and after a failure again and again with back-off. Nothing is remembered from one look to the
// next, so it does not matter who was killed when. While it fails the alert "broker.apply" is open.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "controlplane/broker/guarded_apply.h"
#include "controlplane/enroll/certificate_authorities.h"
#include "controlplane/model/repositories.h"
#include "protocol/base/backoff.h"
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
    std::chrono::milliseconds look_every{60'000};
    std::chrono::milliseconds first_retry{5'000};
    std::chrono::milliseconds last_retry{300'000};
    // After start() the supervisor may be missing this long before it is an alert: it starts later.
    std::chrono::milliseconds supervisor_grace{30'000};
    // Callers of apply() that wait at one time: half of the API's workers, the others stay free.
    std::size_t max_waiting = 2;
  };
  enum class Applied { kYes, kUnderWay };

  // Makes the canaries' certificates when missing. Everything must outlive it.
  static Result<std::unique_ptr<BrokerControl>> create(Options options,
                                                       CertificateAuthorities& authorities,
                                                       model::AgentRegistry& agents,
                                                       model::AlertRepository& alerts,
                                                       const Clock& clock);
  ~BrokerControl();

  // Before the supervisor starts: a configuration, tried in a scratch broker, when there is none or
  // when it is not what it should be. Fails only without one that the supervisor could start from;
  // everything else is the thread's, and an alert.
  Result<void> prepare();
  void start();
  // Waits for an apply under way, which cannot be cut short: up to 25 s with a broker that hangs.
  void stop();

  // What is in the registry now into the running broker; callers that come while one apply runs share
  // the next. At once when max_waiting others wait: kUnderWay, or the error of the last look. Else the
  // error of this apply, or kTimeout after `patience`. What failed is tried again by itself.
  Result<Applied> apply(std::chrono::milliseconds patience);

 private:
  BrokerControl(Options options, CertificateAuthorities& authorities, model::AgentRegistry& agents,
                model::AlertRepository& alerts, const Clock& clock, CanaryIdentities canaries,
                std::string revoked_canary_serial);
  Result<ApplyRequest> request() const;
  Result<void> check_lists(const std::string& lists_pem) const;
  // Why `current` is not what `wanted` asks for; "" when it is.
  std::string why_stale(const ApplyRequest& wanted) const;
  std::string why_lists_stale(const std::string& active, const std::string& wanted) const;

  struct Look {
    Result<void> result;
    bool supervisor_missing = false;
  };
  Look reconcile();
  void run();
  std::uint64_t newest_ticket();
  bool finish(std::uint64_t covered, const Look& look, std::chrono::milliseconds wait);
  std::chrono::milliseconds take_note(const Look& look, bool asked_for);
  void raise(const std::string& why);

  const Options options_;
  CertificateAuthorities& authorities_;
  model::AgentRegistry& agents_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  const std::string revoked_canary_serial_;
  const Generations generations_;
  GuardedApply guarded_;  // prepare(), then the thread's alone

  Backoff backoff_;  // The thread's, as the next two
  std::chrono::steady_clock::time_point grace_ends_;
  bool alert_may_be_open_ = true;  // Of an earlier run

  Mutex mutex_;
  ConditionVariable changed_;
  std::uint64_t asked_ GUARDED_BY(mutex_) = 0;  // Tickets of apply()
  std::uint64_t done_ GUARDED_BY(mutex_) = 0;   // The newest ticket that a finished look covers
  std::optional<Error> last_error_ GUARDED_BY(mutex_);
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace observeai::controlplane
