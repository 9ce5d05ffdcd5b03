#include "controlplane/audit/witnesses.h"

namespace observeai::controlplane::audit {

Result<void> Witnesses::heard(const AgentId& agent, std::uint64_t seq, const wire::Digest& hash) {
  if (seq == 0) return {};
  const std::string known = "signed entry " + std::to_string(seq);
  TRY(const auto end, log_.newest());
  if (seq > end.seq) {
    return contradicted("audit.truncated", agent,
                        known + " of the audit log, which ends with entry " +
                            std::to_string(end.seq) +
                            ": it was cut, or this control plane is an older copy of itself");
  }
  TRY(const auto entries, log_.list(seq - 1, 1));
  const bool is_there = !entries.empty() && entries.front().seq == seq;
  if (is_there && entries.front().hash == hash) {
    MutexLock lock(mutex_);
    who_.erase(agent);
    return {};
  }
  return contradicted(
      "audit.rewritten", agent,
      known + " of the audit log, which " +
          (is_there ? "holds another one under that number" : "holds none under that number") +
          ": it was written anew");
}

Result<void> Witnesses::contradicted(const char* kind, const AgentId& agent,
                                     const std::string& what) {
  std::size_t others = 0;
  {
    MutexLock lock(mutex_);
    if (who_.size() < kMaxCounted) who_.insert(agent);
    others = who_.size() - who_.count(agent);
  }
  model::Alert row;
  row.kind = kind;
  row.message = "host " + agent.value() +
                (others > 0 ? " (and " + std::to_string(others) + " more)" : "") + " knows " + what;
  row.first_ms = row.last_ms = clock_.unix_ms();
  row.count = 1;
  return alerts_.raise(row);
}

}  // namespace observeai::controlplane::audit
