#include "controlplane/api/connection.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>

#include "controlplane/api/follower.h"
#include "controlplane/api/request_checks.h"
#include "protocol/base/log.h"

namespace observeai::controlplane::api {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t kReadBytes = 4096;
constexpr std::size_t kMaxBufferBytes = 64U << 10;
constexpr std::size_t kStreamBytes = 256U << 10;    // Of frames in one write
constexpr std::size_t kBytesPerSecond = 64U << 10;  // A slower reader of a large reply is cut off
constexpr std::size_t kMaxLingerBytes = 1U << 20;  // Read and thrown away so that a refusal arrives
constexpr std::chrono::milliseconds kFarewell{2000};

// The follower must not call a connection that is gone, however the stream ended.
class ReadyGuard {
 public:
  ReadyGuard(Follower& follower, std::function<void()> wakeup) : follower_(follower) {
    follower_.on_ready(std::move(wakeup));
  }
  ~ReadyGuard() { follower_.on_ready(nullptr); }
  ReadyGuard(const ReadyGuard&) = delete;
  ReadyGuard& operator=(const ReadyGuard&) = delete;

 private:
  Follower& follower_;
};

asio::awaitable<Reply> handle_on_worker(Api& api, Request request) {
  co_return api.handle(request);
}
asio::awaitable<std::optional<Reply>> admit_on_worker(Api& api, Request request) {
  co_return api.refuse_body(request);
}
asio::awaitable<bool> check_on_worker(std::function<bool()> may_go_on) {
  co_return may_go_on();
}

}  // namespace

Connection::Connection(asio::ip::tcp::socket socket, TlsContext context, std::string remote_ip,
                       ServerShared& shared, std::function<void()> on_gone)
    : context_(std::move(context)),
      stream_(std::move(socket), *context_),
      deadline_(stream_.get_executor()),
      wake_(stream_.get_executor()),
      buffer_(kMaxBufferBytes),
      remote_ip_(std::move(remote_ip)),
      shared_(shared),
      on_gone_(std::move(on_gone)) {
  ++shared_.counters.connections;
}

Connection::~Connection() {
  --shared_.counters.connections;
  on_gone_();
}

void Connection::start() {
  asio::co_spawn(stream_.get_executor(), run(shared_from_this()), [](std::exception_ptr problem) {
    if (!problem) return;
    try {
      std::rethrow_exception(problem);
    } catch (const std::exception& exception) {
      log::error(std::string("a connection failed: ") + exception.what());
    }
  });
}

void Connection::close() {
  asio::post(stream_.get_executor(), [self = shared_from_this()] { self->close_now(); });
}

void Connection::close_now() {
  closed_ = true;
  boost::system::error_code ignored;
  stream_.next_layer().close(ignored);
  deadline_.cancel();
  wake_.cancel();
}

// From now on the connection has so long, whatever it does.
void Connection::arm(std::chrono::milliseconds patience) {
  deadline_.expires_after(patience);
  deadline_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    // The wait may have ended just before it was armed again.
    if (error || !self || self->deadline_.expiry() > std::chrono::steady_clock::now()) return;
    ++self->shared_.counters.timeouts;
    self->close_now();
  });
}

void Connection::disarm() {
  deadline_.expires_at(std::chrono::steady_clock::time_point::max());
}

// `self` keeps the connection alive in the coroutine's frame.
asio::awaitable<void> Connection::run([[maybe_unused]] std::shared_ptr<Connection> self) {
  arm(shared_.options.deadlines.handshake);
  const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kToken);
  if (error) {
    ++shared_.counters.failed_handshakes;
    close_now();
    co_return;
  }
  bool more = true;
  while (more && !closed_) more = co_await serve_one();
  close_now();
}

asio::awaitable<bool> Connection::wait_for_first_byte() {
  if (buffer_.size() > 0) co_return true;  // Sent with the request before
  arm(shared_.options.deadlines.idle);
  const auto space = buffer_.prepare(kReadBytes);
  const auto [error, size] = co_await stream_.async_read_some(space, kToken);
  if (error) co_return false;
  buffer_.commit(size);
  co_return true;
}

// `request` is taken from the header alone; its body comes last.
asio::awaitable<bool> Connection::read_request(Parser& parser, Request& request) {
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(kMaxBodyBytes);
  arm(shared_.options.deadlines.header);
  const auto [error, size] = co_await http::async_read_header(stream_, buffer_, parser, kToken);
  std::optional<Problem> problem;
  if (error) {
    problem = problem_of(error, kMaxBodyBytes);
    if (problem) co_await refuse(problem_reply(*problem));
    co_return false;
  }
  // Beast applies its limit to the first line and to the fields, each on its own.
  if (size > kMaxHeaderBytes)
    problem = problem_of(http::make_error_code(http::error::header_limit), 0);
  if (!problem) problem = check_header(parser.get().base());
  if (problem) {
    co_await refuse(problem_reply(*problem));
    co_return false;
  }
  request = head_of(parser);
  if (parser.is_done()) co_return true;
  const std::size_t fields_before = count_fields(parser.get().base());
  // A body takes memory and time: it is read only from those who may send it.
  disarm();
  auto admission = admit_on_worker(shared_.api, request);
  std::optional<Reply> refusal = co_await asio::co_spawn(shared_.workers.get_executor(),
                                                         std::move(admission), asio::use_awaitable);
  if (closed_) co_return false;
  if (refusal) {
    co_await refuse(std::move(*refusal));
    co_return false;
  }
  arm(shared_.options.deadlines.body);
  const auto [body_error, body_size] = co_await http::async_read(stream_, buffer_, parser, kToken);
  if (body_error) {
    problem = problem_of(body_error, kMaxBodyBytes);
    if (problem) co_await refuse(problem_reply(*problem));
    co_return false;
  }
  // Beast adds the fields that follow the last chunk to those of the header.
  if (count_fields(parser.get().base()) != fields_before) {
    problem = Problem(400, Errc::kInvalid, "trailers are not read here");
    co_await refuse(problem_reply(*problem));
    co_return false;
  }
  request.body = std::move(parser.get().body());
  co_return true;
}

Request Connection::head_of(const Parser& parser) const {
  const auto& message = parser.get();
  Request request;
  request.method = std::string(message.method_string());
  request.target = std::string(message.target());
  request.authorization = std::string(message[http::field::authorization]);
  request.last_event_id = std::string(message["Last-Event-ID"]);
  request.remote_ip = remote_ip_;
  return request;
}

asio::awaitable<bool> Connection::serve_one() {
  const bool begun = co_await wait_for_first_byte();
  if (!begun) co_return false;
  Parser parser;
  Request request;
  const bool complete = co_await read_request(parser, request);
  if (!complete) co_return false;
  disarm();
  ++shared_.counters.requests;
  const bool keep_alive = parser.keep_alive();
  const bool head_only = parser.get().method() == http::verb::head;
  auto work = handle_on_worker(shared_.api, std::move(request));
  Reply reply =
      co_await asio::co_spawn(shared_.workers.get_executor(), std::move(work), asio::use_awaitable);
  if (closed_) co_return false;
  if (reply.follower) {
    co_await follow(std::move(reply));
    co_return false;
  }
  const bool written = co_await write(std::move(reply), keep_alive, head_only);
  if (written && !keep_alive) co_await shut_down();
  co_return written&& keep_alive;
}

asio::awaitable<bool> Connection::write(Reply reply, bool keep_alive, bool head_only) {
  http::response<http::string_body> message;
  message.version(11);
  message.result(static_cast<unsigned>(reply.status));
  message.keep_alive(keep_alive);
  message.set(http::field::content_type, reply.content_type);
  add_security_headers(message);
  for (const auto& [name, value] : reply.headers) message.set(name, value);
  message.content_length(reply.body.size());
  if (!head_only) message.body() = std::move(reply.body);
  arm(shared_.options.deadlines.write +
      std::chrono::seconds(message.body().size() / kBytesPerSecond));
  const auto [error, size] = co_await http::async_write(stream_, message, kToken);
  co_return !error;
}

// The client may still be sending: what it sends is read and thrown away for a moment, otherwise
// the system would answer it with a reset and the client would never see the reply.
asio::awaitable<bool> Connection::refuse(Reply reply) {
  ++shared_.counters.bad_requests;
  const bool written = co_await write(std::move(reply), false, false);
  if (!written) co_return false;
  boost::system::error_code error;
  stream_.next_layer().shutdown(asio::ip::tcp::socket::shutdown_send, error);
  arm(kFarewell);
  std::array<char, kReadBytes> thrown_away{};
  std::size_t total = 0;
  while (!error && total < kMaxLingerBytes) {
    const auto [read_error, size] =
        co_await stream_.next_layer().async_read_some(asio::buffer(thrown_away), kToken);
    error = read_error;
    total += size;
  }
  disarm();
  co_return false;
}

asio::awaitable<void> Connection::shut_down() {
  arm(kFarewell);
  co_await stream_.async_shutdown(kToken);
  disarm();
}

asio::awaitable<bool> Connection::write_raw(std::string bytes) {
  arm(shared_.options.deadlines.write);
  const auto buffer = asio::buffer(bytes);
  const auto [error, size] = co_await asio::async_write(stream_, buffer, kToken);
  disarm();
  co_return !error;
}

asio::awaitable<bool> Connection::write_chunk(std::string data) {
  std::array<char, 20> size{};
  std::snprintf(size.data(), size.size(), "%zx\r\n", data.size());
  std::string chunk = size.data() + data + "\r\n";
  co_return co_await write_raw(std::move(chunk));
}

// A follower sends nothing: whatever comes, the end included, ends the stream.
void Connection::watch_peer() {
  stream_.async_read_some(asio::buffer(discard_),
                          [self = shared_from_this()](boost::system::error_code, std::size_t) {
                            self->peer_gone_ = true;
                            self->wake_.cancel();
                          });
}

asio::awaitable<void> Connection::wait_for_frames(std::chrono::steady_clock::time_point at_most) {
  wake_.expires_at(at_most);
  co_await wake_.async_wait(kToken);
}

// The last event, then the end of the body.
asio::awaitable<bool> Connection::end_stream(std::string farewell) {
  const bool good = co_await write_chunk(std::move(farewell));
  if (!good) co_return false;
  co_return co_await write_raw("0\r\n\r\n");
}

asio::awaitable<void> Connection::follow(Reply reply) {
  using std::chrono::steady_clock;
  const auto follower = std::move(reply.follower);
  http::response<http::empty_body> message;
  message.version(11);
  message.result(http::status::ok);
  message.keep_alive(false);
  message.chunked(true);
  message.set(http::field::content_type, "text/event-stream");
  add_security_headers(message);
  http::response_serializer<http::empty_body> serializer(message);
  arm(shared_.options.deadlines.write);
  const auto [error, size] = co_await http::async_write_header(stream_, serializer, kToken);
  disarm();
  if (error) co_return;
  watch_peer();
  const ReadyGuard ready(*follower, [weak = weak_from_this(), executor = stream_.get_executor()] {
    const auto self = weak.lock();
    if (!self || self->wake_posted_.exchange(true)) return;
    asio::post(executor, [self] {
      self->wake_posted_ = false;
      self->wake_.cancel();
    });
  });
  const auto& deadlines = shared_.options.deadlines;
  auto keepalive_at = steady_clock::now() + deadlines.keepalive;
  auto check_at = steady_clock::now() + deadlines.recheck;
  bool good = true;
  while (good && !peer_gone_ && !closed_) {
    if (steady_clock::now() >= check_at) {
      auto check = check_on_worker(reply.may_go_on);
      const bool may_go_on = co_await asio::co_spawn(shared_.workers.get_executor(),
                                                     std::move(check), asio::use_awaitable);
      check_at = steady_clock::now() + deadlines.recheck;
      if (closed_) break;
      if (!may_go_on) {
        std::string farewell =
            "event: closed\ndata: {\"message\": \"the API key was revoked or has expired\"}\n\n";
        co_await end_stream(std::move(farewell));
        break;
      }
    }
    const bool lagged = follower->lagged();  // Before take(): afterwards nothing more is queued
    std::string frames = follower->take(kStreamBytes);
    if (!frames.empty()) {
      good = co_await write_chunk(std::move(frames));
      keepalive_at = steady_clock::now() + deadlines.keepalive;
    } else if (lagged) {
      ++shared_.counters.lagged_followers;
      std::string farewell =
          "event: lagged\ndata: {\"message\": \"this reader was too slow and missed rows\"}\n\n";
      co_await end_stream(std::move(farewell));
      break;
    } else if (steady_clock::now() >= keepalive_at) {
      good = co_await write_chunk(": keep-alive\n\n");
      keepalive_at = steady_clock::now() + deadlines.keepalive;
    } else {
      co_await wait_for_frames(std::min(keepalive_at, check_at));
    }
  }
}

}  // namespace observeai::controlplane::api
