#include "controlplane/ingest/credit_book.h"

#include <doctest/doctest.h>

#include <deque>
#include <map>
#include <numeric>
#include <random>

using namespace observeai;
using namespace observeai::controlplane;

namespace {

AgentId agent_id(std::size_t number) {
  return AgentId::parse("agent-" + std::to_string(number)).value();
}

// Agents with endless backlogs that keep the rule of agent/uplink, a pipe, and a store that takes so many
// bytes in each step of 20 ms.
struct Fleet {
  struct Agent {
    std::uint64_t batch_bytes = 0;
    std::uint64_t credit = 0;
    std::uint64_t in_flight = 0;
    std::uint64_t stored = 0;
  };
  struct Batch {
    std::size_t agent;
    std::uint64_t bytes;
  };

  CreditLimits limits;
  ManualClock clock;
  CreditBook book{limits};
  std::vector<Agent> agents;
  std::deque<Batch> pipe;
  std::uint64_t in_pipe = 0;
  std::uint64_t most_in_pipe = 0;
  std::uint64_t most_granted = 0;
  bool agents_send = true;

  explicit Fleet(CreditLimits wanted) : limits(wanted) { clock.advance(std::chrono::seconds(1)); }

  void join(std::uint64_t batch_bytes, std::uint64_t backlog = 100) {
    agents.push_back({batch_bytes, 0, 0, 0});
    const std::size_t number = agents.size() - 1;
    book.greeted(agent_id(number), Epoch{}, backlog, backlog * batch_bytes, clock.steady_now());
    ack(number);
  }
  void ack(std::size_t number) {
    agents[number].credit = book.grant(agent_id(number), Epoch{}, clock.steady_now());
    most_granted = std::max(most_granted, book.granted_bytes());
    CHECK(book.granted_bytes() <= limits.total_bytes);
  }
  void send_all() {
    for (std::size_t i = 0; i < agents.size(); ++i) {
      Agent& agent = agents[i];
      while (agent.credit > 0 &&
             (agent.in_flight == 0 || agent.in_flight + agent.batch_bytes <= agent.credit)) {
        agent.in_flight += agent.batch_bytes;
        in_pipe += agent.batch_bytes;
        pipe.push_back({i, agent.batch_bytes});
      }
    }
    most_in_pipe = std::max(most_in_pipe, in_pipe);
  }
  void step(std::uint64_t store_bytes) {
    if (agents_send) send_all();
    std::vector<std::size_t> to_ack;
    for (std::uint64_t taken = 0; !pipe.empty() && taken < store_bytes;) {
      const Batch batch = pipe.front();
      pipe.pop_front();
      taken += batch.bytes;
      in_pipe -= batch.bytes;
      agents[batch.agent].in_flight -= batch.bytes;
      agents[batch.agent].stored += batch.bytes;
      book.arrived(agent_id(batch.agent), Epoch{}, batch.bytes, clock.steady_now());
      to_ack.push_back(batch.agent);
    }
    for (const auto number : to_ack) ack(number);
    for (const auto& holder : book.due(clock.steady_now(), pipe.empty()))
      ack(static_cast<std::size_t>(std::stoul(holder.agent.value().substr(6))));
    clock.advance(std::chrono::milliseconds(20));
  }
};

CreditLimits small_limits() {
  CreditLimits limits;
  limits.total_bytes = 8U << 20;
  return limits;
}

}  // namespace

TEST_CASE("one agent alone gets much, and no more than one may have") {
  Fleet fleet{CreditLimits()};
  fleet.join(100'000);
  fleet.step(1U << 20);
  fleet.step(1U << 20);
  CHECK(fleet.agents[0].credit > 1U << 20);
  CHECK(fleet.agents[0].credit <= fleet.limits.most_bytes);
}

TEST_CASE("the sum of all credits stays below its limit, however many agents there are") {
  Fleet fleet(small_limits());
  std::mt19937 random(7);
  for (int i = 0; i < 3'000; ++i) {
    fleet.join(200 + random() % 3'000);
    if (i % 50 == 0) fleet.step(1U << 20);
  }
  for (int i = 0; i < 300; ++i) fleet.step(1U << 20);
  CHECK(fleet.most_granted > fleet.limits.total_bytes / 2);
  for (const auto& agent : fleet.agents) CHECK(agent.stored > 0);
}

TEST_CASE(
    "a thousand agents with large batches take turns: bounded bytes on their way, nobody starves") {
  Fleet fleet(small_limits());
  constexpr std::uint64_t kBatch = 200'000;  // 1,000 of them are 25 times the limit
  for (int i = 0; i < 1'000; ++i) fleet.join(kBatch);
  for (int i = 0; i < 500; ++i) fleet.step(4U << 20);
  for (auto& agent : fleet.agents) agent.stored = 0;  // The first of them had it for themselves.
  fleet.most_in_pipe = 0;
  for (int i = 0; i < 2'000; ++i) fleet.step(4U << 20);
  CHECK(fleet.most_in_pipe <= fleet.limits.total_bytes);
  const auto [least, most] =
      std::minmax_element(fleet.agents.begin(), fleet.agents.end(),
                          [](const auto& a, const auto& b) { return a.stored < b.stored; });
  CHECK(least->stored >= 3 * kBatch);
  CHECK(most->stored <= 2 * least->stored);
}

TEST_CASE("small batches are bounded by their number, also after a large one") {
  Fleet fleet{CreditLimits()};
  for (std::size_t i = 0; i < 300; ++i) {
    fleet.book.arrived(agent_id(i), Epoch{}, 64'000, fleet.clock.steady_now());
    fleet.join(400);
  }
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    fleet.send_all();
    most = std::max(most, fleet.pipe.size());
    fleet.step(200'000);
  }
  // What was on its way when a smaller credit was told is still there.
  CHECK(most <= 2 * fleet.limits.total_messages);
  CHECK(most > 1'000);
}

TEST_CASE("an agent with small batches does not wait behind those with large ones") {
  Fleet fleet(small_limits());
  for (int i = 0; i < 100; ++i) fleet.join(500'000);
  for (int i = 0; i < 20; ++i) fleet.step(1U << 20);
  fleet.join(300, 1);
  CHECK(fleet.agents.back().credit > 0);
}

TEST_CASE("a store that stands still holds every agent within the limit") {
  Fleet fleet(small_limits());
  for (int i = 0; i < 500; ++i) fleet.join(50'000);
  for (int i = 0; i < 500; ++i) fleet.step(0);
  CHECK(fleet.in_pipe <= fleet.limits.total_bytes);
  CHECK(fleet.in_pipe > 0);
  for (int i = 0; i < 1'000; ++i) fleet.step(2U << 20);
  for (const auto& agent : fleet.agents) CHECK(agent.stored > 0);
}

TEST_CASE("who holds much and sends nothing gives it up when others need it") {
  Fleet fleet(small_limits());
  for (int i = 0; i < 4; ++i) fleet.join(1'000, 0);
  fleet.agents_send = false;
  const auto before = fleet.agents[0].credit;
  for (int i = 0; i < 2'000; ++i) fleet.join(1'000, 0);
  for (int i = 0; i < 200; ++i) fleet.step(0);
  CHECK(fleet.agents[0].credit < before / 10);
  for (const auto& agent : fleet.agents) CHECK(agent.credit > 0);
}

TEST_CASE("an ack that ends a wait is told again when nothing follows, but not for ever") {
  Fleet fleet(small_limits());
  for (int i = 0; i < 9; ++i) fleet.join(1'000'000);
  std::size_t held = fleet.agents.size();
  for (std::size_t i = 0; i < fleet.agents.size(); ++i) {
    if (fleet.agents[i].credit == 0) held = i;
  }
  REQUIRE(held < fleet.agents.size());
  for (std::size_t i = 0; i < held; ++i) fleet.book.forget(agent_id(i));
  int told = 0;
  for (int i = 0; i < 60 * 50; ++i) {
    fleet.clock.advance(std::chrono::milliseconds(20));
    for (const auto& holder : fleet.book.due(fleet.clock.steady_now(), true)) {
      if (holder.agent != agent_id(held)) continue;
      ++told;
      fleet.ack(held);
    }
  }
  CHECK(told == 1 + CreditBook::kRepeats);
}

TEST_CASE("credit of an agent that is gone comes back") {
  Fleet fleet(small_limits());
  fleet.join(1'000);
  fleet.join(1'000);
  const auto both = fleet.book.granted_bytes();
  fleet.book.forget(agent_id(0));
  CHECK(fleet.book.granted_bytes() < both);
  CHECK(fleet.book.granted_bytes() >= fleet.agents[1].credit);
  fleet.clock.advance(CreditBook::kForgetAfter);
  fleet.book.due(fleet.clock.steady_now(), true);
  CHECK(fleet.book.agents() == 0);
  CHECK(fleet.book.granted_bytes() == 0);
}
