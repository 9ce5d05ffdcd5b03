// What commands left that did not end.
#include "acting.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

// What the ledger holds after a crash in the middle of an execution.
struct Interrupted : Acting {
  wire::Command at_work = command();

  Interrupted() {
    executor.reset();
    const auto trust = Trust::open(dir / "trust", ::geteuid());
    auto ledger = *Ledger::open(dir / "ledger.db", trust->enrollment());
    wire::CommandResult draft;
    draft.command_id = at_work.id;
    draft.command_sha256 = signing::sha256(rig.sign_command(at_work));
    draft.seq = at_work.seq;
    draft.tenant = rig.tenant;
    draft.agent = rig.agent;
    draft.target = "container/web";
    draft.outcome = wire::ResultOutcome::kInterrupted;
    Ledger::Entry entry;
    entry.id = at_work.id;
    entry.sha256 = draft.command_sha256;
    entry.seq = at_work.seq;
    entry.execute = true;
    entry.received_ms = rig.now_ms;
    entry.draft = *wire::encode_result(draft);
    REQUIRE(ledger.receive(entry));
    REQUIRE(ledger.start({at_work.id, wire::digest_of(at_work.intent), "container/web",
                          "docker.stop", rig.now_ms - 3'600'000, entry.draft, "was=up"}));
    script.calls.clear();
  }
  // Of an earlier start, which could not be put right: it is told already.
  void leave_before(const std::string& state) {
    const auto trust = Trust::open(dir / "trust", ::geteuid());
    auto ledger = *Ledger::open(dir / "ledger.db", trust->enrollment());
    Ledger::Entry entry;
    entry.id = {1, 2, 3};
    entry.seq = 77;
    entry.execute = true;
    entry.draft = "draft";
    REQUIRE(ledger.receive(entry));
    REQUIRE(ledger.start({entry.id, {7}, "container/db", "docker.stop", 1, "begun", state}));
    REQUIRE(ledger.finish(entry.id, "told", true));
    REQUIRE(ledger.mark_spooled(signing::sha256("told")));
  }
  std::string recovery() const { return "recover was=up " + text::to_hex(at_work.id).substr(0, 4); }
  std::string told() {
    const auto list = decode_list(executor->results().body);
    REQUIRE(list->size() == 1);
    const auto result = open_result(Frame{FrameKind::kResult, list->front()});
    CHECK(result.outcome == wire::ResultOutcome::kInterrupted);
    return result.message;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Interrupted, "what an interrupted command left is put right once, and told") {
  start();
  executor->open();
  CHECK(script.calls == Calls{recovery()});
  CHECK(told().find("not run again; web is back") != std::string::npos);
  for (int i = 0; i < 2; ++i) {
    start();
    executor->open();
  }
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.calls == Calls{recovery(), "assess", "execute", "verify", "assess"});
}

TEST_CASE_FIXTURE(
    Interrupted,
    "what cannot be put right is tried again, at the start and before a command of its kind") {
  script.recover = Error(Errc::kUnavailable, "no engine");
  start();
  executor->open();
  CHECK(told().find("not put right yet (no engine)") != std::string::npos);
  start();
  executor->open();
  CHECK(script.calls == Calls{recovery(), recovery()});
  script.recover.reset();
  script.calls.clear();
  CHECK(result(addressed(rig.dry_run(intent()))).outcome == wire::ResultOutcome::kDryRun);
  CHECK(script.calls == Calls{recovery(), "assess"});
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.calls == Calls{recovery(), "assess", "assess", "execute", "verify", "assess"});
}

TEST_CASE_FIXTURE(Interrupted, "what cannot be put right is tried again between commands") {
  script.recover = Error(Errc::kUnavailable, "no engine");
  start();
  executor->open();
  executor->recover_again();
  CHECK(script.calls == Calls{recovery(), recovery()});
  script.recover.reset();
  for (int i = 0; i < 2; ++i) executor->recover_again();
  CHECK(script.calls == Calls{recovery(), recovery(), recovery()});
}

TEST_CASE_FIXTURE(Interrupted, "what cannot be put right is not in the way of the rest") {
  leave_before("hopeless");
  script.hopeless = "hopeless";
  start();
  executor->open();
  CHECK(script.calls.size() == 2);
  CHECK(told().find("not run again; web is back") != std::string::npos);
  start();
  executor->open();
  CHECK(script.calls.size() == 3);
  CHECK(script.calls.back().substr(0, 16) == "recover hopeless");
}

TEST_CASE_FIXTURE(Interrupted, "a refusal too makes room in the ledger") {
  leave_before("gone");  // Received in 1970
  const auto known = [&] {
    executor.reset();
    const auto trust = Trust::open(dir / "trust", ::geteuid());
    auto ledger = *Ledger::open(dir / "ledger.db", trust->enrollment());
    return ledger.find({1, 2, 3})->has_value();
  };
  REQUIRE(known());
  start();
  seq = 77;
  set_policy("", "container/db");
  CHECK(result(command()).reason == "policy");
  CHECK(!known());
}

TEST_CASE_FIXTURE(Interrupted, "nothing is put right while the host's owner lets nothing be done") {
  SUBCASE("commands are switched off") {
    REQUIRE(files::write_atomic(kill_switch_path(dir / "policy.d"), "", 0644));
  }
  SUBCASE("dry runs only") {
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", "enabled = false\n", 0644));
  }
  SUBCASE("a policy that cannot be read") {
    REQUIRE(files::write_atomic(dir / "policy.d/a.toml", "enabled = perhaps\n", 0644));
  }
  start();
  executor->open();
  CHECK(script.calls.empty());
  CHECK(told().find("not put right yet") != std::string::npos);
  std::filesystem::remove(kill_switch_path(dir / "policy.d"));
  REQUIRE(files::write_atomic(dir / "policy.d/a.toml", kPolicy, 0644));
  start();
  executor->open();
  CHECK(script.calls == Calls{recovery()});
}

TEST_CASE_FIXTURE(Acting, "a way back that failed is tried again before the next command") {
  script.execute = Error(Errc::kUnavailable, "the port is taken");
  script.recover_later = true;
  SUBCASE("of the action itself") {
    CHECK(result(command()).reason == "failed");
  }
  SUBCASE("asked for") {
    script.undo = Error(Errc::kUnavailable, "still taken");
    CHECK(result(command(true)).outcome == wire::ResultOutcome::kFailed);
  }
  script = Script();
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  REQUIRE(script.calls.size() == 5);
  CHECK(script.calls[0].substr(0, 21) == "recover running=true ");
  CHECK(script.calls[1] == "assess");
}

TEST_CASE_FIXTURE(Acting, "a way back that succeeded leaves nothing") {
  script.execute = Error(Errc::kUnavailable, "the port is taken");
  script.recover_later = true;
  CHECK(result(command(true)).outcome == wire::ResultOutcome::kRolledBack);
  script = Script();
  CHECK(result(command()).outcome == wire::ResultOutcome::kSucceeded);
  CHECK(script.calls.front() == "assess");
}
