// A command from its arrival to its signed result: admit() checks and answers at once or gives a job out,
// run() does it. Every method but run() may be called while a job runs; run() takes one job at a time.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/executor/action.h"
#include "agent/executor/admission.h"
#include "agent/executor/books.h"
#include "agent/executor/frames.h"
#include "agent/executor/host.h"
#include "protocol/base/clock.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::agent::executor {

inline constexpr std::chrono::seconds kRecoveryTime{30};

class Executor {
 public:
  // `actions` were made with `host`, whose lists are set from the policy before each job. `between` is
  // called before the ledger is opened, before and after take_time() and each phase of a job (checked,
  // looked at, done, told), on the caller's thread: what one of them needed may be given back; or empty.
  Executor(Places places, const Clock& clock, const HostTime& time, Host& host, Actions actions,
           std::function<void()> between = {});

  // Opens trust, session and ledger, so that what a crash interrupted is put right and told without a
  // command. Not enrolled is fine. Blocks for kRecoveryTime at most for each command that was interrupted.
  void open();

  Frame status();
  Frame take_time(std::string_view envelope);
  Frame take_roots(std::string_view list);
  Frame results();
  Frame spooled(std::string_view digests);

  // An admitted command that waits for run(). Its target is locked until run() is over.
  struct Job {
    Received received;
  };
  // The frame that answers it, or what is to be run.
  std::variant<Frame, std::unique_ptr<Job>> admit(std::string_view envelope);
  // Blocks as long as the action does. Always kResult.
  Frame run(std::unique_ptr<Job> job);
  // Puts right what commands have left and what could not be put right yet; by who calls run(). False: some
  // of it is left.
  bool recover_again();
  bool has_to_recover();
  // Instead of run(), when there is no room to wait: refused as busy.
  Frame turn_away(std::unique_ptr<Job> job);

 private:
  AdmissionContext context() REQUIRES(mutex_);
  std::string state() REQUIRES(mutex_);
  // What commands have left, unless nothing may be done on this host. Fails: it stays left.
  Result<std::string> recover(const Ledger::Recovery& left);
  void recover_left(std::string_view family);
  // check_again(), and what it found out for the result and for the action.
  Check judge_again(Received& received, wire::CommandResult& result) REQUIRES(mutex_);
  Check settle_target(Received& received, const std::string& found);
  Frame accept_time(std::string_view envelope);
  Frame do_job(Received& received);
  void end_phase() const;
  Check begin(Received& received, wire::CommandResult& result, const Assessment& seen);
  Frame finish(const Received& received, wire::CommandResult result, bool recover_later = false);
  // Both: whether something is left for recover().
  bool act(const Received& received, Action& action, const Assessment& seen,
           wire::CommandResult& result);
  bool undo(const Received& received, Action& action, const Assessment& seen,
            wire::CommandResult& result);
  void assess_after(const Received& received, Action& action, wire::CommandResult& result);

  const Clock& clock_;
  const HostTime& time_;
  const std::string policy_directory_;
  const uid_t policy_owner_;
  Host& host_;
  const Actions actions_;
  const std::function<void()> between_;
  Mutex mutex_;
  Books books_ GUARDED_BY(mutex_);
  std::set<std::string> in_flight_ GUARDED_BY(mutex_);
};

}  // namespace observeai::agent::executor
