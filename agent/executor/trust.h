// What this host was told when it was enrolled, and the root metadata since: the only things that a
// command is measured by. A folder that only root writes to:
//
//   trust.json   {"version":1,"agent":...,"tenant":...,"root_sha256":...}; the last to be written
//   result.key   signs results (protocol/signing/key_files.h)
//   root.v<N>    envelopes as received: the pinned one and every one after it, none skipped
//
// Not thread-safe.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "protocol/base/id.h"
#include "protocol/base/result.h"
#include "protocol/signing/keys.h"
#include "protocol/signing/root_metadata.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

// At enrollment. An earlier enrollment of the same folder is gone from the first step on.
struct NewTrust {
  AgentId agent;
  TenantId tenant;
  signing::SigningKeyPair result_key;
  std::string root;         // Envelope
  std::string root_sha256;  // As the enrollment token names it
};
// kDenied when `root` is not the pinned one. The folder is made with mode 0700.
Result<void> write_trust(const std::string& directory, const NewTrust& trust);

class Trust {
 public:
  // kNotFound: not enrolled. kDenied: a file or folder that somebody else could have written, or roots
  // that do not follow from the pinned one. kCorrupt: damaged.
  static Result<Trust> open(const std::string& directory, uid_t owner);

  const AgentId& agent() const { return agent_; }
  const TenantId& tenant() const { return tenant_; }
  const wire::Bytes16& enrollment() const { return enrollment_; }
  const signing::SigningKeyPair& result_key() const { return result_key_; }
  const signing::RootMetadata& root() const { return root_; }

  // The next version, stored before it holds. The one in force again: fine, and nothing happens.
  // kDenied for all others: older, skipping, not signed by the thresholds of both.
  Result<void> take_root(std::string_view envelope);

 private:
  Trust(std::string directory, AgentId agent, TenantId tenant, signing::SigningKeyPair key);

  std::string directory_;
  AgentId agent_;
  TenantId tenant_;
  signing::SigningKeyPair result_key_;
  wire::Bytes16 enrollment_;
  signing::RootMetadata root_;
  std::string root_sha256_;
};

}  // namespace observeai::agent::executor
