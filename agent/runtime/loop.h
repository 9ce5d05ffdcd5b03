// The agent's one event loop: one io_context, one thread. Everything that is not a worker of the
// BlockingPool runs here, so loop code needs no locks. This header is free of Asio; code that
// awaits includes co.h.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace boost::asio {
class io_context;
}

namespace observeai::agent {

// post() and stop() may be called from any thread, everything else from the thread that runs the
// loop. What coroutines refer to must outlive their frames, which shutdown() destroys without
// resuming them. Timers, sockets and notifiers must go before the loop: an owner of both calls
// shutdown() first and lets the loop be its last member to go.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  boost::asio::io_context& context();

  // Until stop(), also while there is nothing to do. kInternal when a coroutine or a posted
  // function ended with an exception: a bug of ours, after which the program should end and be
  // started again.
  Result<void> run();
  void stop();
  void post(std::function<void()> function);

  // After the last run: destroys the frames of all coroutines and what was posted and never ran. The
  // loop can only be destroyed afterwards (which calls this when nobody has); post() does nothing.
  void shutdown();

  // Calls `handler` on the loop for each arrival, until the loop is destroyed. Call it once.
  void on_signals(const std::vector<int>& signals, std::function<void(int)> handler);

  // Ends run() with kInternal; the first failure wins. co.h's spawn() calls it.
  void fail(std::string message);

  // For tests: runs what is ready now, without waiting; the number of handlers run.
  std::size_t poll();
  // For tests against real programs: runs until `done` or until `limit` has passed; done().
  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace observeai::agent
