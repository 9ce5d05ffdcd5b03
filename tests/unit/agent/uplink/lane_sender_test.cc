#include <doctest/doctest.h>

#include <random>
#include <set>

#include "agent/uplink/lane_sender.h"

using namespace observeai;
using agent::LaneSender;
using std::chrono::milliseconds;
using std::chrono::seconds;
using wire::Run;

namespace {

const SteadyTime kStart{};
const SteadyTime kEarly = kStart + LaneSender::kFirstRetry - milliseconds(1);
const SteadyTime kLate = kStart + 2 * LaneSender::kFirstRetry;

void send(LaneSender& lane, std::uint64_t first, std::uint64_t last, SteadyTime now = kStart) {
  for (auto seq = first; seq <= last; ++seq) {
    lane.sent(seq, 10, now, 7);
    lane.broker_confirmed(seq);
  }
}

}  // namespace

TEST_CASE("what was there at the start is backlog, what comes later is fresh and goes first") {
  LaneSender lane;
  lane.start_from(4, 10);
  CHECK(lane.next_backlog(10) == Run{5, 9});
  CHECK_FALSE(lane.next_fresh(10));
  CHECK(lane.next_fresh(13) == Run{10, 12});
  send(lane, 10, 12);
  send(lane, 5, 6);
  CHECK_FALSE(lane.next_fresh(13));
  CHECK(lane.next_backlog(13) == Run{7, 9});
  send(lane, 7, 9);
  CHECK_FALSE(lane.next_backlog(13));
  CHECK(lane.outstanding() == 8);
}

TEST_CASE("what a run covers is not sent again, and is open again when an ack takes the run back") {
  LaneSender lane;
  lane.start_from(0, 21);
  CHECK(lane.acknowledged(2, {{5, 6}, {9, 20}}, 7) == 2);
  CHECK(lane.next_backlog(21) == Run{3, 4});
  send(lane, 3, 4);
  CHECK(lane.next_backlog(21) == Run{7, 8});
  lane.forget_sent(21);
  CHECK(lane.next_backlog(21) == Run{3, 4});
  CHECK(lane.acknowledged(2, {}, 7) == 0);
  CHECK(lane.next_backlog(21) == Run{3, 20});
  // An older ack than the last says nothing.
  CHECK(lane.acknowledged(1, {{3, 20}}, 7) == 0);
  CHECK(lane.next_backlog(21) == Run{3, 20});
  CHECK(lane.contiguous() == 2);
}

TEST_CASE("a run frees its outstanding bytes") {
  LaneSender lane;
  lane.start_from(0, 1);
  send(lane, 1, 6);
  CHECK(lane.outstanding_bytes() == 60);
  lane.acknowledged(1, {{3, 4}}, 7);
  CHECK(lane.outstanding_bytes() == 30);
  lane.acknowledged(6, {}, 7);
  CHECK(lane.outstanding_bytes() == 0);
}

TEST_CASE("fresh data that waits becomes backlog when there is newer, up to a number of gaps") {
  LaneSender lane;
  lane.start_from(0, 1);
  SteadyTime now = kStart;
  std::uint64_t next_seq = 1;
  std::vector<Run> runs;
  std::size_t gaps = 0;
  // Ten come each second, one can be sent.
  for (int second = 0; second < 120; ++second) {
    now += LaneSender::kFreshFor;
    next_seq += 10;
    lane.note_written(next_seq, now);
    const auto due = lane.next_fresh(next_seq);
    REQUIRE(due);
    if (gaps < LaneSender::kMaxGaps) CHECK(next_seq - due->first <= 30);
    lane.sent(due->first, 1, now, 7);
    lane.broker_confirmed(due->first);
    if (!runs.empty() && runs.back().last + 1 == due->first)
      runs.back().last = due->first;
    else
      runs.push_back({due->first, due->first});
    gaps = runs.size();
    lane.acknowledged(0, runs, 7);
  }
  CHECK(gaps <= LaneSender::kMaxGaps + 2);
  CHECK(lane.next_backlog(next_seq)->first == runs.front().last + 1);
}

TEST_CASE("a retry is due between 10 and 20 s without an answer, not before") {
  LaneSender lane;
  lane.start_from(4, 5);
  CHECK(!lane.sent(5, 100, kStart, 7));
  lane.broker_confirmed(5);
  CHECK(!lane.retry_due(kEarly, 7));
  CHECK(lane.retry_due(kLate, 7));
  CHECK(lane.next_fresh(6) == Run{5, 5});
  CHECK(lane.outstanding_bytes() == 0);
  CHECK(lane.sent(5, 100, kLate, 7));  // Known as a resend
}

TEST_CASE("one that is lost is sent again although others are answered all the time") {
  LaneSender lane;
  lane.start_from(0, 1);
  send(lane, 1, 1);
  SteadyTime now = kStart;
  bool again = false;
  for (std::uint64_t seq = 2; now < kLate + seconds(1); ++seq) {
    now += milliseconds(500);
    send(lane, seq, seq, now);
    lane.acknowledged(0, {{2, seq}}, 7);
    again = again || lane.retry_due(now, 7);
  }
  CHECK(again);
  CHECK(lane.next_fresh(3) == Run{1, 1});
}

TEST_CASE("waits double up to a minute and start over with progress") {
  LaneSender lane;
  lane.start_from(0, 1);
  SteadyTime now = kStart;
  const auto next_wait = [&] {
    lane.sent(1 + lane.contiguous(), 1, now, UINT64_MAX);
    lane.broker_confirmed(1 + lane.contiguous());
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
  lane.broker_confirmed(1);
  CHECK(lane.acknowledged(1, {}, 0) == 1);
  CHECK(next_wait() <= LaneSender::kFirstRetry * 2);
}

TEST_CASE("what the broker has not taken yet is not sent again") {
  LaneSender lane;
  lane.start_from(0, 1);
  lane.sent(1, 100, kStart, 0);
  CHECK(!lane.retry_due(kLate, 0));
  CHECK(lane.outstanding_bytes() == 100);
  lane.broker_confirmed(1);
  CHECK(lane.retry_due(kLate + LaneSender::kLastRetry, 0));
}

TEST_CASE("whatever is sent, answered and forgotten: what is next is the lowest that is open") {
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    LaneSender lane;
    const std::uint64_t start = random() % 20;
    std::uint64_t next_seq = start + 1 + random() % 30;
    lane.start_from(start, next_seq);
    std::set<std::uint64_t> closed;  // Model
    std::uint64_t contiguous = start;
    for (int step = 0; step < 60; ++step) {
      switch (random() % 4) {
        case 0:
          next_seq += random() % 5;
          break;
        case 1:
          if (const auto due = lane.next_fresh(next_seq)) {
            lane.sent(due->last, 1, kStart, 7);
            closed.insert(due->last);
          }
          break;
        case 2:
          if (const auto due = lane.next_backlog(next_seq)) {
            lane.sent(due->first, 1, kStart, 7);
            closed.insert(due->first);
          }
          break;
        default:
          contiguous = std::min(contiguous + random() % 4, next_seq - 1);
          lane.acknowledged(contiguous, {}, 7);
          closed.erase(closed.begin(), closed.upper_bound(contiguous));
      }
      std::uint64_t lowest = contiguous + 1;
      while (closed.contains(lowest)) ++lowest;
      const auto backlog = lane.next_backlog(next_seq);
      const auto fresh = lane.next_fresh(next_seq);
      const auto next = backlog ? backlog : fresh;
      REQUIRE(next.has_value() == (lowest < next_seq));
      if (next) REQUIRE(next->first == lowest);
    }
  }
}
