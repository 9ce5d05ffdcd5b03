#include <doctest/doctest.h>
#include <signal.h>
#include <stdexcept>
#include <thread>

#include "agent/runtime/co.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using Trace = std::vector<std::string>;

std::string at(const AsyncClock& clock, const std::string& what) {
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(clock.steady_now().time_since_epoch());
  return what + "@" + std::to_string(seconds.count());
}

asio::awaitable<void> beat(AsyncClock& clock, Trace& trace, std::string name,
                           std::chrono::seconds every) {
  for (;;) {
    co_await clock.sleep_for(every);
    trace.push_back(at(clock, name));
  }
}

asio::awaitable<Result<int>> answer_after(AsyncClock& clock, std::chrono::seconds delay) {
  co_await clock.sleep_for(delay);
  co_return 42;
}

asio::awaitable<void> ask(AsyncClock& clock, Trace& trace, std::chrono::seconds delay) {
  const auto answer = co_await with_deadline(clock, 5'000ms, answer_after(clock, delay));
  trace.push_back(
      at(clock, answer ? std::to_string(*answer) : std::string(to_string(answer.error().code()))));
}

asio::awaitable<void> wait_for(AsyncClock& clock, Notifier& notifier, Trace& trace) {
  const bool notified = co_await notifier.wait_until(clock, clock.steady_now() + 10s);
  trace.push_back(at(clock, notified ? "notified" : "late"));
}

asio::awaitable<void> fall(AsyncClock& clock) {
  co_await clock.sleep_for(1s);
  throw std::runtime_error("broken");
}

}  // namespace

TEST_CASE("advancing the manual clock wakes sleepers in the order of their times") {
  Loop loop;
  ManualAsyncClock clock(loop);
  Trace trace;
  spawn(loop, "a", beat(clock, trace, "a", 3s));
  spawn(loop, "b", beat(clock, trace, "b", 2s));
  clock.advance(7s);
  CHECK(trace == Trace{"b@2", "a@3", "b@4", "a@6", "b@6"});
  clock.advance(1s);
  CHECK(trace.back() == "b@8");
  CHECK(clock.unix_ms() == 1'700'000'008'000);
  clock.jump_wall(-1h);  // An interval must not notice.
  clock.advance(1s);
  CHECK(trace.back() == "a@9");
}

TEST_CASE("a day under the manual clock takes no time") {
  Loop loop;
  ManualAsyncClock clock(loop);
  Trace trace;
  spawn(loop, "beat", beat(clock, trace, "x", 30s));
  clock.advance(24h);
  CHECK(trace.size() == 2880);
}

TEST_CASE("with_deadline gives the result in time and kTimeout after, and cancels the work") {
  Loop loop;
  ManualAsyncClock clock(loop);
  Trace trace;
  spawn(loop, "quick", ask(clock, trace, 4s));
  spawn(loop, "slow", ask(clock, trace, 6s));
  clock.advance(10s);
  CHECK(trace == Trace{"42@4", "timeout@5"});
  CHECK(clock.sleepers() == 0);
}

TEST_CASE("a notifier wakes its waiter, keeps one early notification, and may come too late") {
  Loop loop;
  ManualAsyncClock clock(loop);
  Notifier notifier(loop);
  Trace trace;
  notifier.notify();
  notifier.notify();
  spawn(loop, "early", wait_for(clock, notifier, trace));
  loop.poll();
  CHECK(trace == Trace{"notified@0"});
  spawn(loop, "waits", wait_for(clock, notifier, trace));
  clock.advance(3s);
  notifier.notify();
  loop.poll();
  CHECK(trace.back() == "notified@3");
  spawn(loop, "too late", wait_for(clock, notifier, trace));
  clock.advance(11s);
  CHECK(trace.back() == "late@13");
  CHECK(clock.sleepers() == 0);
}

TEST_CASE("an exception out of a coroutine ends the loop with its name") {
  Loop loop;
  ManualAsyncClock clock(loop);
  spawn(loop, "faller", fall(clock));
  clock.advance(1s);
  const auto ended = loop.run();
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code() == Errc::kInternal);
  CHECK(ended.error().message() == "faller: broken");
}

TEST_CASE("an exception out of a posted function ends the loop as well") {
  Loop loop;
  loop.post([] { throw std::runtime_error("posted badly"); });
  const auto ended = loop.run();
  REQUIRE_FALSE(ended);
  CHECK(ended.error().message() == "the loop: posted badly");
}

TEST_CASE("post and stop work from another thread, and the loop can run again") {
  Loop loop;
  int posted = 0;
  for (int round = 1; round <= 2; ++round) {
    std::thread other([&] {
      loop.post([&] { ++posted; });
      loop.post([&] { loop.stop(); });
    });
    CHECK(loop.run());
    other.join();
    CHECK(posted == round);
  }
}

TEST_CASE("signals arrive on the loop, each time") {
  Loop loop;
  std::vector<int> seen;
  loop.on_signals({SIGUSR1, SIGUSR2}, [&](int number) {
    seen.push_back(number);
    if (seen.size() == 2) loop.stop();
    if (seen.size() == 1) ::raise(SIGUSR2);
  });
  loop.post([] { ::raise(SIGUSR1); });
  CHECK(loop.run());
  CHECK(seen == std::vector<int>{SIGUSR1, SIGUSR2});
}

TEST_CASE("sleepers may outlive the clock when the loop goes last, and the other way round") {
  Trace trace;
  {
    auto loop = std::make_unique<Loop>();
    auto clock = std::make_unique<ManualAsyncClock>(*loop);
    spawn(*loop, "beat", beat(*clock, trace, "x", 1s));
    loop->poll();
    clock.reset();
  }
  {
    auto loop = std::make_unique<Loop>();
    auto clock = std::make_unique<ManualAsyncClock>(*loop);
    spawn(*loop, "beat", beat(*clock, trace, "x", 1s));
    loop->poll();
    CHECK(clock->sleepers() == 1);
    loop.reset();
    CHECK(clock->sleepers() == 0);
  }
  CHECK(trace.empty());
}

namespace {

// As a module of the agent: its coroutine refers to it, and it owns what belongs to the loop.
struct Module {
  explicit Module(Loop& loop) : wake(loop) {}
  asio::awaitable<void> run(AsyncClock& clock) {
    const std::shared_ptr<int> in_the_frame = held;
    for (;;) co_await wake.wait_until(clock, SteadyTime::max());
  }
  Notifier wake;
  std::shared_ptr<int> held = std::make_shared<int>(0);
};

}  // namespace

TEST_CASE(
    "after shutdown no frame and nothing posted is left, and modules may go before the loop") {
  Loop loop;
  ManualAsyncClock clock(loop);
  auto module = std::make_unique<Module>(loop);
  const auto held = module->held;
  spawn(loop, "module", module->run(clock));
  loop.poll();
  loop.post([also = held] { FAIL("ran after the last run: " << *also); });
  CHECK(held.use_count() == 4);
  loop.shutdown();
  CHECK(held.use_count() == 2);  // The module's and ours
  loop.post([] { FAIL("nothing runs any more"); });
  module.reset();
  CHECK(held.use_count() == 1);
}
