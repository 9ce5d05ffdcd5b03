#include "agent/discovery/docker_client.h"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json.hpp>

#include "agent/discovery/stream_split.h"
#include "agent/runtime/co.h"
#include "protocol/base/text.h"

namespace observeai::agent {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using Socket = asio::local::stream_protocol::socket;
using Parser = http::response_parser<http::buffer_body>;

namespace {

constexpr std::size_t kPieceBytes = 16 * 1024;  // Read at once; an event stream keeps one for ever.
constexpr std::uint32_t kMaxHeaderBytes = 16 * 1024;
constexpr std::size_t kMaxMessageBytes = 4096;  // Of an error's body
constexpr std::size_t kMaxSocketPath = 107;     // sockaddr_un::sun_path

// Only events that change what is known about a container.
constexpr std::string_view kEventFilter =
    R"({"type":["container"],"event":["create","start","die","oom","destroy","rename","update",)"
    R"("health_status","pause","unpause"]})";

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if ((c >= 'a' && c <= 'z') || c == '_') {
      out.push_back(c);
    } else {
      out.append("%").append(text::to_hex(text::as_bytes(std::string_view(&c, 1))));
    }
  }
  return out;
}

Error connection_error(const boost::system::error_code& error, const std::string& what) {
  namespace errc = boost::system::errc;
  const std::string message = what + ": " + error.message();
  if (error == errc::no_such_file_or_directory) return Error(Errc::kNotFound, message);
  if (error == errc::permission_denied) return Error(Errc::kDenied, message);
  // A listener whose queue is full, that is: one that accepts nobody.
  if (error == errc::not_connected || error == errc::resource_unavailable_try_again) {
    return Error(Errc::kTimeout, what + ": the engine accepts no connections");
  }
  return Error(Errc::kUnavailable, message);
}

Error answer_error(const boost::system::error_code& error) {
  if (error == http::error::body_limit || error == http::error::header_limit) {
    return Error(Errc::kLimit, "the answer is too long: " + error.message());
  }
  const bool hung_up = error == http::error::end_of_stream ||
                       error == asio::error::connection_reset ||
                       error == asio::error::broken_pipe || error == asio::error::eof;
  if (hung_up) return Error(Errc::kUnavailable, "the engine hung up");
  if (error == http::error::partial_message) {
    return Error(Errc::kUnavailable, "the engine hung up in the middle of an answer");
  }
  return Error(Errc::kCorrupt, "not an HTTP answer: " + error.message());
}

// {"message": "No such container: x"}
std::string engine_message(const std::string& body) {
  boost::system::error_code error;
  const auto value = boost::json::parse(body, error);
  if (error || !value.is_object()) return {};
  const auto* message = value.get_object().if_contains("message");
  if (message == nullptr || !message->is_string()) return {};
  const auto& text = message->get_string();
  return text::escape_unprintable(std::string_view(text.data(), text.size()), 300);
}

Error status_error(unsigned status, const std::string& body, bool may_be_missing) {
  const std::string message = "HTTP " + std::to_string(status) + " " + engine_message(body);
  if (status == 404 && may_be_missing) return Error(Errc::kNotFound, message);
  if (status == 401 || status == 403) return Error(Errc::kDenied, message);
  return Error(Errc::kCorrupt, message);
}

// One request and its answer on a connection of their own.
struct Exchange {
  explicit Exchange(asio::any_io_executor executor) : socket(std::move(executor)) {}
  Socket socket;
  boost::beast::flat_buffer buffer;
  Parser parser;
};

asio::awaitable<Result<void>> open_exchange(Exchange& exchange, std::string path,
                                            std::string target) {
  const asio::local::stream_protocol::endpoint endpoint(path);
  auto [refused] = co_await exchange.socket.async_connect(endpoint, nothrow);
  if (refused) co_return connection_error(refused, "cannot connect to " + path);
  http::request<http::empty_body> request(http::verb::get, target, 11);
  request.set(http::field::host, "docker");
  request.set(http::field::user_agent, "observeai-agent/" OBSERVEAI_VERSION);
  auto [unsent, sent] = co_await http::async_write(exchange.socket, request, nothrow);
  if (unsent) co_return connection_error(unsent, "cannot send to the engine");
  auto [unread, read] =
      co_await http::async_read_header(exchange.socket, exchange.buffer, exchange.parser, nothrow);
  if (unread) co_return answer_error(unread);
  co_return Result<void>();
}

// Hands the rest of the body on piece by piece.
asio::awaitable<Result<void>> read_body(Exchange& exchange,
                                        std::function<Result<void>(std::string_view)> sink) {
  std::vector<char> piece(kPieceBytes);
  while (!exchange.parser.is_done()) {
    auto& body = exchange.parser.get().body();
    body.data = piece.data();
    body.size = piece.size();
    auto [error, bytes] =
        co_await http::async_read_some(exchange.socket, exchange.buffer, exchange.parser, nothrow);
    const std::size_t got = piece.size() - body.size;
    if (got > 0) {
      CO_TRY_VOID(sink(std::string_view(piece.data(), got)));
    }
    if (error && error != http::error::need_buffer) co_return answer_error(error);
  }
  co_return Result<void>();
}

}  // namespace

struct DockerClient::Request {
  std::string target;
  std::uint64_t limit = 0;  // Of the body; 0: endless
  BodySink sink;
  std::function<void()> on_open;  // May be empty
  std::chrono::milliseconds header_deadline{0};
  bool may_be_missing = false;  // 404 is kNotFound; elsewhere it is a broken engine's answer.
};

DockerClient::DockerClient(Loop& loop, AsyncClock& clock, Options options, RedactText redact)
    : loop_(loop), clock_(clock), options_(std::move(options)), redact_(std::move(redact)) {}

asio::awaitable<Result<void>> DockerClient::get(Request request) {
  if (options_.socket_path.size() > kMaxSocketPath) {
    co_return Error(Errc::kInvalid, "the path of the engine's socket is longer than 107 bytes: " +
                                        options_.socket_path);
  }
  Exchange exchange(loop_.context().get_executor());
  exchange.parser.header_limit(kMaxHeaderBytes);
  if (request.limit == 0) {
    exchange.parser.body_limit(boost::none);
  } else {
    exchange.parser.body_limit(request.limit);
  }
  auto opened =
      co_await with_deadline(clock_, request.header_deadline,
                             open_exchange(exchange, options_.socket_path, request.target));
  if (!opened) co_return opened;
  const unsigned status = exchange.parser.get().result_int();
  if (status == 200) {
    if (request.on_open) request.on_open();
    co_return co_await read_body(exchange, std::move(request.sink));
  }
  std::string message;
  BodySink keep = [&message](std::string_view piece) -> Result<void> {
    message.append(piece.substr(0, kMaxMessageBytes - std::min(message.size(), kMaxMessageBytes)));
    return {};
  };
  auto read =
      co_await with_deadline(clock_, options_.deadline, read_body(exchange, std::move(keep)));
  ignore(read, "the status alone is an answer");
  co_return status_error(status, message, request.may_be_missing);
}

asio::awaitable<Result<void>> DockerClient::get_within(Request request,
                                                       std::chrono::milliseconds limit) {
  ++counters_.requests;
  request.header_deadline = limit;
  auto got = co_await with_deadline(clock_, limit, get(std::move(request)));
  if (!got) ++counters_.failed;
  co_return got;
}

asio::awaitable<Result<std::string>> DockerClient::get_text(std::string target,
                                                            bool may_be_missing) {
  std::string body;
  Request request;
  request.target = std::move(target);
  request.limit = kMaxInspectBytes;
  request.may_be_missing = may_be_missing;
  request.sink = [&body](std::string_view piece) -> Result<void> {
    body.append(piece);
    return {};
  };
  CO_TRY_VOID(co_await get_within(std::move(request), options_.deadline));
  co_return body;
}

asio::awaitable<Result<EngineVersion>> DockerClient::negotiate() {
  auto body = co_await get_text("/version", false);
  if (!body) co_return std::move(body).error();
  auto version = parse_version(*body);
  if (!version) co_return std::move(version).error().with_context("GET /version");
  api_ = negotiated_api(*version);
  co_return version;
}

asio::awaitable<Result<void>> DockerClient::ping() {
  auto body = co_await get_text("/_ping", false);
  if (!body) co_return std::move(body).error();
  co_return Result<void>();
}

asio::awaitable<Result<void>> DockerClient::list(IsKnown is_known, OnEntry on_entry) {
  ArraySplitter splitter(kMaxElementBytes);
  const PieceHandler on_element = [&](std::string_view element) {
    auto entry = parse_list_entry(element, redact_, is_known);
    if (entry) {
      on_entry(std::move(*entry));
    } else {
      ++counters_.malformed;
    }
  };
  Request request;
  request.target = "/v" + api_ + "/containers/json?all=1";
  request.limit = kMaxListBytes;
  request.sink = [&](std::string_view piece) { return splitter.feed(piece, on_element); };
  auto got = co_await get_within(std::move(request), options_.list_deadline);
  counters_.oversized += splitter.oversized();
  if (!got) co_return std::move(got).error().with_context("list containers");
  if (!splitter.finished()) co_return Error(Errc::kCorrupt, "the list of containers has no end");
  co_return Result<void>();
}

asio::awaitable<Result<ObservedContainer>> DockerClient::inspect(std::string id) {
  auto body = co_await get_text("/v" + api_ + "/containers/" + id + "/json", true);
  if (!body) co_return std::move(body).error();
  auto container = parse_inspect(*body, redact_);
  if (!container) {
    ++counters_.malformed;
  } else if (container->facts.id != id) {
    ++counters_.malformed;
    co_return Error(Errc::kCorrupt, "the engine described another container");
  }
  co_return container;
}

asio::awaitable<Result<void>> DockerClient::events(std::int64_t since_ns,
                                                   std::function<void()> on_open,
                                                   OnEvent on_event) {
  LineSplitter splitter(kMaxElementBytes);
  const PieceHandler on_line = [&](std::string_view line) {
    auto event = parse_event(line, redact_);
    if (event) {
      on_event(std::move(*event));
    } else {
      ++counters_.malformed;
    }
  };
  Request request;
  request.target = "/v" + api_ + "/events?filters=" + percent_encoded(kEventFilter);
  if (since_ns > 0) {
    std::string fraction = std::to_string(since_ns % 1'000'000'000);
    fraction.insert(0, 9 - fraction.size(), '0');
    request.target += "&since=" + std::to_string(since_ns / 1'000'000'000) + "." + fraction;
  }
  request.header_deadline = options_.deadline;
  request.on_open = std::move(on_open);
  request.sink = [&](std::string_view piece) -> Result<void> {
    const std::uint64_t before = splitter.oversized();
    splitter.feed(piece, on_line);
    counters_.oversized += splitter.oversized() - before;
    return {};
  };
  ++counters_.requests;
  auto ended = co_await get(std::move(request));
  ++counters_.failed;
  if (!ended) co_return std::move(ended).error().with_context("event stream");
  co_return Error(Errc::kUnavailable, "event stream: the engine hung up");
}

}  // namespace observeai::agent
