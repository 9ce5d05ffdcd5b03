// What the rest of the control plane asks of the signer process. It holds the online keys and refuses
// what is out of its delegation, unapproved, too much or too fast (docs/adr/0013).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/command.h"

namespace observeai::controlplane {

// How often one approved intent of a batch is signed: a host that refuses for a reason that passes is
// asked so often, and one approval is not a licence for more.
inline constexpr std::uint32_t kMaxSignaturesOfIntent = 3;

// Thread-safe; blocks until the signer answers. kUnavailable: no signer, try again later. kDenied: it
// refuses, with the reason. kLimit: its rate, with the time to wait in the message.
class CommandSigner {
 public:
  virtual ~CommandSigner() = default;
  // wire::encode_command() bytes -> envelopes, in the same order, each its own outcome. A sequence is signed
  // once: what fails with kUnavailable is built anew under a higher one, never asked for again.
  virtual Result<std::vector<Result<std::string>>> sign_commands(
      std::span<const std::string> commands) = 0;
  // Both times are the signer's own clock's, whatever unix_ms says. A head's number never goes back, and
  // none is signed with two hashes: kDenied.
  virtual Result<std::string> sign_time(const wire::TimeStatement& time) = 0;
  virtual Result<std::string> sign_audit_head(const wire::AuditHead& head) = 0;
  // Envelopes of root metadata, versions ascending: from then on the newest decides. kDenied: no
  // successor.
  virtual Result<void> take_roots(std::span<const std::string> roots) = 0;
  // Nothing is signed for this agent any more, also after a restart of the signer.
  virtual Result<void> revoke_agent(const AgentId& agent) = 0;
};

}  // namespace observeai::controlplane
