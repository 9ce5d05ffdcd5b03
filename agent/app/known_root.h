// The root metadata that the agent itself knows: whose audit heads it believes. The executor keeps its own.
#pragma once

#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/base/result.h"
#include "protocol/signing/root_metadata.h"

namespace observeai::agent {

// One thread: the spool's, which outlives it.
class KnownRoot {
 public:
  static constexpr const char* kFact = "root_metadata";  // Of the spool: the newest, as signed

  // What the spool remembers, else `pinned`, the envelope of the enrollment. kCorrupt: it
  // cannot be read.
  static Result<KnownRoot> create(Spool& spool, const std::string& pinned);

  const signing::RootMetadata& root() const { return root_; }
  // Those that follow, one by one, versions ascending; what is known is passed over. kDenied at the
  // first that
  // does not follow: the ones before it are taken.
  Result<void> take(const std::vector<std::string>& roots);

 private:
  KnownRoot(Spool& spool, signing::RootMetadata root) : spool_(&spool), root_(std::move(root)) {}

  Spool* spool_;
  signing::RootMetadata root_;
};

}  // namespace observeai::agent
