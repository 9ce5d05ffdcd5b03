// What commands left that did not end is put right: at the start, before the next command of their kind, and
// in between until it is (Worker).
#include "agent/executor/executor.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"

namespace observeai::agent::executor {

Result<std::string> Executor::recover(const Ledger::Recovery& left) {
  const auto tell = [&](const Error& error) {
    log::warning(left.action + " of " + left.target +
                 " did not end, and what it left is not put right: " + error.message());
    return error;
  };
  // The host's owner has the last word, also on what makes things good again.
  if (is_disabled(policy_directory_))
    return tell(Error(Errc::kDenied,
                      "commands are switched off by " + kill_switch_path(policy_directory_)));
  const auto policy = load_policy(policy_directory_, policy_owner_);
  if (!policy) return tell(policy.error());
  if (!policy->enabled) return tell(Error(Errc::kDenied, "the policy allows dry runs only"));
  const auto action = actions_.find(left.action);
  if (action == actions_.end()) return std::string();
  Run run(clock_, clock_.steady_now() + kRecoveryTime, 0, text::to_hex(left.command));
  auto recovered = action->second->recover(left.state, run);
  if (!recovered) return tell(recovered.error());
  return recovered;
}

bool Executor::recover_again() {
  recover_left("");
  return !has_to_recover();
}

bool Executor::has_to_recover() {
  MutexLock lock(mutex_);
  return !books_.left("").empty();
}

void Executor::recover_left(std::string_view family) {
  std::vector<Ledger::Recovery> all;
  {
    MutexLock lock(mutex_);
    all = books_.left(family);
  }
  for (const auto& one : all) {
    const auto what = recover(one);
    if (!what) continue;
    MutexLock lock(mutex_);
    books_.recovered(one, *what);
  }
}

}  // namespace observeai::agent::executor
