// An HTTPS client for people's tools and enrollment: blocking, every call with a deadline, the server
// authenticated by the SHA-256 of its public key (SPKI) before a byte of the request is sent.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::http {

struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string spki_sha256;  // Hex. Required: there is no unauthenticated mode.
};

struct Request {
  std::string method = "GET";
  std::string path;  // With query, percent-encoded by the caller (percent_encode)
  std::map<std::string, std::string> headers;
  std::string body;  // Sent as application/json when not empty
  std::chrono::milliseconds timeout{10'000};
};
struct Response {
  int status = 0;
  std::map<std::string, std::string> headers;  // Lower-case names
  std::string body;                            // At most kMaxResponseBytes, else kLimit
};
inline constexpr std::size_t kMaxResponseBytes = 64U << 20;

struct ServerSentEvent {
  std::string event;
  std::string data;
  std::string id;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // kUnavailable: cannot connect; kDenied: the server's key is not the pinned one (message says both);
  // kTimeout. An HTTP error status is not an Error here.
  virtual Result<Response> send(const Request& request) = 0;
  // Follows a text/event-stream until `on_event` returns false (then ok), the server ends it
  // (kUnavailable) or nothing, not even a comment, came for `idle` (kTimeout). A status other than
  // 200 is returned as the response with its body.
  virtual Result<Response> stream(const Request& request,
                                  const std::function<bool(const ServerSentEvent&)>& on_event,
                                  std::chrono::milliseconds idle) = 0;
};

std::unique_ptr<HttpClient> make_https_client(Endpoint endpoint);
std::string percent_encode(std::string_view text);  // Query component, RFC 3986 unreserved kept

}  // namespace observeai::http
