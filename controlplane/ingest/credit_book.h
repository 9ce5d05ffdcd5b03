// How many bytes each agent may have on their way, so that all of them together stay below what the
// broker's queue and this program hold: what is beyond that would be dropped, and sent again much later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/id.h"

namespace observeai::controlplane {

struct CreditLimits {
  // All credits together. Below the broker's max_queued_bytes and IngestService's queue, because an agent
  // may have one batch on its way whatever its credit is, unless it is 0.
  std::uint64_t total_bytes = 48U << 20;
  std::uint64_t most_bytes = 4U << 20;  // One agent's
  // Small batches fill a queue by their number. Half of what the queues hold: it is passed for a moment,
  // while agents that are told less have the rest still on its way.
  std::uint64_t total_messages = 4'000;
};

// Two halves. The base half is shared by all agents, so that one with small batches never waits. The
// other half is for those that send now: an agent whose batch is larger than its base share gets credit
// for it in turn, longest waiting first, and 0 meanwhile (any credit lets an agent send one batch, however
// large). due() names whom to tell that its turn has come and, when it gets tight, who holds too much.
//
// The sum is of what was told last: an agent that missed that ack holds what it was told before, until its
// next one. Pure; one thread.
class CreditBook {
 public:
  static constexpr std::chrono::seconds kBusyFor{2};
  static constexpr std::chrono::milliseconds kLookEvery{200};
  // Unheard for so long (a hello comes every 5 minutes), an agent is gone and so is its credit.
  static constexpr std::chrono::minutes kForgetAfter{11};
  // An ack that ends a wait and brings no batch may have been lost: it is repeated so often, so late.
  static constexpr int kRepeats = 3;
  static constexpr std::chrono::seconds kRepeatAfter{10};
  static constexpr std::size_t kMostDue = 2'048;  // Named in one look

  struct Holder {
    AgentId agent;
    Epoch epoch;  // Of its newest batch or grant
  };

  explicit CreditBook(CreditLimits limits) : limits_(limits) {}

  // A hello: so many batches wait on the agent's disk, with so many bytes in all.
  void greeted(const AgentId& agent, const Epoch& epoch, std::uint64_t batches, std::uint64_t bytes,
               SteadyTime now);
  // A batch of the agent came out of the queue, `bytes` of it on the wire.
  void arrived(const AgentId& agent, const Epoch& epoch, std::uint64_t bytes, SteadyTime now);
  // What the ack says that is made now; it replaces what the agent held.
  std::uint64_t grant(const AgentId& agent, const Epoch& epoch, SteadyTime now);
  // Whom to send an ack although nothing of it arrived. Empty but every kLookEvery. `drained`: nothing
  // waits to be processed; only then is credit taken back from who sends nothing, because else all of it
  // may be on its way.
  std::vector<Holder> due(SteadyTime now, bool drained);
  void forget(const AgentId& agent);

  std::uint64_t granted_bytes() const { return base_granted_ + extra_granted_; }  // <= total_bytes
  std::size_t agents() const { return agents_.size(); }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  struct Account {
    Epoch epoch;
    std::uint64_t base = 0;  // Held of either half
    std::uint64_t extra = 0;
    std::uint64_t batch_bytes = 0;  // Of its recent larger batches: what must fit
    std::uint64_t small_bytes = 0;  // Of its recent smaller ones: how many a credit may become
    std::uint64_t reserved = 0;     // While it waits
    std::uint64_t messages = 0;     // What was told may become so many
    SteadyTime sent_at{};           // Its newest batch, or the hello that said that it has some
    SteadyTime heard_at{};
    bool waits = false;
    bool named = false;  // By due(): its next grant says nothing about the agent
    int repeats = 0;     // Left of the ack that ended its wait
    SteadyTime repeat_at{};
  };

  bool is_busy(const Account& account, SteadyTime now) const;
  std::uint64_t share(std::size_t among) const;  // Of one half
  std::uint64_t by_number(const Account& account) const;
  std::uint64_t tell(Account& account, SteadyTime now);
  std::uint64_t least_of(const Account& account) const;
  bool is_large(const Account& account) const;
  std::uint64_t extra_for(const Account& account) const;
  void wait(const AgentId& agent, Account& account);
  void end_wait(const AgentId& agent, Account& account);
  void take_back(Account& account);
  void count(SteadyTime now);

  const CreditLimits limits_;
  const std::uint64_t half_ = limits_.total_bytes / 2;
  std::unordered_map<AgentId, Account> agents_;
  std::deque<AgentId> waiting_;  // Longest first
  std::uint64_t reserved_ = 0;   // For them
  std::uint64_t base_granted_ = 0;
  std::uint64_t extra_granted_ = 0;
  std::uint64_t messages_ = 0;  // At most total_messages, and one more for each agent
  std::size_t busy_ = 0;        // Counted anew at each look
  SteadyTime next_look_{};
};

}  // namespace observeai::controlplane
