// The hash chain of the audit log (docs/adr/0013): hash_0 is zeros, and
//   hash_n = sha256("observeai.audit.v1" 0x00 n(8, big endian) hash_{n-1} sha256(entry_bytes(entry_n))).
// It proves nothing alone: who can write the log can compute it anew. Signed heads, kept by others, pin it.
// Pure.
#pragma once

#include <cstdint>
#include <string>

#include "controlplane/model/records.h"
#include "protocol/base/result.h"

namespace observeai::controlplane::audit {

// One entry, one form: ts_ms (8, big endian, two's complement), then actor, action, object and detail,
// each as length (8, big endian) and bytes.
std::string entry_bytes(const model::AuditEntry& entry);

wire::Digest chain_hash(std::uint64_t seq, const wire::Digest& before,
                        const model::AuditEntry& entry);

// Entries of a log in its order, from `start` on; the first that does not fit is named for people.
class ChainVerifier {
 public:
  explicit ChainVerifier(model::AuditPoint start = {}) : tip_(start) {}

  // kCorrupt with the entry and what is wrong with it; nothing more is to be added then.
  Result<void> add(const model::AuditEntry& entry);
  // The last entry that fits.
  const model::AuditPoint& tip() const { return tip_; }

 private:
  model::AuditPoint tip_;
};

}  // namespace observeai::controlplane::audit
