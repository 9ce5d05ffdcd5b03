// Hosts keep the newest signed heads that they were told, and say the highest in their hellos. One that
// knows a head which the log does not hold proves that the log was cut or written anew, or that this
// control plane is an older copy of itself - or the host lies: one alone proves nothing, many do.
#pragma once

#include <set>
#include <string>

#include "controlplane/model/repositories.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::audit {

// Thread-safe; reads one row of the log. Alerts `audit.truncated` and `audit.rewritten` under no agent,
// so that a fleet of witnesses is one alert each; a person resolves them.
class Witnesses {
 public:
  static constexpr std::size_t kMaxCounted = 10'000;  // Hosts that are told apart

  Witnesses(model::AuditLog& log, model::AlertRepository& alerts, const Clock& clock)
      : log_(log), alerts_(alerts), clock_(clock) {}

  // For each authenticated hello: ExecutorReport::audit_seq and audit_hash. 0: it knows none.
  Result<void> heard(const AgentId& agent, std::uint64_t seq, const wire::Digest& hash)
      EXCLUDES(mutex_);

 private:
  Result<void> contradicted(const char* kind, const AgentId& agent, const std::string& what)
      EXCLUDES(mutex_);

  model::AuditLog& log_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  Mutex mutex_;
  std::set<AgentId> who_ GUARDED_BY(mutex_);  // Contradicts the log
};

}  // namespace observeai::controlplane::audit
