#include "agent/executor/actions/systemd_actions.h"

#include <algorithm>
#include <set>
#include <thread>

#include "agent/executor/actions/values.h"
#include "agent/executor/facts.h"
#include "protocol/base/files.h"
#include "protocol/signing/sealing.h"

namespace observeai::agent::executor {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kOurs = "observeai";
constexpr std::size_t kMaxAlong = 64;
constexpr std::size_t kMaxUnitFileBytes = 1U << 20;
// Three restarts by itself of a service with RestartSec=100ms, systemd's default, are seen in this time.
constexpr milliseconds kStableFor{2'000};
constexpr milliseconds kLookEvery{200};
constexpr std::uint32_t kRestartMs =
    5'000;  // Stop and start; how long really only the service knows

// What an approval is about: coarse where the unit moves by itself.
std::string settled(const Unit& unit) {
  if (unit.active == "active" || unit.active == "reloading") return "active";
  if (unit.active == "failed") return "failed";
  if (unit.sub.starts_with("auto-restart")) return "restarting by itself";
  return unit.active;
}

Result<std::string> hash_of(const std::string& path) {
  TRY(const std::string text, files::read(path, kMaxUnitFileBytes));
  return signing::sha256_hex(text);
}

Result<std::string> state_of(const Unit& unit, const std::vector<Unit>& along) {
  std::map<std::string, std::string> facts = {{"active", settled(unit)},
                                              {"fragment", unit.fragment},
                                              {"load", unit.load},
                                              {"unit", unit.id}};
  if (!unit.fragment.empty()) {
    TRY(facts["fragment_sha256"], hash_of(unit.fragment));
  }
  for (const auto& path : unit.drop_ins) {
    TRY(facts["drop_in " + path], hash_of(path));
  }
  for (const auto& one : along) facts["along " + one.id] = settled(one);
  return state_text(facts);
}

// The unit and all that is restarted with it, however many steps away.
Result<std::vector<Unit>> units_along(const Systemctl& systemctl, const Unit& unit,
                                      const Run& run) {
  std::vector<Unit> out;
  std::set<std::string> known = {unit.id};
  std::vector<std::string> open = unit.restarted_along;
  while (!open.empty()) {
    const std::string name = open.back();
    open.pop_back();
    if (!known.insert(name).second) continue;
    if (out.size() == kMaxAlong)
      return Error(Errc::kLimit, unit.id + ": more than 64 units would restart with it");
    // A target or mount is not asked for: what depends on it is, by systemd's own transaction.
    if (!is_unit_name(name)) {
      Unit other;
      other.id = name;
      other.active = "inactive";
      out.push_back(std::move(other));
      continue;
    }
    TRY(Unit one, systemctl.show(name, run));
    open.insert(open.end(), one.restarted_along.begin(), one.restarted_along.end());
    out.push_back(std::move(one));
  }
  std::sort(out.begin(), out.end(), [](const Unit& a, const Unit& b) { return a.id < b.id; });
  return out;
}

struct Seen {
  Unit unit;
  std::vector<Unit> along;
};

class SystemdAction : public Action {
 public:
  explicit SystemdAction(const Host& host) : host_(host) {}

 protected:
  Systemctl systemctl() const { return Systemctl(host_.systemctl); }
  static std::string unit_of(const wire::Parameters& parameters) {
    return parameter<std::string>(parameters, "unit", "");
  }
  Result<Seen> look(const wire::Parameters& parameters, const Run& run) const {
    const std::string name = unit_of(parameters);
    Seen seen;
    TRY(seen.unit, systemctl().show(name, run));
    TRY(seen.along, units_along(systemctl(), seen.unit, run));
    TRY_VOID(check_may_touch(seen.unit, name, seen.along));
    return seen;
  }

  const Host& host_;
};

class SystemdRestart final : public SystemdAction {
 public:
  using SystemdAction::SystemdAction;

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    TRY(const Seen seen, look(parameters, run));
    if (seen.unit.active == "inactive" && !seen.unit.runs_to_its_end())
      return Error(Errc::kUnavailable, seen.unit.id + " was stopped; a restart would start it");
    if (seen.unit.active == "deactivating")
      return Error(Errc::kUnavailable, seen.unit.id + " is being stopped");
    Assessment out;
    out.target = "unit/" + seen.unit.id;
    TRY(out.state, state_of(seen.unit, seen.along));
    if (seen.unit.active == "active") out.downtime_ms = kRestartMs;
    for (const auto& one : restarting(seen)) out.diff.push_back(change(*one, settled(*one)));
    out.facts = {{facts::kRestarts, std::to_string(seen.unit.restarts)}};
    return out;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment&, Run& run) override {
    before_.clear();
    TRY(const Seen seen, look(parameters, run));
    for (const auto& one : restarting(seen)) before_.push_back(*one);
    run.step("restart", seen.unit.id);
    return systemctl().restart(seen.unit.id, run);
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters&, const Assessment&,
                                           Run& run) override {
    if (before_.empty()) return Error(Errc::kInternal, "nothing was restarted");
    run.step("watch", before_.front().id);
    TRY_VOID(watch(before_.front().id, run));
    std::vector<wire::Change> out;
    for (const auto& one : before_) {
      TRY(const Unit now, systemctl().show(one.id, run));
      if (now.invocation != one.invocation && well(now)) out.push_back(change(one, settled(one)));
    }
    return out;
  }

 private:
  static bool well(const Unit& unit) {
    if (unit.runs_to_its_end()) return unit.active != "failed" && unit.result == "success";
    return unit.active == "active";
  }
  static wire::Change change(const Unit& unit, std::string before) {
    return {"unit " + unit.id, std::move(before),
            unit.runs_to_its_end() ? "run anew" : "active, started anew"};
  }
  // The unit itself first.
  static std::vector<const Unit*> restarting(const Seen& seen) {
    std::vector<const Unit*> out = {&seen.unit};
    for (const auto& one : seen.along)
      if (one.active == "active" || one.active == "reloading") out.push_back(&one);
    return out;
  }
  // Up, and still the same start after a while.
  Result<void> watch(const std::string& name, const Run& run) const {
    TRY(const Unit first, systemctl().show(name, run));
    const auto until = std::chrono::steady_clock::now() + std::min(kStableFor, run.left() / 2);
    for (Unit now = first;;) {
      if (!well(now))
        return Error(Errc::kUnavailable, name + " is " + now.active + " (" + now.sub + ", " +
                                             now.result + ") after the restart");
      if (now.restarts != first.restarts || now.invocation != first.invocation)
        return Error(Errc::kUnavailable, name + " does not stay up: it was started again");
      if (std::chrono::steady_clock::now() >= until) return {};
      std::this_thread::sleep_for(kLookEvery);
      TRY(now, systemctl().show(name, run));
    }
  }

  std::vector<Unit> before_;  // By the latest execute()
};

class SystemdResetFailed final : public SystemdAction {
 public:
  using SystemdAction::SystemdAction;

  Result<Assessment> assess(const wire::Parameters& parameters, Run& run) override {
    TRY(const Seen seen, look(parameters, run));
    if (seen.unit.active != "failed")
      return Error(Errc::kUnavailable, seen.unit.id + " has not failed, it is " + seen.unit.active);
    Assessment out;
    out.target = "unit/" + seen.unit.id;
    TRY(out.state, state_of(seen.unit, {}));
    out.diff = {{"unit " + seen.unit.id, "failed", "inactive"}};
    out.facts = {{facts::kRestarts, std::to_string(seen.unit.restarts)}};
    return out;
  }

  Result<void> execute(const wire::Parameters& parameters, const Assessment&, Run& run) override {
    TRY(const Seen seen, look(parameters, run));
    run.step("reset-failed", seen.unit.id);
    return systemctl().reset_failed(seen.unit.id, run);
  }

  Result<std::vector<wire::Change>> verify(const wire::Parameters& parameters, const Assessment&,
                                           Run& run) override {
    TRY(const Unit now, systemctl().show(unit_of(parameters), run));
    if (now.active == "failed")
      return Error(Errc::kUnavailable, now.id + " is still told as failed");
    return std::vector<wire::Change>{{"unit " + now.id, "failed", now.active}};
  }
};

}  // namespace

Result<void> check_may_touch(const Unit& unit, const std::string& asked_for,
                             const std::vector<Unit>& along) {
  if (unit.id != asked_for)
    return Error(Errc::kDenied, asked_for + " is another name of " + unit.id + ": use that");
  if (unit.id.starts_with(kOurs))
    return Error(Errc::kDenied, unit.id + " is a part of ObserveAI: it does not act on itself");
  const auto ours = std::find_if(along.begin(), along.end(),
                                 [](const Unit& one) { return one.id.starts_with(kOurs); });
  if (ours != along.end())
    return Error(Errc::kDenied, ours->id + " depends on " + unit.id + " and would go down with it");
  if (unit.load == "masked") return Error(Errc::kDenied, unit.id + " is masked");
  if (unit.load != "loaded")
    return Error(Errc::kUnavailable, unit.id + " is not loaded: " + unit.load);
  if (unit.transient)
    return Error(Errc::kDenied, unit.id + " is transient: once stopped it is gone");
  if (unit.file_changed)
    return Error(Errc::kUnavailable, "the file of " + unit.id +
                                         " changed since systemd read it: systemctl daemon-reload");
  return {};
}

void add_systemd_actions(const Host& host, Actions& actions) {
  actions.emplace("systemd.reset_failed", std::make_unique<SystemdResetFailed>(host));
  actions.emplace("systemd.restart", std::make_unique<SystemdRestart>(host));
}

}  // namespace observeai::agent::executor
