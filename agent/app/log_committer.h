// How what LogCollectors read gets into the outbox, whoever asked them.
#pragma once

#include <string>

#include "agent/app/outbox.h"
#include "agent/budget/log_sampler.h"
#include "agent/budget/shedding.h"

namespace observeai::agent {

// Loop thread only. Both given must outlive it.
class LogCommitter {
 public:
  LogCommitter(Outbox& outbox, const Shedding& shedding) : outbox_(outbox), shedding_(shedding) {}

  // Thins out verbose records as the ladder asks, then commits. False: the spool did not take it; the
  // caller rolls its source back, and the same lines come again. Leaves records for their memory's sake.
  bool commit(LogCommit& logs);
  // Why the last one was not taken; empty when it was. Not of a spool that is full: the outbox tells.
  const std::string& problem() const { return problem_; }

 private:
  Outbox& outbox_;
  const Shedding& shedding_;
  LogSampler sampler_;
  std::string problem_;  // Last one told
};

}  // namespace observeai::agent
