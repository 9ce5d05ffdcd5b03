#include <boost/beast/http.hpp>

#include "protocol/base/log.h"
#include "protocol/base/text.h"
#include "protocol/base/thread_annotations.h"
#include "protocol/http/http_client.h"
#include "protocol/http/sse_parser.h"
#include "protocol/http/tls_connection.h"

namespace observeai::http {
namespace {

namespace beast = boost::beast;
namespace bhttp = boost::beast::http;

constexpr std::uint32_t kMaxHeaderBytes = 64U << 10;
constexpr std::size_t kStreamReadBytes = 16U << 10;

bool is_printable_ascii(std::string_view text, char least) {
  return std::all_of(text.begin(), text.end(), [&](char c) { return c >= least && c < 0x7F; });
}

// Nothing of the caller may end a line of the request.
Result<void> check(const Endpoint& endpoint, const Request& request) {
  if (endpoint.spki_sha256.size() != 64 || !text::from_hex(endpoint.spki_sha256)) {
    return Error(Errc::kInvalid, "the pinned server key must be 64 hex digits, got \"" +
                                     log::printable(endpoint.spki_sha256) + "\"");
  }
  if (request.method.empty() || !is_printable_ascii(request.method, '!')) {
    return Error(Errc::kInvalid, "not an HTTP method: \"" + log::printable(request.method) + "\"");
  }
  if (!request.path.starts_with('/') || !is_printable_ascii(request.path, '!')) {
    return Error(Errc::kInvalid, "not a request path: \"" + log::printable(request.path) + "\"");
  }
  for (const auto& [name, value] : request.headers) {
    if (name.empty() || name.find(':') != std::string::npos || !is_printable_ascii(name, '!') ||
        !is_printable_ascii(value, ' ')) {
      return Error(Errc::kInvalid, "not a request header: \"" + log::printable(name) + "\"");
    }
  }
  return {};
}

bhttp::request<bhttp::string_body> encode(const Endpoint& endpoint, const Request& request) {
  bhttp::request<bhttp::string_body> out;
  out.version(11);
  out.method_string(request.method);
  out.target(request.path);
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  out.set(bhttp::field::host, (is_ipv6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" +
                                  std::to_string(endpoint.port));
  out.set(bhttp::field::user_agent, "observeai/" OBSERVEAI_VERSION);
  for (const auto& [name, value] : request.headers) out.set(name, value);
  if (!request.body.empty()) {
    out.set(bhttp::field::content_type, "application/json");
    out.body() = request.body;
  }
  out.prepare_payload();
  return out;
}

template <class Body>
Response decode(bhttp::response<Body>& message) {
  Response response;
  response.status = static_cast<int>(message.result_int());
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    response.headers[name] = std::string(field.value());
  }
  return response;
}

class BeastHttpsClient final : public HttpClient {
 public:
  explicit BeastHttpsClient(Endpoint endpoint) : endpoint_(std::move(endpoint)) {
    for (char& c : endpoint_.spki_sha256) {
      if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    }
  }

  Result<Response> send(const Request& request) override;
  Result<Response> stream(const Request& request,
                          const std::function<bool(const ServerSentEvent&)>& on_event,
                          std::chrono::milliseconds idle) override;

 private:
  // Sends on `connection` and reads the reply. `untouched` = nothing of a reply had come.
  Result<Response> exchange(TlsConnection& connection, const Request& request, SteadyTime deadline,
                            bool& untouched, bool& reusable);
  Result<void> write(TlsConnection& connection, const Request& request, SteadyTime deadline);
  Result<Response> read_whole(TlsConnection& connection,
                              bhttp::response_parser<bhttp::string_body>& parser,
                              SteadyTime deadline);
  Result<Response> follow(TlsConnection& connection,
                          bhttp::response_parser<bhttp::buffer_body>& parser,
                          const std::function<bool(const ServerSentEvent&)>& on_event,
                          std::chrono::milliseconds idle);
  Error failure(const std::optional<beast::error_code>& error, std::string_view doing) const;

  Endpoint endpoint_;
  Mutex mutex_;
  std::unique_ptr<TlsConnection> kept_ GUARDED_BY(mutex_);
};

Error BeastHttpsClient::failure(const std::optional<beast::error_code>& error,
                                std::string_view doing) const {
  const std::string where = endpoint_.host + ":" + std::to_string(endpoint_.port);
  if (!error) return {Errc::kTimeout, std::string(doing) + " " + where + " took too long"};
  if (*error == bhttp::error::body_limit || *error == bhttp::error::buffer_overflow) {
    return {Errc::kLimit, "the reply of " + where + " is longer than " +
                              text::format_bytes(static_cast<double>(kMaxResponseBytes))};
  }
  if (*error == bhttp::error::header_limit) {
    return {Errc::kLimit, "the header of the reply of " + where + " is too long"};
  }
  return {Errc::kUnavailable,
          std::string(doing) + " " + where + " failed: " + log::printable(error->message())};
}

Result<void> BeastHttpsClient::write(TlsConnection& connection, const Request& request,
                                     SteadyTime deadline) {
  auto message = encode(endpoint_, request);
  const auto error = connection.await(
      deadline, [&](auto handler) { bhttp::async_write(connection.stream(), message, handler); });
  if (!error || *error) return failure(error, "sending to");
  return {};
}

Result<Response> BeastHttpsClient::read_whole(TlsConnection& connection,
                                              bhttp::response_parser<bhttp::string_body>& parser,
                                              SteadyTime deadline) {
  const auto error = connection.await(deadline, [&](auto handler) {
    bhttp::async_read(connection.stream(), connection.buffer(), parser, handler);
  });
  if (!error || *error) return failure(error, "reading the reply of");
  Response response = decode(parser.get());
  response.body = std::move(parser.get().body());
  return response;
}

Result<Response> BeastHttpsClient::exchange(TlsConnection& connection, const Request& request,
                                            SteadyTime deadline, bool& untouched, bool& reusable) {
  untouched = true;
  TRY_VOID(write(connection, request, deadline));
  bhttp::response_parser<bhttp::string_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(kMaxResponseBytes);
  if (request.method == "HEAD") parser.skip(true);
  auto response = read_whole(connection, parser, deadline);
  untouched = !parser.got_some();
  reusable = response && parser.keep_alive() && connection.buffer().size() == 0;
  return response;
}

Result<Response> BeastHttpsClient::send(const Request& request) {
  TRY_VOID(check(endpoint_, request));
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;
  const bool repeatable = request.method == "GET";
  std::unique_ptr<TlsConnection> connection;
  if (repeatable) {
    MutexLock lock(mutex_);
    connection = std::move(kept_);
  }
  bool untouched = false;
  bool reusable = false;
  if (connection) {
    auto response = exchange(*connection, request, deadline, untouched, reusable);
    // The server may have closed the kept connection; then it has not seen the request.
    const bool again = !response && untouched && response.error().code() == Errc::kUnavailable;
    if (!again) {
      if (reusable) {
        MutexLock lock(mutex_);
        kept_ = std::move(connection);
      }
      return response;
    }
  }
  TRY(connection, TlsConnection::open(endpoint_, deadline));
  auto response = exchange(*connection, request, deadline, untouched, reusable);
  if (reusable) {
    MutexLock lock(mutex_);
    kept_ = std::move(connection);
  }
  return response;
}

Result<Response> BeastHttpsClient::stream(
    const Request& request, const std::function<bool(const ServerSentEvent&)>& on_event,
    std::chrono::milliseconds idle) {
  TRY_VOID(check(endpoint_, request));
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;
  TRY(const auto connection, TlsConnection::open(endpoint_, deadline));
  TRY_VOID(write(*connection, request, deadline));
  bhttp::response_parser<bhttp::buffer_body> parser;
  parser.header_limit(kMaxHeaderBytes);
  parser.body_limit(boost::none);  // Endless by design; SseParser bounds each event.
  const auto error = connection->await(deadline, [&](auto handler) {
    bhttp::async_read_header(connection->stream(), connection->buffer(), parser, handler);
  });
  if (!error || *error) return failure(error, "reading the reply of");
  if (parser.get().result_int() == 200) return follow(*connection, parser, on_event, idle);
  bhttp::response_parser<bhttp::string_body> whole(std::move(parser));
  whole.body_limit(kMaxResponseBytes);
  return read_whole(*connection, whole, deadline);
}

Result<Response> BeastHttpsClient::follow(
    TlsConnection& connection, bhttp::response_parser<bhttp::buffer_body>& parser,
    const std::function<bool(const ServerSentEvent&)>& on_event, std::chrono::milliseconds idle) {
  SseParser sse;
  std::array<char, kStreamReadBytes> bytes{};
  std::vector<ServerSentEvent> events;
  while (!parser.is_done()) {
    parser.get().body().data = bytes.data();
    parser.get().body().size = bytes.size();
    const auto until = std::chrono::steady_clock::now() + idle;
    const auto error = connection.await(until, [&](auto handler) {
      bhttp::async_read_some(connection.stream(), connection.buffer(), parser, handler);
    });
    if (!error || (*error && *error != bhttp::error::need_buffer)) {
      return failure(error, "following the stream of");
    }
    TRY_VOID(sse.feed({bytes.data(), bytes.size() - parser.get().body().size}, events));
    for (const auto& event : events) {
      if (!on_event(event)) return decode(parser.get());
    }
    events.clear();
  }
  return Error(Errc::kUnavailable, "the server ended the stream");
}

}  // namespace

std::unique_ptr<HttpClient> make_https_client(Endpoint endpoint) {
  return std::make_unique<BeastHttpsClient>(std::move(endpoint));
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4U];
    out += kHex[byte & 15U];
  }
  return out;
}

}  // namespace observeai::http
