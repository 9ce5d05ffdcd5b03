#include "agent/runtime/co.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>

namespace observeai::agent {

namespace asio = boost::asio;

void spawn(Loop& loop, std::string name, asio::awaitable<void> coroutine) {
  auto on_end = [&loop, name = std::move(name)](const std::exception_ptr& failure) {
    if (!failure) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
      loop.fail(name + ": " + exception.what());
    } catch (...) {
      loop.fail(name + ": unknown exception");
    }
  };
  asio::co_spawn(loop.context(), std::move(coroutine), std::move(on_end));
}

Notifier::Notifier(Loop& loop) : timer_(loop.context(), SteadyTime::max()) {}

void Notifier::notify() {
  notified_ = true;
  timer_.cancel();
}

asio::awaitable<void> Notifier::wait() {
  // A timer that never expires: only notify() or cancelling ends the wait.
  if (!notified_) co_await timer_.async_wait(nothrow);
}

asio::awaitable<bool> Notifier::wait_until(AsyncClock& clock, SteadyTime until) {
  using namespace asio::experimental::awaitable_operators;
  if (!notified_) co_await (wait() || clock.sleep_until(until));
  const bool notified = notified_;
  notified_ = false;
  co_return notified;
}

}  // namespace observeai::agent
