// How many lines each target has logged, and how many of them are errors: what is left of lines that are
// sampled, cut or lost later.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/core/log_commit.h"

namespace observeai::agent {

// One thread. Since the agent began; a target that was forgotten begins at 0 again.
class LogLineCounts {
 public:
  // Targets that did not log for longest are forgotten beyond it. About 200 bytes each.
  static constexpr std::size_t kMaxTargets = 2'000;

  // What a commit is about to take, before it is taken: nothing counts until taken().
  void look(const LogCommit& logs);
  void taken();

  std::vector<LogLines> all() const;  // By target

 private:
  struct Counts {
    std::uint64_t errors = 0, others = 0;
    std::uint64_t used = 0;  // Number of the commit
  };
  struct Pending {
    std::string target;
    std::uint64_t errors = 0, others = 0;
  };
  Pending& pending_of(std::string_view target);

  std::map<std::string, Counts, std::less<>> targets_;
  std::vector<Pending> pending_;
  std::uint64_t commits_ = 0;
};

}  // namespace observeai::agent
