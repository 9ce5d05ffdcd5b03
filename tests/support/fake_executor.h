// An executor's socket on the test's loop: keeps what it is asked, in order, and answers at once or when it
// is told.
#pragma once

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/executor/frames.h"
#include "agent/runtime/co.h"

namespace observeai::test {

// Its coroutines refer to it: it goes after the loop's shutdown().
class FakeExecutor {
 public:
  using Kind = agent::executor::FrameKind;
  using Socket = boost::asio::local::stream_protocol::socket;

  FakeExecutor(agent::Loop& loop, const std::string& path)
      : loop_(loop), acceptor_(loop.context(), Socket::endpoint_type(path)) {
    agent::spawn(loop, "fake executor", accept());
  }

  std::set<Kind> holds;        // These are not answered before release()
  std::set<Kind> fails;        // These are answered with an error
  std::vector<Kind> asked;     // In order of arrival
  std::vector<Kind> answered;  // In order of the answers

  bool was_asked(Kind kind) const {
    return std::find(asked.begin(), asked.end(), kind) != asked.end();
  }
  void release(Kind kind) {
    holds.erase(kind);
    auto waiting = std::exchange(waiting_, {});
    for (auto& [of, socket] : waiting) {
      if (of == kind) {
        agent::spawn(loop_, "answer", answer(of, std::move(socket)));
      } else {
        waiting_.emplace_back(of, std::move(socket));
      }
    }
  }

 private:
  boost::asio::awaitable<void> accept() {
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(agent::nothrow);
      if (error) co_return;
      agent::spawn(loop_, "connection", serve(std::move(socket)));
    }
  }

  boost::asio::awaitable<void> serve(Socket socket) {
    std::string received;
    std::string piece(1 << 16, '\0');
    for (;;) {
      const auto in = boost::asio::buffer(piece);
      auto [error, got] = co_await socket.async_read_some(in, agent::nothrow);
      if (error) co_return;
      received.append(piece.data(), got);
      const auto taken = agent::executor::take_frame(received);
      if (!taken) co_return;
      if (!*taken) continue;
      const auto kind = (*taken)->frame.kind;
      asked.push_back(kind);
      if (holds.contains(kind)) {
        waiting_.emplace_back(kind, std::move(socket));
      } else {
        co_await answer(kind, std::move(socket));
      }
      co_return;
    }
  }

  boost::asio::awaitable<void> answer(Kind kind, Socket socket) {
    answered.push_back(kind);
    agent::executor::Frame frame;
    frame.kind = fails.contains(kind)     ? Kind::kError
                 : kind == Kind::kCommand ? Kind::kResult
                                          : Kind::kDone;
    frame.body = kind == Kind::kCommand ? "result " + std::to_string(answered.size()) : "";
    const auto bytes = agent::executor::encode_frame(frame);
    const auto out = boost::asio::buffer(bytes);
    co_await boost::asio::async_write(socket, out, agent::nothrow);
  }

  agent::Loop& loop_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  std::vector<std::pair<Kind, Socket>> waiting_;
};

}  // namespace observeai::test
