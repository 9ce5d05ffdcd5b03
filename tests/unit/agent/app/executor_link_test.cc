#include "agent/app/executor_link.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>

#include "agent/executor/executor_config.h"
#include "tests/support/fake_executor.h"
#include "tests/unit/agent/app/loop_world.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

using Kind = executor::FrameKind;

struct LinkWorld : test::LoopWorld {
  std::string socket = dir / "executor.sock";
  std::optional<test::FakeExecutor> executor;
  ExecutorLink link{loop, clock, outbox, socket, [] {}};

  explicit LinkWorld(bool has_executor = true) {
    if (has_executor) executor.emplace(loop, socket);
  }
  ~LinkWorld() { loop.shutdown(); }

  static wire::Meta meta(bool roots, bool time) {
    wire::Meta out;
    if (roots) out.roots = {"root 2"};
    if (time) out.time = "now";
    return out;
  }
  // Everything that can happen now happens.
  void settle() {
    constexpr int kRounds = 100;  // Each step of an exchange takes a few
    for (int i = 0; i < kRounds; ++i) loop.poll();
  }
};

}  // namespace

TEST_CASE("a command waits until the executor was told the roots and the time before it") {
  LinkWorld f;
  f.executor->holds = {Kind::kRoots, Kind::kTime};
  f.link.take_meta(LinkWorld::meta(true, true));
  f.link.take_command("command");
  f.settle();
  CHECK(f.executor->was_asked(Kind::kRoots));
  CHECK(f.executor->was_asked(Kind::kTime));
  CHECK_FALSE(f.executor->was_asked(Kind::kCommand));

  auto first = Kind::kRoots;
  auto second = Kind::kTime;
  SUBCASE("the roots first") {}
  SUBCASE("the time first") {
    std::swap(first, second);
  }
  f.executor->release(first);
  f.settle();
  CHECK_FALSE(f.executor->was_asked(Kind::kCommand));
  f.executor->release(second);
  f.settle();
  CHECK(f.executor->answered == std::vector{first, second, Kind::kCommand});
  CHECK(f.link.counters().results == 1);
}

TEST_CASE("a command waits for what came before it and not for what came after") {
  LinkWorld f;
  f.executor->holds = {Kind::kTime};
  f.link.take_command("command");
  f.link.take_meta(LinkWorld::meta(false, true));
  f.settle();
  CHECK(f.executor->answered == std::vector{Kind::kCommand});
}

TEST_CASE("all commands that waited go on") {
  LinkWorld f;
  f.executor->holds = {Kind::kRoots};
  f.link.take_meta(LinkWorld::meta(true, false));
  for (const auto* one : {"first", "second", "third"}) f.link.take_command(one);
  f.executor->release(Kind::kRoots);
  f.settle();
  CHECK(std::count(f.executor->answered.begin(), f.executor->answered.end(), Kind::kCommand) == 3);
  CHECK(f.executor->answered.front() == Kind::kRoots);
}

TEST_CASE("an executor that does not take the roots gets the command all the same: it decides") {
  LinkWorld f;
  f.executor->fails = {Kind::kRoots};
  f.link.take_meta(LinkWorld::meta(true, false));
  f.link.take_command("command");
  f.settle();
  CHECK(f.executor->answered == std::vector{Kind::kRoots, Kind::kCommand});
}

TEST_CASE("a command that waits or is at work is not given twice, and again once it is answered") {
  LinkWorld f;
  f.executor->holds = {Kind::kRoots, Kind::kCommand};
  f.link.take_meta(LinkWorld::meta(true, false));
  f.link.take_command("command");
  f.link.take_command("command");
  f.executor->release(Kind::kRoots);
  f.settle();
  f.link.take_command("command");
  CHECK(f.link.counters().repeated == 2);
  f.executor->release(Kind::kCommand);
  f.settle();
  CHECK(f.link.counters().commands == 1);
  f.link.take_command("command");
  f.settle();
  CHECK(f.link.counters().commands == 2);
  CHECK(std::count(f.executor->asked.begin(), f.executor->asked.end(), Kind::kCommand) == 2);
}

TEST_CASE("a command for an executor that is not there is not kept: it is sent again") {
  LinkWorld f(false);
  f.link.take_meta(LinkWorld::meta(true, true));
  f.link.take_command("command");
  f.settle();
  CHECK(f.link.counters().unanswered == 1);
  f.executor.emplace(f.loop, f.socket);
  f.link.take_command("command");
  f.settle();
  CHECK(f.executor->answered == std::vector{Kind::kCommand});
}

TEST_CASE("the questions of an idle host keep the executor for a twentieth of the time at most") {
  CHECK(20 * executor::ExecutorConfig{}.idle_exit <= ExecutorLink::kAskEvery);
}
