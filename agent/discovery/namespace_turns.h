// Which network namespaces to read the socket tables of, and which to take as they were. A read walks
// a table of the kernel that grows with the machine's memory, so reads are paid for from an allowance
// of processor time; with a hundred idle containers it is hardly touched. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <vector>

#include "agent/discovery/socket_tables.h"
#include "protocol/base/clock.h"

namespace observeai::agent {

class NamespaceTurns {
 public:
  // What is known of a namespace before its tables are read.
  struct Look {
    std::uint64_t inode = 0;
    std::uint64_t members = 0;  // A hash of the processes in it
    SocketCounts counts;
    bool operator==(const Look&) const = default;
  };

  // Of one core: for namespaces that were read fewer than kFreshReads times (just found, their
  // servers are starting), and for what changed or was not read for long.
  static constexpr double kFreshShare = 0.02;
  static constexpr double kSteadyShare = 0.0005;
  static constexpr std::uint32_t kFreshReads = 3;
  // Saved up for quiet times, so that a change is mostly seen at once.
  static constexpr std::chrono::milliseconds kFreshSaved{200};
  static constexpr std::chrono::milliseconds kSteadySaved{25};
  // The same counts can hide a server that stopped while another one started.
  static constexpr std::chrono::minutes kReadAnyway{10};

  // At the begin of a scan: fills the allowance, forgets namespaces that are not among `looks`, and
  // gives the indices of those whose reading is due, the most urgent first.
  std::vector<std::size_t> due(const std::vector<Look>& looks, SteadyTime now);
  // Whether the allowance still admits reading `look`, which is then read and its cost told. The first
  // read of a saved-up allowance is admitted whatever it will cost.
  bool admits(const Look& look) const;
  void was_read(const Look& look, SteadyTime now, std::chrono::nanoseconds cost);

 private:
  struct Known {
    Look look;
    SteadyTime read_at{};
    std::uint32_t reads = 0;
  };
  bool is_fresh(std::uint64_t inode) const;

  std::map<std::uint64_t, Known> known_;
  SteadyTime filled_at_{};
  std::chrono::nanoseconds fresh_{kFreshSaved};
  std::chrono::nanoseconds steady_{kSteadySaved};
};

}  // namespace observeai::agent
