#include "agent/runtime/blocking_pool.h"

#include <doctest/doctest.h>
#include <future>
#include <stdexcept>
#include <thread>

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace asio = boost::asio;

namespace {

using Work = std::function<Result<int>()>;

asio::awaitable<void> call(BlockingPool& pool, std::string resource, Work work,
                           std::vector<Result<int>>& results) {
  auto result = co_await pool.run<int>(std::move(resource), 1'000ms, std::move(work));
  results.push_back(std::move(result));
}

// Work that returns when the test says so, as a dead mount might after hours.
struct Gate {
  std::promise<void> open;
  std::shared_future<void> opened{open.get_future()};
  Work work(int value) const {
    return [future = opened, value]() -> Result<int> {
      future.wait();
      return value;
    };
  }
};

struct Fixture {
  Loop loop;
  ManualAsyncClock clock{loop};
  std::vector<Result<int>> results;

  void start(BlockingPool& pool, const std::string& resource, Work work) {
    spawn(loop, resource, call(pool, resource, std::move(work), results));
    loop.poll();
  }
  bool wait_for(std::size_t count) {
    return loop.run_until([&] { return results.size() >= count; }, 10'000ms);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "results, errors and exceptions of the work come back") {
  BlockingPool pool(loop, clock);
  const auto caller = std::this_thread::get_id();
  start(pool, "a",
        [caller]() -> Result<int> { return std::this_thread::get_id() != caller ? 7 : 0; });
  REQUIRE(wait_for(1));
  CHECK(results[0].value() == 7);
  start(pool, "a", []() -> Result<int> { return Error(Errc::kDenied, "no"); });
  REQUIRE(wait_for(2));
  CHECK(results[1].error().code() == Errc::kDenied);
  start(pool, "a", []() -> Result<int> { throw std::runtime_error("boom"); });
  REQUIRE(wait_for(3));
  CHECK(results[2].error().code() == Errc::kInternal);
  CHECK(results[2].error().message() == "a: failed: boom");
  CHECK(pool.counters().finished == 3);
  CHECK(pool.counters().threads == 1);  // An idle worker is used again.
}

TEST_CASE_FIXTURE(Fixture, "a stuck resource is refused at once until it returns; others go on") {
  BlockingPool pool(loop, clock);
  Gate gate;
  start(pool, "statfs /mnt", gate.work(1));
  start(pool, "statfs /mnt", gate.work(2));
  REQUIRE(results.size() == 1);
  CHECK(results[0].error().code() == Errc::kUnavailable);
  CHECK(results[0].error().message() ==
        "statfs /mnt: still running since 2023-11-14T22:13:20.000Z");

  // The worker must have taken the job, or giving up would only remove it from the queue.
  REQUIRE(
      loop.run_until([&] { return pool.counters().threads == 1 && pool.queued() == 0; }, 10'000ms));
  clock.advance(1s);
  REQUIRE(results.size() == 2);
  CHECK(results[1].error().code() == Errc::kTimeout);
  CHECK(pool.stuck() == std::vector<std::string>{"statfs /mnt"});

  start(pool, "statfs /mnt", gate.work(3));
  REQUIRE(results.size() == 3);
  CHECK(results[2].error().message() == "statfs /mnt: still stuck since 2023-11-14T22:13:20.000Z");
  start(pool, "statfs /", []() -> Result<int> { return 4; });
  REQUIRE(wait_for(4));
  CHECK(results[3].value() == 4);

  gate.open.set_value();
  REQUIRE(loop.run_until([&] { return pool.counters().returned_late == 1; }, 10'000ms));
  CHECK(pool.stuck().empty());
  CHECK(pool.counters().stuck == 0);
  start(pool, "statfs /mnt", []() -> Result<int> { return 5; });
  REQUIRE(wait_for(5));
  CHECK(results[4].value() == 5);
}

TEST_CASE_FIXTURE(Fixture, "no more threads than allowed; who finds none is refused in time") {
  BlockingPool::Options options;
  options.max_threads = 2;
  options.max_queued = 1;
  BlockingPool pool(loop, clock, options);
  Gate gate;
  start(pool, "a", gate.work(1));
  REQUIRE(loop.run_until([&] { return pool.queued() == 0; }, 10'000ms));
  start(pool, "b", gate.work(2));
  REQUIRE(loop.run_until([&] { return pool.queued() == 0; }, 10'000ms));
  start(pool, "c", gate.work(3));
  start(pool, "d", gate.work(4));
  REQUIRE(results.size() == 1);
  CHECK(results[0].error().message() == "d: too many calls wait for a worker");
  clock.advance(1s);
  REQUIRE(results.size() == 4);
  CHECK(results[3].error().message() == "c: no worker became free within 1000 ms");
  CHECK(pool.counters().refused_no_worker == 2);
  CHECK(pool.counters().threads == 2);
  CHECK(pool.counters().stuck == 2);
  gate.open.set_value();
  start(pool, "c", []() -> Result<int> { return 6; });  // Its name is free again.
  REQUIRE(wait_for(5));
  CHECK(results[4].value() == 6);
}

TEST_CASE("a stuck job may outlive the pool, the loop and the clock") {
  Gate gate;
  std::promise<void> released;
  auto token = std::shared_ptr<int>(new int(0), [&released](int* value) {
    delete value;
    released.set_value();
  });
  {
    Fixture fixture;
    BlockingPool pool(fixture.loop, fixture.clock);
    auto hold = [future = gate.opened, kept = std::move(token)]() -> Result<int> {
      future.wait();
      return *kept;
    };
    fixture.start(pool, "x", std::move(hold));
    REQUIRE(fixture.loop.run_until([&] { return pool.queued() == 0; }, 10'000ms));
    fixture.clock.advance(1s);
    REQUIRE(fixture.results.size() == 1);
  }
  gate.open.set_value();
  released.get_future().wait();  // The worker ran to its end and let go of what it owned.
}
