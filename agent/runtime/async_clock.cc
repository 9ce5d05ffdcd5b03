#include "agent/runtime/async_clock.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "agent/runtime/co.h"

namespace observeai::agent {

namespace asio = boost::asio;

asio::awaitable<void> AsyncClock::sleep_for(std::chrono::nanoseconds duration) {
  return sleep_until(steady_now() + std::chrono::duration_cast<SteadyTime::duration>(duration));
}

asio::awaitable<void> SystemAsyncClock::sleep_until(SteadyTime until) {
  asio::steady_timer timer(co_await asio::this_coro::executor, until);
  co_await timer.async_wait(nothrow);
}

struct ManualAsyncClock::Sleepers {
  std::multimap<SteadyTime, asio::steady_timer*> waiting;
};

namespace {

// Keeps the entry of one sleeper exactly as long as its coroutine frame lives, also when the frame
// is destroyed with the loop.
template <class Sleepers>
class Entry {
 public:
  Entry(std::shared_ptr<Sleepers> sleepers, SteadyTime until, asio::steady_timer& timer)
      : sleepers_(std::move(sleepers)), timer_(&timer) {
    sleepers_->waiting.emplace(until, timer_);
  }
  ~Entry() {
    std::erase_if(sleepers_->waiting, [this](const auto& item) { return item.second == timer_; });
  }
  Entry(const Entry&) = delete;
  Entry& operator=(const Entry&) = delete;

 private:
  std::shared_ptr<Sleepers> sleepers_;
  asio::steady_timer* timer_;
};

}  // namespace

ManualAsyncClock::ManualAsyncClock(Loop& loop)
    : loop_(loop), sleepers_(std::make_shared<Sleepers>()) {}
ManualAsyncClock::~ManualAsyncClock() = default;

asio::awaitable<void> ManualAsyncClock::sleep_until(SteadyTime until) {
  if (until <= clock_.steady_now()) co_return;
  asio::steady_timer timer(co_await asio::this_coro::executor, SteadyTime::max());
  const Entry<Sleepers> entry(sleepers_, until, timer);
  co_await timer.async_wait(nothrow);
}

void ManualAsyncClock::advance(std::chrono::nanoseconds by) {
  const auto end = clock_.steady_now() + by;
  loop_.poll();
  while (!sleepers_->waiting.empty() && sleepers_->waiting.begin()->first <= end) {
    const auto next = sleepers_->waiting.extract(sleepers_->waiting.begin());
    clock_.advance(std::max(next.key() - clock_.steady_now(), SteadyTime::duration::zero()));
    next.mapped()->cancel();
    loop_.poll();
  }
  clock_.advance(end - clock_.steady_now());
}

std::size_t ManualAsyncClock::sleepers() const {
  return sleepers_->waiting.size();
}

}  // namespace observeai::agent
