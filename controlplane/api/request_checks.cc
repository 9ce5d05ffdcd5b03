#include "controlplane/api/request_checks.h"

#include <iterator>

#include "controlplane/api/api_server.h"

namespace observeai::controlplane::api {

namespace http = boost::beast::http;

std::optional<Problem> check_header(const http::request_header<>& header) {
  const auto bad = [](std::string message) {
    return Problem(400, Errc::kInvalid, std::move(message));
  };
  if (header.version() != 11)
    return Problem(505, Errc::kInvalid, "this server speaks HTTP/1.1 only");
  const auto once = [&](http::field name) { return header.count(name) <= 1; };
  if (header.count(http::field::host) != 1) return bad("a request needs exactly one Host header");
  if (!once(http::field::content_length) || !once(http::field::transfer_encoding) ||
      !once(http::field::authorization) || !once(http::field::content_type)) {
    return bad("a header that may come once came twice");
  }
  // What comes after the body would be believed like what came before it.
  if (header.count(http::field::trailer) != 0) return bad("trailers are not read here");
  const bool chunked = header.count(http::field::transfer_encoding) != 0;
  const bool has_length = header.count(http::field::content_length) != 0;
  if (chunked && has_length) return bad("Content-Length and Transfer-Encoding exclude each other");
  if (chunked && !boost::beast::iequals(header[http::field::transfer_encoding], "chunked")) {
    return bad("the only Transfer-Encoding here is chunked");
  }
  const auto length = header[http::field::content_length];
  if (has_length && (length.empty() || length.find_first_not_of("0123456789") != length.npos)) {
    return bad("Content-Length is one number");
  }
  const bool has_body = chunked || (has_length && length != "0");
  if (has_body && header.method() != http::verb::post) return bad("only POST requests have a body");
  if (!header.target().starts_with('/')) return bad("the address must begin with /");
  return std::nullopt;
}

std::size_t count_fields(const http::request_header<>& header) {
  return static_cast<std::size_t>(std::distance(header.begin(), header.end()));
}

std::optional<Problem> problem_of(const boost::system::error_code& error, std::size_t body_limit) {
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Problem(431, Errc::kLimit,
                   "the header is longer than " + std::to_string(kMaxHeaderBytes) + " bytes");
  }
  if (error == http::error::body_limit) {
    return Problem(413, Errc::kLimit,
                   "the body is longer than " + std::to_string(body_limit) + " bytes");
  }
  const bool is_ours =
      error.category() == http::make_error_code(http::error::bad_method).category();
  if (!is_ours || error == http::error::end_of_stream || error == http::error::partial_message)
    return std::nullopt;
  return Problem(400, Errc::kInvalid, "not an HTTP/1.1 request: " + error.message());
}

void add_security_headers(http::fields& fields) {
  fields.set(http::field::cache_control, "no-store");
  fields.set("X-Content-Type-Options", "nosniff");
  fields.set("X-Frame-Options", "DENY");
  fields.set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'");
  fields.set("Referrer-Policy", "no-referrer");
}

}  // namespace observeai::controlplane::api
