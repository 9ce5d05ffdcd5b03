#include "controlplane/dispatch/dispatcher.h"

#include "controlplane/dispatch/results.h"
#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::dispatch {

void Dispatcher::hello(const AgentId& agent) {
  MutexLock lock(mutex_);
  hellos_.insert(agent);
}

std::chrono::milliseconds Dispatcher::step() {
  std::set<AgentId> hellos;
  {
    MutexLock lock(mutex_);
    hellos.swap(hellos_);
  }
  for (const auto& agent : hellos) answer(agent);
  const bool more = take_results();
  const auto open = world_.plans.unfinished();
  if (!open) {
    log::warning("plans: " + open.error().message());
    return kLook;
  }
  for (const auto& plan : *open) {
    for (int i = 0; i < kMostStepsOfPlan; ++i) {
      const auto moved = runner_.advance(plan.id);
      if (!moved) log::warning("plan " + plan.id.value() + ": " + moved.error().message());
      if (!moved || !*moved) break;
    }
    runner_.send_again(plan.id);
  }
  if (more) return std::chrono::milliseconds(0);
  return open->empty() ? kIdle : kLook;
}

void Dispatcher::answer(const AgentId& agent) {
  runner_.heard(agent);
  const auto record = world_.agents.find(agent);
  if (!record || !*record || !(*record)->last_hello || !(*record)->last_hello->executor) return;
  policies_.heard(**record);
  const auto meta = meta_for(agent, *(*record)->last_hello->executor);
  if (meta != wire::Meta{}) {
    if (auto message = meta_message(world_, **record, meta)) world_.down.send(std::move(*message));
  }
  const auto open = world_.commands.open(agent);
  if (!open) return;
  for (const auto& command : *open) {
    if (command.expires_ms > world_.clock.unix_ms()) runner_.send(command);
  }
}

wire::Meta Dispatcher::meta_for(const AgentId& agent, const wire::ExecutorReport& executor) {
  wire::Meta meta;
  meta.roots = world_.roots.envelopes_after(executor.root_version);
  // The rest with the next hello, which says how far it came.
  if (meta.roots.size() > wire::kMaxMetaRoots) meta.roots.resize(wire::kMaxMetaRoots);
  if (executor.time_challenge != wire::Bytes16{}) {
    auto time = world_.signer.sign_time({agent, executor.time_challenge, world_.clock.unix_ms()});
    // Root metadata and head are worth sending without it.
    note_time(agent, time);
    if (time) meta.time = std::move(*time);
  }
  const auto head = world_.heads.newest();
  // Also a lower one: a host that knows more than the log has must hear of it.
  const bool is_known =
      head.head.seq == executor.audit_seq && head.head.hash == executor.audit_hash;
  if (head.head.seq != 0 && !is_known) meta.audit_head = head.envelope;
  return meta;
}

// The log is kept for good and challenges are repeated, by a host at will: an entry a day for each reason.
void Dispatcher::note_time(const AgentId& agent, const Result<std::string>& time) {
  if (time) return;
  const auto& why = time.error();
  log::warning("time for " + agent.value() + ": " + why.message());
  if (why.code() != Errc::kDenied) return;
  const auto now = world_.clock.unix_ms();
  const auto word = why.message().substr(0, why.message().find(':'));
  const auto told = refused_times_.find({agent, word});
  if (told != refused_times_.end() && now - told->second < kRefusedTimeEveryMs) return;
  const auto written =
      world_.audit.append(audit::entry_of(audit::kinds::kSignerRefuse, now, kSystem, agent.value(),
                                          {{"detail", "time: " + why.message()}}));
  if (!written) return;
  std::erase_if(refused_times_,
                [&](const auto& one) { return now - one.second >= kRefusedTimeEveryMs; });
  refused_times_[{agent, word}] = now;
}

void Dispatcher::refuse(const model::ResultRecord& result, const Error& why) {
  tell("command.result", audit::kinds::kResultForged, result,
       "a result of a command is not believed: " + why.message(), why.message());
}

void Dispatcher::tell_stray(const model::ResultRecord& result, const model::CommandRecord& command,
                            const model::AgentRecord& agent) {
  const auto checked = check_stray_result(result, command, agent);
  if (!checked) return refuse(result, checked.error());
  std::string answer(wire::to_string(checked->outcome));
  if (!checked->reason.empty()) answer += " " + checked->reason;
  tell("command.misdelivered", audit::kinds::kResultStray, result,
       "a command for another host was delivered to this one, which answered: " + answer, answer);
}

// It counts for no plan.
void Dispatcher::tell(const char* alert_kind, audit::Kind kind, const model::ResultRecord& result,
                      const std::string& message, const std::string& detail) {
  model::Alert alert;
  alert.kind = alert_kind;
  alert.agent = result.agent;
  alert.message = message;
  alert.first_ms = alert.last_ms = world_.clock.unix_ms();
  alert.count = 1;
  ignore(world_.alerts.raise(alert), "it is in the log");
  ignore(world_.audit.append(audit::entry_of(kind, alert.first_ms, "agent:" + result.agent.value(),
                                             text::to_hex(result.command), {{"detail", detail}})),
         "the alert says it too");
  log::warning("agent " + result.agent.value() + ": " + log::printable(alert.message));
  ignore(world_.commands.mark(result, false), "it is looked at again");
}

// True: there may be more.
bool Dispatcher::take_results() {
  const auto results = world_.commands.unchecked(kMostResults);
  if (!results) return false;
  std::map<wire::PlanId, std::vector<PlanRunner::Answer>> by_plan;
  std::set<wire::Bytes16> answered;
  for (const auto& record : *results) {
    const auto command = world_.commands.find(record.command);
    const auto agent = world_.agents.find(record.agent);
    if (!command || !*command || !agent || !*agent) continue;
    if (record.agent != (*command)->agent) {
      tell_stray(record, **command, **agent);
      continue;
    }
    auto checked = check_result(record, **command, **agent);
    if (!checked) {
      refuse(record, checked.error());
    } else if ((*command)->state != model::CommandState::kOpen ||
               !answered.insert(record.command).second) {
      ignore(world_.commands.mark(record, true), "it is looked at again");
    } else {
      by_plan[(*command)->plan].push_back({record, **command, std::move(*checked)});
    }
  }
  for (const auto& [plan, answers] : by_plan) {
    if (const auto taken = runner_.take(plan, answers); !taken)
      log::warning("plan " + plan.value() + ": " + taken.error().message());
  }
  return results->size() == kMostResults;
}

// ---- the thread --------------------------------------------------------------------------------

DispatchService::DispatchService(World world)
    : dispatcher_(std::move(world)), thread_([this] { run(); }) {}

DispatchService::~DispatchService() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void DispatchService::hello(const AgentId& agent) {
  dispatcher_.hello(agent);
  wake();
}

void DispatchService::wake() {
  MutexLock lock(mutex_);
  awake_ = true;
  changed_.notify_all();
}

void DispatchService::run() {
  for (;;) {
    const auto wait = dispatcher_.step();
    MutexLock lock(mutex_);
    if (!awake_ && !stopping_) changed_.wait_for(mutex_, wait);
    if (stopping_) return;
    awake_ = false;
  }
}

}  // namespace observeai::controlplane::dispatch
