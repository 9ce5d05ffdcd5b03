// Logs on mounts that may hang (NFS, FUSE, ...): each mount has a collector of its own, which runs on
// workers only, and its reads are committed on the loop. A mount that is dead costs one thread and what
// lies on it, which is told; when it answers again, reading goes on where it was.
//
//   the mount                                   its logs
//   ------------------------------------------  ----------------------------------------------------
//   answers                                     are read every kPollEvery
//   does not within `deadline`                  logs.unreadable; the call is waited for, and what it
//                                               read in the end is used
//   goes from the table (unmounted)             wait for it, up to `absent_grace`, then they count as
//                                               files of the folder below
//   comes back                                  go on at their checkpoints
//   has no log for `idle_grace`                 is not looked after until it has one again
//
// Which log lies where is planned anew when the mount table changes, when a collector ended, and when
// one met a log that another one followed (a link was moved): everybody lets go what is not his and
// begins at the checkpoints of that moment. A read by an older plan is not committed, whenever its
// call returns, so nothing is stored twice.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/app/log_committer.h"
#include "agent/app/remote_place.h"
#include "agent/budget/shedding.h"
#include "agent/logs/log_collector.h"
#include "agent/runtime/blocking_pool.h"
#include "agent/runtime/co.h"
#include "agent/spool/spool.h"

namespace observeai::agent {

// Loop thread only. Everything given must outlive it, but for what is shared with workers, which may
// hang on after it.
class RemoteLogs {
 public:
  // Each costs a collector and, while it hangs, a thread. Logs of mounts beyond are not read.
  static constexpr std::size_t kMaxPlaces = 16;

  struct Options {
    LogCollectorOptions logs;
    std::chrono::milliseconds deadline{10'000};
    // A host that starts comes up before its mounts, and a server is exchanged within minutes.
    std::chrono::milliseconds absent_grace{3'600'000};
    std::chrono::milliseconds idle_grace{300'000};
  };
  // The table of now; the same object as long as it did not change. nullptr: not known yet.
  using Mounts = std::function<std::shared_ptr<const RemoteMounts>()>;

  RemoteLogs(Loop& loop, AsyncClock& clock, std::shared_ptr<const Clock> shared_clock, Spool& spool,
             Outbox& outbox, LogCollector& local, Options options, Mounts mounts,
             const Shedding& shedding);

  // Gives the local collector its mounts and its checkpoints, and the others theirs. kUnavailable: the
  // table of mounts cannot be read.
  Result<void> begin();
  // The first time when Docker has answered: until then no container counts as gone. The local
  // collector has them already.
  void set_containers(const std::vector<ObservedContainer>& containers);
  // For ever; spawn once.
  boost::asio::awaitable<void> run();

  // May what the local collector read be committed? No: another one followed a log of it before. It is
  // rolled back then, and planned anew.
  bool admits_local(const LogRead& read);

  // Names of mounts whose call was given up on and has not returned.
  std::vector<std::string> stuck() const { return pool_.stuck(); }
  // For who watches: does something wait to be committed; commits and reads that ended well; why the
  // last one was refused.
  bool waits() const;
  std::uint64_t rounds() const { return rounds_; }
  const std::string& problem() const { return committer_.problem(); }
  std::uint64_t invalid_checkpoints() const;

 private:
  static constexpr std::size_t kReadBytes = 1U << 20;  // As of local logs
  // Changes on another host are not told by inotify.
  static constexpr std::chrono::milliseconds kPollEvery{500};
  static constexpr std::chrono::milliseconds kLookEvery{1'000};
  static constexpr std::chrono::milliseconds kRetryPause{1'000};
  static constexpr std::chrono::milliseconds kLimitsEvery{1'000};  // While nothing may be read
  static constexpr std::chrono::seconds kTellEvery{60};
  static constexpr std::size_t kThreads = kMaxPlaces + 8;  // Some hang on mounts that are gone

  struct Served {
    std::string point;
    std::string resource;  // Of the pool; another one for each time the mount comes
    std::shared_ptr<RemotePlace> place;
    std::vector<PatternElsewhere> patterns;
    // As of its last read
    PatternsByPlace elsewhere;
    bool idle = false;  // It followed nothing
    std::uint64_t invalid_checkpoints = 0;
    bool ended = false;
    bool refused = false;  // Its last read
    bool told = false;
    std::optional<SteadyTime> told_at;
    SteadyTime used_at{};    // It had logs or patterns, or did not answer
    SteadyTime limits_at{};  // While nothing may be read
  };

  void look();
  void post_patterns();
  void end_idle();
  void forget_absent();
  void end(const std::string& point);
  void reroute();
  Result<void> plan();
  RemotePlace::News everything(std::vector<SourceCheckpoint> checkpoints) const;
  std::vector<std::string> contested(const LogRead& read);
  void want_places_of_containers();
  std::vector<std::string> absent_now() const;
  void note_absent(const std::vector<SourceCheckpoint>& checkpoints);
  void tell_absent(const std::set<std::string>& with_logs);
  std::shared_ptr<Served> want(const std::string& point);
  boost::asio::awaitable<void> serve(std::shared_ptr<Served> served);
  boost::asio::awaitable<bool> read_once(std::shared_ptr<Served> served);
  bool settle(Served& served, LogRead& read);
  boost::asio::awaitable<bool> close(std::shared_ptr<Served> served);
  bool commit(LogCommit& logs);
  void tell_unanswered(Served& served, const Error& error);
  void add_event(const std::string& point, const std::string& message);

  Loop& loop_;
  AsyncClock& clock_;
  const std::shared_ptr<const Clock> shared_clock_;
  Spool& spool_;
  Outbox& outbox_;
  LogCollector& local_;
  const Options options_;
  const Mounts mounts_;
  const Shedding& shedding_;
  BlockingPool pool_;
  LogCommitter committer_;

  bool running_ = false;
  bool plan_due_ = false;
  std::uint64_t plan_ = 0;  // Number of the last one
  std::uint64_t rounds_ = 0;
  std::uint64_t invalid_checkpoints_ = 0;                     // Of places that ended
  std::optional<std::vector<ObservedContainer>> containers_;  // Until Docker answered: not known
  std::shared_ptr<const RemoteMounts> mounted_ = std::make_shared<RemoteMounts>();
  std::shared_ptr<const RemoteMounts> left_alone_ = mounted_;  // Absent ones too
  std::map<std::string, std::shared_ptr<Served>> places_;      // By mount point
  std::map<std::string, SteadyTime> absent_;                   // Since when
  std::set<std::string> absent_told_;
  std::set<std::string> beyond_told_;
  std::uint64_t times_served_ = 0;
};

}  // namespace observeai::agent
