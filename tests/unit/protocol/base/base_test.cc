#include <doctest/doctest.h>

#include <thread>

#include "protocol/base/backoff.h"
#include "protocol/base/bounded_queue.h"
#include "protocol/base/clock.h"
#include "protocol/base/id.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"

using namespace observeai;

namespace {
Result<int> half(int value) {
  if (value % 2 != 0) return Error(Errc::kInvalid, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  TRY(const int once, half(value));
  TRY(const int twice, half(once));
  return twice;
}
Result<void> needs_even(int value) {
  TRY_VOID(half(value));
  return {};
}
}  // namespace

TEST_CASE("TRY hands on the value or the error") {
  CHECK(quarter(8).value() == 2);
  CHECK(quarter(6).error().code() == Errc::kInvalid);
  CHECK(needs_even(2));
  CHECK_FALSE(needs_even(3));
}

TEST_CASE("context is put in front and keeps the code") {
  auto error = Error(Errc::kLimit, "disk is full").with_context("open spool");
  CHECK(error.message() == "open spool: disk is full");
  CHECK(error.code() == Errc::kLimit);
  CHECK(to_string(error.code()) == "limit");
}

TEST_CASE("ids obey the topic grammar") {
  CHECK(AgentId::parse("web-01")->value() == "web-01");
  for (const auto* bad : {"", "Web", "a/b", "a b", "a+", "#", "a\n", "\xC3\xA4"}) {
    CHECK_FALSE(AgentId::parse(bad));
  }
  CHECK(AgentId::parse(std::string(64, 'a')));
  CHECK_FALSE(AgentId::parse(std::string(65, 'a')));
}

TEST_CASE("a manual clock moves only when told; a jump leaves the steady clock alone") {
  ManualClock clock(from_unix_ms(1000));
  const auto steady = clock.steady_now();
  clock.advance(std::chrono::seconds(2));
  CHECK(clock.unix_ms() == 3000);
  CHECK(clock.steady_now() - steady == std::chrono::seconds(2));
  clock.jump_wall(std::chrono::hours(-24));
  CHECK(clock.unix_ms() == 3000 - 86'400'000);
  CHECK(clock.steady_now() - steady == std::chrono::seconds(2));
}

TEST_CASE("back-off doubles up to its ceiling and stays inside [ceiling/2, ceiling]") {
  using std::chrono::milliseconds;
  Backoff backoff(milliseconds(100), milliseconds(350));
  CHECK(backoff.next(0) == milliseconds(50));
  CHECK(backoff.next(100) == milliseconds(200));
  CHECK(backoff.next(0) == milliseconds(175));
  CHECK(backoff.next(175) == milliseconds(350));
  backoff.reset();
  CHECK(backoff.next(0) == milliseconds(50));
}

TEST_CASE("a bounded queue refuses at its bound, counts it, and drains after close") {
  BoundedQueue<int> queue(2);
  CHECK(queue.try_push(1));
  CHECK(queue.try_push(2));
  CHECK_FALSE(queue.try_push(3));
  CHECK(queue.refused() == 1);
  queue.close();
  CHECK_FALSE(queue.try_push(4));
  CHECK(queue.pop(std::chrono::milliseconds(0)) == 1);
  CHECK(queue.pop(std::chrono::milliseconds(0)) == 2);
  CHECK_FALSE(queue.pop(std::chrono::milliseconds(1000)));
}

TEST_CASE("a waiting consumer is woken by a producer on another thread") {
  BoundedQueue<int> queue(1);
  std::thread producer([&] { CHECK(queue.try_push(7)); });
  CHECK(queue.pop(std::chrono::seconds(30)) == 7);
  producer.join();
}

TEST_CASE("log levels have names") {
  CHECK(log::parse_level("warning").value() == log::Level::kWarning);
  CHECK_FALSE(log::parse_level("loud"));
}
