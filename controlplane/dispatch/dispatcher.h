// Plans in motion: simulates, sends approved commands in waves, takes results in, verifies. What the store
// holds is all that it knows, so that it can be killed at any moment: the next one goes on, or the plan's
// deadline ends it. A command is stored before it is sent, and made once for each attempt; hosts answer one
// that comes twice with what they answered before.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "controlplane/dispatch/host_policies.h"
#include "controlplane/dispatch/plan_runner.h"
#include "protocol/base/thread_annotations.h"

namespace observeai::controlplane::dispatch {

class Dispatcher {
 public:
  static constexpr std::chrono::milliseconds kLook{1'000};  // While a plan is under way
  static constexpr std::chrono::milliseconds kIdle{5'000};

  explicit Dispatcher(World world) : world_(std::move(world)), runner_(world_), policies_(world_) {}

  // Thread-safe: the agent's hello is in the registry. It is answered by the next step().
  void hello(const AgentId& agent) EXCLUDES(mutex_);
  // One look at everything; returns how long the next one may wait. One thread.
  std::chrono::milliseconds step() EXCLUDES(mutex_);

 private:
  static constexpr std::size_t kMostResults = 256;  // Of one look
  static constexpr int kMostStepsOfPlan = 16;
  static constexpr std::int64_t kRefusedTimeEveryMs = 86'400'000;

  void answer(const AgentId& agent);
  wire::Meta meta_for(const AgentId& agent, const wire::ExecutorReport& executor);
  void note_time(const AgentId& agent, const Result<std::string>& time);
  bool take_results();
  void refuse(const model::ResultRecord& result, const Error& why);
  void tell_stray(const model::ResultRecord& result, const model::CommandRecord& command,
                  const model::AgentRecord& agent);
  void tell(const char* alert, audit::Kind kind, const model::ResultRecord& result,
            const std::string& message, const std::string& detail);

  World world_;
  PlanRunner runner_;
  HostPolicies policies_;
  // By host and the signer's word: when the audit log was told.
  std::map<std::pair<AgentId, std::string>, std::int64_t> refused_times_;
  Mutex mutex_;
  std::set<AgentId> hellos_ GUARDED_BY(mutex_);
};

// The thread around it.
class DispatchService {
 public:
  explicit DispatchService(World world);
  ~DispatchService();  // Stops and joins
  DispatchService(const DispatchService&) = delete;
  DispatchService& operator=(const DispatchService&) = delete;

  // Both thread-safe, neither blocks.
  void hello(const AgentId& agent);
  void wake() EXCLUDES(mutex_);  // Something changed in the store

 private:
  void run();

  Dispatcher dispatcher_;
  Mutex mutex_;
  ConditionVariable changed_;
  bool awake_ GUARDED_BY(mutex_) = true;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last
};

}  // namespace observeai::controlplane::dispatch
