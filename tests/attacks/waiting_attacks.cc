// What is taken away while a command waits behind another one does not happen.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "agent/executor/client.h"
#include "attack_rig.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr auto kPatience = 60s;

// Two runbooks: `mark` is at work until the test lets it end, `choose` waits behind it.
struct Queue : AttackRig {
  Queue() {
    write_program("mark", "echo began >> '" + path("marker") + "'\nwhile [ ! -e '" + path("go") +
                              "' ]; do sleep 0.02; done\n");
    write_program("choose", "echo began >> '" + path("marker") + "'\n");
    write_policy(site_policy());
  }

  wire::Intent choose() {
    return looked_at(
        keys.intent("runbook", {{"runbook", std::string("choose")}, {"what", std::string("one")}}));
  }

  // What became of `command` when `meanwhile` happened after it was admitted.
  wire::CommandResult waited(const wire::Command& command, const std::function<void()>& meanwhile) {
    // Its number is taken; the command before it has the next one.
    auto last = command;
    auto before = mark_intent();
    before.timeout_ms = 5 * kMinuteMs;  // It waits for this test, however slow that is
    const auto first = sign(approved(looked_at(before)));
    last.seq = ++seq;
    const auto second = sign(last);
    std::jthread sender([&] { (void)ask_aside(first); });
    wait_until([&] { return marks() == 1; });
    std::string reply;
    std::jthread waiter([&] { reply = ask_aside(second); });
    wait_until([&] { return status().command_seq == last.seq; });
    CHECK(ask(FrameKind::kCommand, second).kind == FrameKind::kError);  // It is there, and waits
    meanwhile();
    std::ofstream(path("go")).close();
    waiter.join();
    sender.join();
    return open_result(reply);
  }

  void refused_after(const wire::Command& command, const std::string& reason,
                     const std::function<void()>& meanwhile) {
    const auto result = waited(command, meanwhile);
    CAPTURE(result.message);
    CHECK(result.outcome == wire::ResultOutcome::kRefused);
    CHECK(result.reason == reason);
    CHECK(result.started_ms == 0);
    CHECK(marks() == 1);
  }

 private:
  static void wait_until(const std::function<bool()>& is_so) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!is_so()) {
      REQUIRE(std::chrono::steady_clock::now() < deadline);
      std::this_thread::sleep_for(1ms);
    }
  }
  std::string ask_aside(const std::string& envelope) const {
    const auto reply = agent::executor::ask(path("sock/executor.sock"),
                                            {FrameKind::kCommand, envelope}, kPatience);
    return reply ? reply->body : "";
  }
};

// Whose clocks are the test's: minutes pass at once, and only when it says so.
struct TimedQueue : Queue {
  TimedQueue() {
    stop();
    preload_faults();
    start();
  }
};

}  // namespace

TEST_CASE_FIXTURE(Queue, "control: a command that waited behind another one is executed") {
  const auto result = waited(approved(choose()), [] {});
  CHECK_MESSAGE(result.outcome == wire::ResultOutcome::kSucceeded, result.message);
  CHECK(marks() == 2);
}

TEST_CASE_FIXTURE(Queue, "the rule that allows it is taken away while a command waits") {
  refused_after(approved(choose()), "policy", [&] {
    write_policy(
        site_policy("", "[[allow]]\naction = \"runbook\"\ntargets = [\"runbook/mark\"]\n"));
  });
}

TEST_CASE_FIXTURE(Queue, "the kill switch while a command waits behind another one") {
  refused_after(approved(choose()), "disabled",
                [&] { std::ofstream(path("etc/DISABLE_COMMANDS")).close(); });
}

TEST_CASE_FIXTURE(Queue, "its runbook is taken off the list while a command waits") {
  const auto command = approved(choose());
  refused_after(command, "policy", [&] {
    std::filesystem::remove(path("bin/choose"));
    write_policy(site_policy());
  });
}

TEST_CASE_FIXTURE(Queue, "the policy asks for one person more while a command waits") {
  refused_after(approved(choose()), "approval_missing", [&] {
    write_policy(
        site_policy("enabled = true\nmax_tier = 2\ncooldown = \"0s\"\n"
                    "[approvals]\ntier2 = 3\n"));
  });
}

TEST_CASE_FIXTURE(Queue, "its signer is revoked while a command waits") {
  refused_after(approved(choose()), "bad_signature", [&] {
    auto root = keys.root_metadata(2);
    root.signers[0].key = test::key_of(60).public_key();
    REQUIRE(offer_roots({keys.sign_root(root)}).kind == FrameKind::kDone);
  });
}

TEST_CASE_FIXTURE(Queue, "its signer's delegation is narrowed while a command waits") {
  refused_after(approved(choose()), "out_of_delegation", [&] {
    auto root = keys.root_metadata(2);
    root.signers[0].delegation.actions = {"docker.restart"};
    REQUIRE(offer_roots({keys.sign_root(root)}).kind == FrameKind::kDone);
  });
}

TEST_CASE_FIXTURE(Queue, "its approver is revoked while a command waits") {
  refused_after(approved(choose()), "approval_invalid", [&] {
    auto root = keys.root_metadata(2);
    std::erase_if(root.approvers, [](const auto& one) { return one.person == "bob"; });
    REQUIRE(offer_roots({keys.sign_root(root)}).kind == FrameKind::kDone);
  });
}

TEST_CASE_FIXTURE(TimedQueue, "an approval expires while a command waits") {
  auto command = approved(choose());
  auto approval = keys.approval(command);
  approval.expires_ms = keys.now_ms + 5 * kMinuteMs;
  command.approvals[1] = keys.sign_approval(approval, keys.bob);
  refused_after(command, "approval_invalid", [&] { pass_time_ms(5 * kMinuteMs); });
}

TEST_CASE_FIXTURE(TimedQueue, "the policy's hours end while a command waits") {
  // It is 08:00.
  write_policy(site_policy("",
                           "[[allow]]\naction = \"runbook\"\ntargets = [\"runbook/mark\"]\n"
                           "[[allow]]\naction = \"runbook\"\ntargets = [\"runbook/choose\"]\n"
                           "windows = [\"Fri 08:00-08:05\"]\n"));
  refused_after(approved(choose()), "window", [&] { pass_time_ms(5 * kMinuteMs); });
}
