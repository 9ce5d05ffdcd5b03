#include "controlplane/cli/api_client.h"

#include <chrono>
#include <random>
#include <thread>

#include <boost/json.hpp>

#include "controlplane/cli/json_view.h"
#include "protocol/base/backoff.h"

namespace observeai::controlplane::cli {
namespace {

namespace json = boost::json;
using std::chrono::milliseconds;

constexpr milliseconds kFollowIdle(45'000);  // The server sends a comment more often than this
constexpr const char* kPageRows = "2000";
constexpr int kMostReconnects = 20;  // In a row, without an event between them

Errc code_from(const std::string& name, int status) {
  for (const Errc code : {Errc::kInvalid, Errc::kNotFound, Errc::kUnavailable, Errc::kTimeout,
                          Errc::kCorrupt, Errc::kDenied, Errc::kLimit, Errc::kInternal}) {
    if (to_string(code) == name) return code;
  }
  if (status == 401 || status == 403) return Errc::kDenied;
  if (status == 404) return Errc::kNotFound;
  if (status >= 400 && status < 500) return Errc::kInvalid;
  return Errc::kInternal;
}

Error error_from(const http::Response& response) {
  boost::system::error_code failed;
  const json::value body = json::parse(response.body, failed);
  const json::value* error =
      !failed && body.is_object() ? body.as_object().if_contains("error") : nullptr;
  if (error == nullptr || !error->is_object()) {
    return Error(
        code_from("", response.status),
        "the server answered HTTP " + std::to_string(response.status) + " without a reason");
  }
  std::string message = text_at(error->as_object(), "message");
  const std::string hint = text_at(error->as_object(), "hint");
  if (!hint.empty()) message += "\n  " + hint;
  for (const auto& value : array_at(error->as_object(), "candidates")) {
    const auto& candidate = object_of(value);
    message += "\n  " + text_at(candidate, "name") + ": host " + text_at(candidate, "hostname") +
               " (" + text_at(candidate, "agent_id") + ")";
    const std::string target = text_at(candidate, "target");
    if (!target.empty()) message += ", target " + target;
  }
  return Error(code_from(raw_text_at(error->as_object(), "code"), response.status), message);
}

Result<json::value> parse_body(const http::Response& response) {
  if (response.body.empty()) return json::value(json::object());
  boost::system::error_code failed;
  json::value value = json::parse(response.body, failed);
  if (failed) return Error(Errc::kCorrupt, "the server's answer is not JSON: " + failed.message());
  return value;
}

}  // namespace

std::string with_query(const std::string& path, const Query& query) {
  std::string out = path;
  char separator = '?';
  for (const auto& [name, value] : query) {
    if (value.empty()) continue;
    out += separator + http::percent_encode(name) + "=" + http::percent_encode(value);
    separator = '&';
  }
  return out;
}

http::Request ApiClient::make_request(const char* method, const std::string& path,
                                      const Query& query) const {
  http::Request request;
  request.method = method;
  request.path = with_query(path, query);
  if (!key_.empty()) request.headers["authorization"] = "Bearer " + key_;
  request.timeout = milliseconds(30'000);
  return request;
}

Result<http::Response> ApiClient::send(http::Request request) {
  TRY(auto response, http_->send(request));
  if (response.status < 200 || response.status > 299) return error_from(response);
  return response;
}

Result<json::value> ApiClient::get(const std::string& path, const Query& query) {
  TRY(const auto response, send(make_request("GET", path, query)));
  return parse_body(response);
}

Result<json::value> ApiClient::get_all(const std::string& path, const char* list, Query query) {
  query.emplace_back("limit", kPageRows);
  query.emplace_back("after", "");
  TRY(auto whole, get(path, query));
  std::string next = raw_text_at(object_of(whole), "next");
  while (!next.empty()) {
    query.back().second = next;
    TRY(auto page, get(path, query));
    auto* rows = whole.as_object().if_contains(list);
    auto* more = page.is_object() ? page.as_object().if_contains(list) : nullptr;
    if (rows == nullptr || !rows->is_array() || more == nullptr || !more->is_array())
      return Error(Errc::kCorrupt, "the server's answer has no list of " + std::string(list));
    for (auto& row : more->as_array()) rows->as_array().push_back(std::move(row));
    const std::string following = raw_text_at(object_of(page), "next");
    if (following == next) return Error(Errc::kCorrupt, "the server's pages do not end");
    next = following;
  }
  if (whole.is_object() && whole.as_object().contains("next")) whole.as_object()["next"] = "";
  return whole;
}

Result<std::string> ApiClient::get_text(const std::string& path) {
  TRY(auto response, send(make_request("GET", path, {})));
  return std::move(response.body);
}

Result<json::value> ApiClient::post(const std::string& path, const json::value& body) {
  auto request = make_request("POST", path, {});
  request.body = json::serialize(body);
  TRY(const auto response, send(std::move(request)));
  return parse_body(response);
}

Result<json::value> ApiClient::remove(const std::string& path) {
  TRY(const auto response, send(make_request("DELETE", path, {})));
  return parse_body(response);
}

Result<void> ApiClient::follow(const std::string& path, const Query& query,
                               const OnEvent& on_event) {
  auto request = make_request("GET", path, query);
  request.headers["accept"] = "text/event-stream";
  Backoff backoff(milliseconds(200), milliseconds(5'000));
  std::minstd_rand random(std::random_device{}());
  bool ever_connected = false;
  for (int failures = 0; failures < kMostReconnects; ++failures) {
    const auto handle = [&](const http::ServerSentEvent& event) {
      ever_connected = true;
      failures = 0;
      backoff.reset();
      if (!event.id.empty()) request.headers["last-event-id"] = event.id;
      boost::system::error_code failed;
      const json::value data = json::parse(event.data, failed);
      return failed ? true : on_event(event.event, data);
    };
    const auto ended = http_->stream(request, handle, kFollowIdle);
    if (ended) {
      if (ended->status != 200) return error_from(*ended);
      return {};
    }
    const bool again =
        ended.error().code() == Errc::kUnavailable || ended.error().code() == Errc::kTimeout;
    if (!again ||
        (!ever_connected && failures == 0 && ended.error().code() == Errc::kUnavailable)) {
      return ended.error();
    }
    std::this_thread::sleep_for(backoff.next(random()));
  }
  return Error(Errc::kUnavailable,
               "the connection to the control plane was lost and did not come back");
}

}  // namespace observeai::controlplane::cli
