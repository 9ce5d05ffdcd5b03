// Keeps the signer in step: it knows every version of the root and every agent that is revoked, whenever
// it was away. Raises what a person must know: that it does not follow, that root or delegation end.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "controlplane/model/repositories.h"
#include "controlplane/signer/command_signer.h"
#include "controlplane/signer/root_chain.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane {

// Thread-safe. Everything must outlive it.
class SignerLink {
 public:
  SignerLink(CommandSigner& signer, const RootChain& roots, model::AgentRegistry& agents,
             model::AlertRepository& alerts, const Clock& clock)
      : signer_(signer), roots_(roots), agents_(agents), alerts_(alerts), clock_(clock) {}

  // Compares and tells; once a minute, and whenever something changed. What could not be told is told by
  // the next look.
  void look();

 private:
  Result<void> tell_roots() REQUIRES(mutex_);
  Result<void> tell_revoked() REQUIRES(mutex_);
  // "" closes it. An alert is written when its message changes.
  void alert(const char* kind, const std::string& object, const std::string& message)
      REQUIRES(mutex_);

  CommandSigner& signer_;
  const RootChain& roots_;
  model::AgentRegistry& agents_;
  model::AlertRepository& alerts_;
  const Clock& clock_;
  Mutex mutex_;
  std::uint64_t told_version_ GUARDED_BY(mutex_) = 0;
  std::set<AgentId> told_revoked_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> messages_
      GUARDED_BY(mutex_);  // By kind and object, as written
};

// What to tell people about an end that comes near: "" until 60 days before. Stages: 60, 30, 7 days, over.
std::string root_warning(const signing::RootMetadata& root, std::int64_t now_ms);
// Of the delegation of signers, which are shorter: 30 and 7 days, over.
std::string delegation_warning(const signing::RootMetadata& root, std::int64_t now_ms);

}  // namespace observeai::controlplane
