// Many simulated agents on one thread, and what they are to do.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tests/bench/load/simulated_agent.h"

namespace observeai::bench {

class Crowd {
 public:
  // The first `count` agents of the roster, which outlives it.
  static Result<std::unique_ptr<Crowd>> create(const Roster& roster, std::size_t count,
                                               std::uint16_t port);
  ~Crowd();

  std::vector<std::unique_ptr<SimulatedAgent>>& agents() { return agents_; }
  Measures& measures() { return measures_; }
  void connect_all();
  // Works until `done`, at most `patience`; false when that is over first. `every_tick` runs each 20 ms.
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds patience,
                 const std::function<void(SteadyTime)>& every_tick = nullptr);
  std::size_t live() const;
  bool is_settled() const;

 private:
  Crowd() = default;

  int epoll_fd_ = -1;
  TlsContext context_;
  Measures measures_;
  std::vector<std::unique_ptr<SimulatedAgent>> agents_;
};

}  // namespace observeai::bench
