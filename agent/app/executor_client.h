// One request to the executor and its reply, on a connection of their own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <string>

#include "agent/executor/frames.h"
#include "agent/runtime/async_clock.h"
#include "agent/runtime/loop.h"

namespace observeai::agent {

// Loop thread only; several at once. kNotFound: no such socket; kDenied: we may not use it;
// kUnavailable: nobody
// listens, or it hung up; kTimeout; kCorrupt: not what an executor answers. What it answers with an error
// comes as kInternal with its words.
class ExecutorClient {
 public:
  ExecutorClient(Loop& loop, AsyncClock& clock, std::string socket)
      : loop_(loop), clock_(clock), socket_(std::move(socket)) {}

  // The body of the reply, which must be of this kind.
  boost::asio::awaitable<Result<std::string>> ask(executor::Frame request,
                                                  executor::FrameKind reply,
                                                  std::chrono::milliseconds patience);

 private:
  boost::asio::awaitable<Result<executor::Frame>> exchange(executor::Frame request);

  Loop& loop_;
  AsyncClock& clock_;
  const std::string socket_;
};

}  // namespace observeai::agent
