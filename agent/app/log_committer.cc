#include "agent/app/log_committer.h"

#include "agent/app/sample_logs.h"
#include "protocol/base/log.h"

namespace observeai::agent {

bool LogCommitter::commit(LogCommit& logs) {
  sample_logs(logs, sampler_, shedding_.keep_one_log_in);
  const auto committed = outbox_.commit_logs(std::move(logs));
  if (committed) {
    problem_.clear();
    return true;
  }
  if (committed.error().code() != Errc::kLimit && problem_ != committed.error().message()) {
    problem_ = committed.error().message();
    log::error("logs: " + problem_);
  }
  return false;
}

}  // namespace observeai::agent
