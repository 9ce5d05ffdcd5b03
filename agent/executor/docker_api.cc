#include "agent/executor/docker_api.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "agent/executor/docker_answers.h"

namespace observeai::agent::executor {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint32_t kMaxHeaderBytes = 16 * 1024;
constexpr std::size_t kMaxSocketPath = 107;  // sockaddr_un::sun_path

// One request and its answer on a connection of their own. Its context goes last: whatever was begun ends
// with it.
struct Exchange {
  asio::io_context context{1};
  asio::local::stream_protocol::socket socket{context};
  http::request<http::string_body> request;
  boost::beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  error_code error;
  const char* doing = "connect to the engine";
  bool over = false;

  void end(error_code why) {
    error = why;
    over = true;
  }
  void start(const std::string& path) {
    socket.async_connect(asio::local::stream_protocol::endpoint(path), [this](error_code failed) {
      if (failed) return end(failed);
      doing = "send to the engine";
      http::async_write(socket, request, [this](error_code unsent, std::size_t) {
        if (unsent) return end(unsent);
        doing = "read the engine's answer";
        http::async_read(socket, buffer, parser,
                         [this](error_code unread, std::size_t) { end(unread); });
      });
    });
  }
};

Error failure(const Exchange& exchange) {
  const std::string message = "cannot " + std::string(exchange.doing) + ": ";
  const error_code& error = exchange.error;
  if (error == http::error::body_limit || error == http::error::header_limit) {
    return Error(Errc::kLimit, message + "it is too long");
  }
  if (error.category() == http::make_error_code(http::error::end_of_stream).category() &&
      error != http::error::end_of_stream && error != http::error::partial_message) {
    return Error(Errc::kCorrupt, message + "it is not HTTP: " + error.message());
  }
  return Error(Errc::kUnavailable, message + error.message());
}

Error refusal(unsigned status, std::string_view body) {
  std::string message = parse_message(body);
  if (message.empty()) message = "the engine answered with HTTP " + std::to_string(status);
  if (status == 404) return Error(Errc::kNotFound, std::move(message));
  if (status == 400) return Error(Errc::kInvalid, std::move(message));
  return Error(Errc::kUnavailable, std::move(message));
}

}  // namespace

Result<std::string> DockerApi::exchange(Method method, const std::string& target,
                                        std::string_view body,
                                        std::chrono::milliseconds patience) const {
  if (socket_path_.size() > kMaxSocketPath) {
    return Error(Errc::kInvalid, "the path of the engine's socket is longer than 107 bytes");
  }
  const auto limit = std::min(patience, run_.left());
  if (limit.count() <= 0) return Error(Errc::kTimeout, "the action's time is over");
  Exchange exchange;
  exchange.request.version(11);
  exchange.request.method(method == Method::kGet    ? http::verb::get
                          : method == Method::kPost ? http::verb::post
                                                    : http::verb::delete_);
  exchange.request.target(target);
  exchange.request.set(http::field::host, "docker");
  exchange.request.set(http::field::user_agent, "observeai-executor/" OBSERVEAI_VERSION);
  exchange.request.set(http::field::connection, "close");
  if (!body.empty()) exchange.request.set(http::field::content_type, "application/json");
  exchange.request.body() = std::string(body);
  exchange.request.prepare_payload();
  exchange.parser.header_limit(kMaxHeaderBytes);
  exchange.parser.body_limit(kMaxAnswerBytes);
  exchange.start(socket_path_);
  exchange.context.run_for(limit);
  if (!exchange.over) {
    return Error(Errc::kTimeout, "the engine did not answer within " +
                                     std::to_string(limit.count()) +
                                     " ms: " + target.substr(0, target.find('?')));
  }
  if (exchange.error) return failure(exchange);
  const unsigned status = exchange.parser.get().result_int();
  std::string& answer = exchange.parser.get().body();
  // 304: it is as asked for already.
  if ((status < 200 || status > 299) && status != 304) return refusal(status, answer);
  return std::move(answer);
}

Result<std::string> DockerApi::request(Method method, std::string_view path, std::string_view body,
                                       std::chrono::milliseconds patience) {
  if (api_.empty()) {
    TRY(const std::string version, exchange(Method::kGet, "/version", "", kPatience));
    TRY(api_, parse_api_version(version));
  }
  return exchange(method, "/v" + api_ + std::string(path), body, patience);
}

Result<std::string> DockerApi::get(std::string_view path) {
  return request(Method::kGet, path, "", kPatience);
}
Result<std::string> DockerApi::post(std::string_view path, std::string_view body,
                                    std::chrono::milliseconds patience) {
  return request(Method::kPost, path, body, patience);
}
Result<std::string> DockerApi::remove(std::string_view path) {
  return request(Method::kDelete, path, "", kPatience);
}

}  // namespace observeai::agent::executor
