// SIGKILL at every edge: just before and just after each call by which the executor changes something, until
// the whole passes without a kill. What the ledger said at that moment decides what must be told:
//
//   in the ledger   told after the restart   done          the same bytes again
//   nothing         nothing                  no            done now, or refused: its number was taken
//   RECEIVED        refused: interrupted     no            the same
//   STARTED         interrupted              once or not   the same
//   DONE            what it came to          as told       the same
//
// And always: the next command for the same target is done.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <thread>

#include "agent/executor/client.h"
#include "edge_rig.h"
#include "protocol/base/files.h"
#include "protocol/wire/refusals.h"

using namespace observeai;
using agent::executor::Ledger;
using observeai::test::EdgeRig;
using observeai::test::FrameKind;
using wire::ResultOutcome;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

constexpr const char* kNotBegun = "interrupted";  // As the reason of a refusal

std::optional<agent::executor::Frame> send(const EdgeRig& rig, FrameKind kind,
                                           const std::string& body) {
  auto reply = agent::executor::ask(rig.path("sock/executor.sock"), {kind, body}, 30s);
  if (!reply) return std::nullopt;
  return std::move(*reply);
}

// What a command comes to when nothing ends the executor.
struct Undisturbed {
  ResultOutcome outcome = ResultOutcome::kSucceeded;
  std::string reason = {};
  std::size_t marks = 0;  // That it leaves
};

// How often the ledger held a command in which state when its executor was killed; 0: not at all.
using Seen = std::map<int, int>;

void wait_until(const std::function<bool()>& so) {
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!so()) {
    REQUIRE(std::chrono::steady_clock::now() < deadline);
    std::this_thread::sleep_for(1ms);
  }
}

int number_of(std::optional<Ledger::State> state) {
  return state ? static_cast<int>(*state) : 0;
}

void check_same(const wire::CommandResult& a, const wire::CommandResult& b) {
  CHECK(a.outcome == b.outcome);
  CHECK(a.reason == b.reason);
  CHECK(a.finished_ms == b.finished_ms);
}

// After the restart of an executor that was killed while it had `command`. `before`: marks before it came;
// `answer`: what its asker got, if anything.
void check_told_once(EdgeRig& rig, const wire::Command& command, std::optional<Ledger::State> state,
                     std::size_t before, const std::optional<wire::CommandResult>& answer,
                     const Undisturbed& undisturbed) {
  const std::size_t at_kill = rig.marks();
  const auto told = rig.told(command.id);
  const auto again = rig.deliver(rig.sign(command));
  const std::size_t now = rig.marks();
  CHECK(told.size() == (state ? 1 : 0));
  if (state && !told.empty()) check_same(told.front(), again);
  if (answer) check_same(*answer, again);
  if (!state && again.outcome == undisturbed.outcome && again.reason == undisturbed.reason) {
    CHECK(at_kill == before);
    CHECK(now == before + undisturbed.marks);
    return;
  }
  CHECK(now == at_kill);  // Told, not done again
  if (!state || *state == Ledger::State::kReceived) {
    CHECK(again.outcome == ResultOutcome::kRefused);
    CHECK(again.reason == (state ? kNotBegun : wire::refusals::kSequence));
    CHECK(again.started_ms == 0);
    CHECK(now == before);
  } else if (*state == Ledger::State::kStarted) {
    CHECK(again.outcome == ResultOutcome::kInterrupted);
    CHECK(again.started_ms > 0);
    CHECK(now <= before + undisturbed.marks);
  } else {
    CHECK(again.outcome == undisturbed.outcome);
    CHECK(again.reason == undisturbed.reason);
    CHECK(now == before + undisturbed.marks);
  }
}

// Each time another command, and another edge.
Seen kill_at_every_edge(EdgeRig& rig, const wire::Intent& next,
                        const std::function<wire::Command()>& make,
                        const Undisturbed& undisturbed) {
  Seen seen;
  for (int edge = 1;; ++edge) {
    const auto command = make();
    const std::size_t before = rig.marks();
    rig.arm(edge);
    const auto reply = send(rig, FrameKind::kCommand, rig.sign(command));
    // Asked once more, so that what follows the answer has passed too.
    if (reply) send(rig, FrameKind::kStatus, "");
    std::optional<wire::CommandResult> answer;
    if (reply) {
      REQUIRE(reply->kind == FrameKind::kResult);
      answer = rig.open_result(reply->body);
      CHECK(answer->outcome == undisturbed.outcome);
      CHECK(answer->reason == undisturbed.reason);
    }
    if (rig.disarm()) {
      REQUIRE(answer);
      MESSAGE((edge - 1) << " edges; not in the ledger " << seen[0] << ", received " << seen[1]
                         << ", started " << seen[2] << ", done " << seen[3]);
      return seen;
    }
    rig.wait_until_dead();
    CAPTURE(rig.edge());
    CHECK(rig.marks() <= before + undisturbed.marks);
    const auto state = rig.state_of(command.id);
    ++seen[number_of(state)];
    rig.start();
    check_told_once(rig, command, state, before, answer, undisturbed);
    rig.executed(rig.approved(next));
    rig.acknowledge();
    CHECK(rig.waiting_results().empty());
  }
}

std::size_t position(const std::vector<std::string>& edges, const std::string& name) {
  return static_cast<std::size_t>(std::find(edges.begin(), edges.end(), name) - edges.begin());
}

// Nothing was written to the ledger's log after its last sync, as of edge number `until`.
bool is_synced(const std::vector<std::string>& edges, std::size_t until) {
  bool synced = false;
  for (std::size_t i = 0; i < until; ++i) {
    if (edges[i] == "before pwrite64 ledger.db-wal") synced = false;
    if (edges[i] == "after fdatasync ledger.db-wal") synced = true;
  }
  return synced;
}

// One command at work, one that waits behind it, and their executor is killed.
struct InterruptedRig : EdgeRig {
  wire::Intent first_intent;
  wire::Intent second_intent;
  wire::Command first;
  wire::Command second;

  InterruptedRig() {
    write_program("mark", "echo began >> '" + path("marker") + "'\n[ ! -e '" + path("slow") +
                              "' ] || exec sleep 60\n");
    write_program("choose", "echo began >> '" + path("marker") + "'\n");
    write_policy(site_policy());
    first_intent = looked_at(mark_intent());
    second_intent = looked_at(
        keys.intent("runbook", {{"runbook", std::string("choose")}, {"what", std::string("one")}}));
    acknowledge();
    REQUIRE(files::write_atomic(path("slow"), "", 0600));
    first = approved(first_intent);
    const std::jthread first_sender([&] { send(*this, FrameKind::kCommand, sign(first)); });
    wait_until([this] { return marks() == 1; });
    second = approved(second_intent);
    const std::jthread second_sender([&] { send(*this, FrameKind::kCommand, sign(second)); });
    wait_until([this] { return status().command_seq == second.seq; });
    kill_now();
    REQUIRE(state_of(first.id) == Ledger::State::kStarted);
    REQUIRE(state_of(second.id) == Ledger::State::kReceived);
    copy_state("interrupted");
    fs::copy(path("run"), path("interrupted-run"));
    fs::remove(path("slow"));
  }
  // The moment of the kill again.
  void restore() const {
    restore_state("interrupted");
    fs::remove_all(path("run"));
    fs::copy(path("interrupted-run"), path("run"));
  }
};

}  // namespace

TEST_CASE_FIXTURE(EdgeRig,
                  "killed at every edge of an action: at most once, told, nothing locked") {
  const auto intent = looked_at(mark_intent());
  acknowledge();
  auto seen = kill_at_every_edge(*this, intent, [&] { return approved(intent); }, {.marks = 1});
  for (int state = 0; state <= 3; ++state) CHECK(seen[state] > 0);
}

TEST_CASE_FIXTURE(EdgeRig, "killed at every edge of a dry run") {
  const auto intent = looked_at(mark_intent());
  acknowledge();
  auto seen =
      kill_at_every_edge(*this, intent, [&] { return addressed(keys.dry_run(mark_intent())); },
                         {.outcome = ResultOutcome::kDryRun});
  CHECK(seen[0] > 0);
  CHECK(seen[1] > 0);
  CHECK(seen[2] == 0);
  CHECK(seen[3] > 0);
}

TEST_CASE_FIXTURE(EdgeRig, "killed at every edge of a refusal") {
  const auto intent = looked_at(mark_intent());
  acknowledge();
  const auto stale = [&] {
    auto other = intent;
    other.state.fill(1);
    return approved(other);
  };
  auto seen = kill_at_every_edge(*this, intent, stale,
                                 {.outcome = ResultOutcome::kRefused, .reason = "stale"});
  CHECK(seen[0] > 0);
  CHECK(seen[1] > 0);
  CHECK(seen[2] == 0);
  CHECK(seen[3] > 0);
}

TEST_CASE_FIXTURE(EdgeRig,
                  "control: STARTED is on the disk before the act, the result before its answer") {
  const auto intent = looked_at(mark_intent());
  const auto command = approved(intent);
  arm(0);
  executed(command);
  const auto edges = passed();
  const std::size_t act = position(edges, "before fork ");
  const auto answer = std::find_if(edges.begin(), edges.end(), [](const auto& name) {
    return name.starts_with("before send ");
  });
  REQUIRE(act < edges.size());
  REQUIRE(answer != edges.end());
  CHECK(is_synced(edges, act));
  CHECK(is_synced(edges, static_cast<std::size_t>(answer - edges.begin())));
  const auto syncs = [&edges](std::size_t from, std::size_t to) {
    return std::count(edges.begin() + static_cast<std::ptrdiff_t>(from),
                      edges.begin() + static_cast<std::ptrdiff_t>(to),
                      "after fdatasync ledger.db-wal");
  };
  CHECK(syncs(0, act) == 2);             // RECEIVED, STARTED
  CHECK(syncs(act, edges.size()) == 1);  // DONE
}

TEST_CASE_FIXTURE(InterruptedRig,
                  "killed again at every edge of the start that tells what was interrupted") {
  int killed = 0;
  for (int edge = 1;; ++edge) {
    restore();
    const std::size_t before = marks();
    arm(edge);
    const bool answered = try_start();
    const bool over = disarm();
    if (over) {
      REQUIRE(answered);
    } else {
      wait_until_dead();
      ++killed;
      start();
    }
    CAPTURE(edge);
    const auto first_told = told(first.id);
    const auto second_told = told(second.id);
    REQUIRE(first_told.size() == 1);
    REQUIRE(second_told.size() == 1);
    CHECK(first_told[0].outcome == ResultOutcome::kInterrupted);
    CHECK(second_told[0].outcome == ResultOutcome::kRefused);
    CHECK(second_told[0].reason == kNotBegun);
    check_same(deliver(sign(first)), first_told[0]);
    check_same(deliver(sign(second)), second_told[0]);
    CHECK(marks() == before);
    executed(approved(first_intent));
    executed(approved(second_intent));
    acknowledge();
    CHECK(waiting_results().empty());
    if (over) break;
    kill_now();
  }
  MESSAGE(killed << " edges");
  CHECK(killed > 10);
}

TEST_CASE_FIXTURE(
    EdgeRig,
    "killed at every edge of the first start: the next one begins as if it were the first") {
  stop();
  copy_state("enrolled");
  for (const char* name : {"ledger.db", "ledger.db-wal"})
    fs::remove(path("enrolled/" + std::string(name)));
  int killed = 0;
  for (int edge = 1;; ++edge) {
    restore_state("enrolled");
    fs::remove_all(path("run"));
    arm(edge);
    const bool answered = try_start();
    const bool over = disarm();
    if (over) {
      REQUIRE(answered);
    } else {
      wait_until_dead();
      ++killed;
      start();
    }
    CAPTURE(edge);
    CHECK(status().state == "time unknown");
    learn_time();
    executed(approved_mark());
    if (over) break;
    kill_now();
  }
  MESSAGE(killed << " edges");
  CHECK(killed > 20);
}

TEST_CASE_FIXTURE(EdgeRig, "killed at every edge of taking note that a result is spooled") {
  const auto intent = looked_at(mark_intent());
  acknowledge();
  int still = 0;
  int gone = 0;
  for (int edge = 1;; ++edge) {
    const auto command = approved(intent);
    const auto envelope = sign(command);
    const auto done = send(*this, FrameKind::kCommand, envelope);
    REQUIRE(done);
    const auto digest = wire::digest_of(done->body);
    const std::size_t before = marks();
    arm(edge);
    const auto reply = send(*this, FrameKind::kSpooled, std::string(digest.begin(), digest.end()));
    if (reply) send(*this, FrameKind::kStatus, "");
    const bool over = disarm();
    if (!over) {
      wait_until_dead();
      start();
    }
    CAPTURE(edge);
    const auto waiting = told(command.id);
    (waiting.empty() ? gone : still) += 1;
    if (reply) CHECK(waiting.empty());
    acknowledge();
    CHECK(waiting_results().empty());
    CHECK(deliver(envelope).outcome == ResultOutcome::kSucceeded);  // As stored
    CHECK(marks() == before);
    executed(approved(intent));
    acknowledge();
    if (over) break;
  }
  MESSAGE(still << " edges after which it waits, " << gone << " after which it does not");
  CHECK(still > 0);
  CHECK(gone > 1);
}
