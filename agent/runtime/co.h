// What coroutines on the loop share. GCC 12 fences: coroutines are named functions, never lambdas;
// no lambda and no braced aggregate inside a statement with co_await; parameters by value.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string>

#include "agent/runtime/async_clock.h"
#include "agent/runtime/loop.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Completion token: co_await gives a tuple that starts with the error code; nothing is thrown.
inline constexpr auto nothrow = boost::asio::as_tuple(boost::asio::use_awaitable);

// Starts a coroutine that lives as long as the loop or until it returns. An exception that leaves
// it is a bug: it ends the loop with kInternal and `name`.
void spawn(Loop& loop, std::string name, boost::asio::awaitable<void> coroutine);

// One coroutine waits, anyone on the loop notifies. A notification before the wait is kept (one);
// cancelling the wait keeps it too. Loop thread only.
class Notifier {
 public:
  explicit Notifier(Loop& loop);
  void notify();
  // Takes the notification; false when `until` came first.
  boost::asio::awaitable<bool> wait_until(AsyncClock& clock, SteadyTime until);

 private:
  boost::asio::awaitable<void> wait();

  boost::asio::steady_timer timer_;
  bool notified_ = false;
};

// The result of `work`, or kTimeout when `limit` passes first; `work` is cancelled then (terminal
// cancellation: its sockets and timers end with operation_aborted).
template <class T>
boost::asio::awaitable<Result<T>> with_deadline(AsyncClock& clock, std::chrono::milliseconds limit,
                                                boost::asio::awaitable<Result<T>> work) {
  using namespace boost::asio::experimental::awaitable_operators;
  auto first = co_await (std::move(work) || clock.sleep_for(limit));
  if (first.index() == 0) co_return std::move(std::get<0>(first));
  co_return Error(Errc::kTimeout, "no answer within " + std::to_string(limit.count()) + " ms");
}

}  // namespace observeai::agent
