// Keeps the chain's end signed: a head within a minute of what was appended, and before commands go out.
// A signer that fails stops nothing; after five minutes it is an alert.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::audit {

// Thread-safe; blocks as long as the signer does. All references outlive it.
//
//   alert            raised                                                     cleared
//   audit.unsigned   entries wait for a signature longer than kUnsignedPatience by the next signature
//   audit.rewritten  the log does not hold what was signed, or the signer says so    by a person
//   audit.truncated  the log ends before what was signed                             by a person
//
// A signer that refuses is an entry of the log itself (signer.refuse), one a reason until it signs again.
class AuditChain {
 public:
  static constexpr std::chrono::seconds kSignEvery{60};
  static constexpr std::chrono::seconds kRetryEvery{10};
  static constexpr std::chrono::minutes kUnsignedPatience{5};

  // CommandSigner::sign_audit_head: the envelope, with the signer's own time in it.
  using Sign = std::function<Result<std::string>(const wire::AuditHead&)>;

  AuditChain(model::AuditLog& log, model::AuditHeadRepository& heads,
             model::AlertRepository& alerts, const Clock& clock, Sign sign);

  // Call every few seconds.
  void tick() EXCLUDES(mutex_);
  // For commands that are about to go out: signs what was appended until now. While the signer fails (it
  // is asked again after kRetryEvery), the newest head there is; its error when there is none. kNotFound:
  // nothing was ever appended.
  Result<model::SignedAuditHead> head() EXCLUDES(mutex_);
  // For down/meta: the newest there is; asks nobody.
  std::optional<model::SignedAuditHead> newest() EXCLUDES(mutex_);

 private:
  Result<void> sign_news() REQUIRES(mutex_);
  Result<void> load() REQUIRES(mutex_);
  Result<void> check_against_log(const model::AuditPoint& end) REQUIRES(mutex_);
  Result<model::SignedAuditHead> signed_head(const model::AuditPoint& end) REQUIRES(mutex_);
  void note_failure(const Error& why) REQUIRES(mutex_);
  void note_refusal(const Error& why) REQUIRES(mutex_);
  void note_success() REQUIRES(mutex_);
  void alert(const char* kind, const std::string& message) REQUIRES(mutex_);

  model::AuditLog& log_;
  model::AuditHeadRepository& heads_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  const Sign sign_;

  Mutex mutex_;
  bool is_loaded_ GUARDED_BY(mutex_) = false;
  std::optional<model::SignedAuditHead> newest_ GUARDED_BY(mutex_);
  SteadyTime next_ GUARDED_BY(mutex_);
  std::optional<SteadyTime> failing_since_ GUARDED_BY(mutex_);
  SteadyTime retry_ GUARDED_BY(mutex_){};  // Not asked before
  Error last_error_ GUARDED_BY(mutex_){Errc::kUnavailable, "the signer was not asked yet"};
  std::string refused_as_
      GUARDED_BY(mutex_);  // The signer's word, as the log has it; "" = it signs
  bool may_be_alerted_ GUARDED_BY(mutex_) = true;  // By this program or the one before
  std::string told_ GUARDED_BY(mutex_);            // The last of what is wrong with the log
};

}  // namespace observeai::controlplane::audit
