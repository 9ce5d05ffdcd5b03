#include <doctest/doctest.h>

#include <atomic>

#include "protocol/mqtt/worker.h"

using observeai::mqtt::Worker;

TEST_CASE("jobs run in order, and all of them before the worker is gone") {
  std::vector<int> ran;
  {
    Worker worker;
    for (int i = 0; i < 1000; ++i) worker.run([&ran, i] { ran.push_back(i); });
  }
  REQUIRE(ran.size() == 1000);
  CHECK(std::is_sorted(ran.begin(), ran.end()));
}

TEST_CASE("it starts again after it had nothing to do") {
  Worker worker;
  for (int i = 0; i < 200; ++i) {
    std::atomic<bool> done{false};
    worker.run([&done] { done = true; });
    while (!done) std::this_thread::yield();
  }
}
