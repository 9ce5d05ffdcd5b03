#include <doctest/doctest.h>

#include "agent/uplink/lane_sender.h"

using namespace observeai;
using agent::LaneSender;
using std::chrono::milliseconds;

namespace {
const SteadyTime kStart{};
const SteadyTime kEarly = kStart + LaneSender::kFirstRetry - milliseconds(1);
const SteadyTime kLate = kStart + 2 * LaneSender::kFirstRetry;
}  // namespace

TEST_CASE("a retry is due between 10 and 20 s without progress, not before") {
  LaneSender lane;
  lane.start_from(4);
  CHECK(!lane.sent(5, 100, kStart, 7));
  lane.broker_confirmed();
  CHECK(!lane.retry_due(kEarly, 7));
  CHECK(lane.retry_due(kLate, 7));
  CHECK(lane.cursor() == 4);
  CHECK(lane.outstanding_bytes() == 0);
  CHECK(lane.sent(5, 100, kLate, 7));  // Known as a resend
}

TEST_CASE("waits double up to a minute and start over with progress") {
  LaneSender lane;
  lane.start_from(0);
  SteadyTime now = kStart;
  const auto next_wait = [&] {
    lane.sent(lane.cursor() + 1, 1, now, UINT64_MAX);
    lane.broker_confirmed();
    const auto began = now;
    while (!lane.retry_due(now, 0)) now += milliseconds(100);
    return now - began;
  };
  CHECK(next_wait() <= LaneSender::kFirstRetry * 2);
  CHECK(next_wait() <= LaneSender::kFirstRetry * 4);
  for (int i = 0; i < 5; ++i) next_wait();
  const auto longest = next_wait();
  CHECK(longest >= LaneSender::kLastRetry / 2);
  CHECK(longest <= LaneSender::kLastRetry);
  lane.sent(1, 1, now, 0);
  lane.broker_confirmed();
  CHECK(lane.acknowledged(1, now, 0));
  CHECK(next_wait() <= LaneSender::kFirstRetry * 2);
}

TEST_CASE("what the broker has not taken yet is not sent again") {
  LaneSender lane;
  lane.start_from(0);
  lane.sent(1, 100, kStart, 0);
  CHECK(!lane.retry_due(kLate, 0));
  CHECK(lane.outstanding_bytes() == 100);
  lane.broker_confirmed();
  CHECK(lane.retry_due(kLate + LaneSender::kLastRetry, 0));
}

TEST_CASE("an ack frees exactly what it covers and never goes back") {
  LaneSender lane;
  lane.start_from(0);
  for (std::uint64_t seq = 1; seq <= 4; ++seq) lane.sent(seq, 10 * seq, kStart, 0);
  CHECK(lane.acknowledged(2, kStart, 0));
  CHECK(lane.outstanding_bytes() == 70);
  CHECK(!lane.acknowledged(2, kStart, 0));
  CHECK(!lane.acknowledged(1, kStart, 0));
  CHECK(lane.contiguous() == 2);
  CHECK(lane.acknowledged(4, kStart, 0));
  CHECK(lane.outstanding_bytes() == 0);
  lane.broker_confirmed();
  CHECK(!lane.retry_due(kLate, 0));
}

TEST_CASE("an ack during a resend skips what is not needed any more") {
  LaneSender lane;
  lane.start_from(0);
  for (std::uint64_t seq = 1; seq <= 5; ++seq) lane.sent(seq, 1, kStart, 0);
  lane.forget_sent();
  CHECK(lane.cursor() == 0);
  CHECK(lane.acknowledged(3, kStart, 0));
  CHECK(lane.cursor() == 3);
}
