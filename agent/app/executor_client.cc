#include "agent/app/executor_client.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include "agent/runtime/co.h"

namespace observeai::agent {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kPieceBytes = 16U << 10;
constexpr std::size_t kMaxSocketPath = 107;  // sockaddr_un::sun_path

Error connection_error(const boost::system::error_code& error, const std::string& socket) {
  namespace errc = boost::system::errc;
  const std::string message = "executor: " + socket + ": " + error.message();
  if (error == errc::no_such_file_or_directory) return Error(Errc::kNotFound, message);
  if (error == errc::permission_denied) return Error(Errc::kDenied, message);
  return Error(Errc::kUnavailable, message);
}

}  // namespace

asio::awaitable<Result<std::string>> ExecutorClient::ask(executor::Frame request,
                                                         executor::FrameKind reply,
                                                         std::chrono::milliseconds patience) {
  if (socket_.size() > kMaxSocketPath) {
    co_return Error(Errc::kInvalid,
                    "executor: the socket's path is longer than 107 bytes: " + socket_);
  }
  auto answer = co_await with_deadline(clock_, patience, exchange(std::move(request)));
  if (!answer) co_return std::move(answer).error();
  if (answer->kind == reply) co_return std::move(answer->body);
  if (answer->kind == executor::FrameKind::kError) {
    co_return Error(Errc::kInternal, "executor: " + answer->body);
  }
  co_return Error(Errc::kCorrupt, "executor: an answer to another question");
}

asio::awaitable<Result<executor::Frame>> ExecutorClient::exchange(executor::Frame request) {
  asio::local::stream_protocol::socket socket(loop_.context());
  const asio::local::stream_protocol::endpoint endpoint(socket_);
  auto [refused] = co_await socket.async_connect(endpoint, nothrow);
  if (refused) co_return connection_error(refused, socket_);
  const std::string bytes = executor::encode_frame(request);
  const auto out = asio::buffer(bytes);
  auto [unsent, sent] = co_await asio::async_write(socket, out, nothrow);
  if (unsent) co_return connection_error(unsent, socket_);
  std::string received;
  std::string piece(kPieceBytes, '\0');
  for (;;) {
    const auto in = asio::buffer(piece);
    auto [error, got] = co_await socket.async_read_some(in, nothrow);
    if (error) co_return connection_error(error, socket_);
    received.append(piece.data(), got);
    auto taken = executor::take_frame(received);
    if (!taken) co_return std::move(taken).error();
    if (*taken) co_return std::move((*taken)->frame);
  }
}

}  // namespace observeai::agent
