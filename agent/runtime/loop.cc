#include "agent/runtime/loop.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <optional>

#include "protocol/base/log.h"

namespace observeai::agent {

namespace asio = boost::asio;

namespace {

// What the destructor of an io_context does first, as a step of its own: afterwards its services
// still take the destruction of timers and sockets, but nothing runs any more.
class Context : public asio::io_context {
 public:
  Context() : asio::io_context(1) {}
  void destroy_handlers() { shutdown(); }
};

}  // namespace

struct Loop::Impl {
  Context context;
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::optional<asio::signal_set> signals;
  std::function<void(int)> on_signal;
  std::optional<std::string> failure;

  void wait_for_signal() {
    signals->async_wait([this](const boost::system::error_code& error, int number) {
      if (error) return;
      on_signal(number);
      wait_for_signal();
    });
  }
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() {
  shutdown();
}

asio::io_context& Loop::context() {
  return impl_->context;
}

Result<void> Loop::run() {
  try {
    impl_->context.run();
  } catch (const std::exception& exception) {
    fail(std::string("the loop: ").append(exception.what()));
  }
  impl_->context.restart();
  if (impl_->failure) return Error(Errc::kInternal, *impl_->failure);
  return {};
}

void Loop::stop() {
  impl_->context.stop();
}

void Loop::shutdown() {
  impl_->context.destroy_handlers();
}

void Loop::post(std::function<void()> function) {
  asio::post(impl_->context, std::move(function));
}

void Loop::on_signals(const std::vector<int>& signals, std::function<void(int)> handler) {
  impl_->on_signal = std::move(handler);
  impl_->signals.emplace(impl_->context);
  for (const int number : signals) impl_->signals->add(number);
  impl_->wait_for_signal();
}

void Loop::fail(std::string message) {
  log::error("internal error in " + message);
  if (!impl_->failure) impl_->failure = std::move(message);
  stop();
}

std::size_t Loop::poll() {
  impl_->context.restart();
  return impl_->context.poll();
}

bool Loop::run_until(const std::function<bool()>& done, std::chrono::milliseconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  impl_->context.restart();
  while (!done()) {
    const auto now = std::chrono::steady_clock::now();
    if (impl_->failure || now >= end) return done();
    // In slices, since `done` may depend on another thread or program.
    impl_->context.run_one_until(std::min(end, now + std::chrono::milliseconds(5)));
  }
  return true;
}

}  // namespace observeai::agent
