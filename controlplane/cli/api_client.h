// The console's way to the control plane: the HTTPS API and nothing else.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>

#include "protocol/base/result.h"
#include "protocol/http/http_client.h"

namespace observeai::controlplane::cli {

using Query = std::vector<std::pair<std::string, std::string>>;  // Empty values are left out

class ApiClient {
 public:
  // `key` may be empty: for login and health.
  ApiClient(std::unique_ptr<http::HttpClient> http, std::string key)
      : http_(std::move(http)), key_(std::move(key)) {}

  // The body of a 2xx answer. Otherwise the server's own message and hint, with the code it gave.
  Result<boost::json::value> get(const std::string& path, const Query& query = {});
  // Every page of a list: `next` of one answer is `after` of the following. The elements of `list` are
  // joined.
  Result<boost::json::value> get_all(const std::string& path, const char* list, Query query = {});
  Result<boost::json::value> post(const std::string& path, const boost::json::value& body);
  Result<boost::json::value> remove(const std::string& path);
  Result<std::string> get_text(const std::string& path);

  // Follows server-sent events, reconnecting (with the last id) until `on_event` returns false.
  // Fails at once when the first connection is refused.
  using OnEvent = std::function<bool(const std::string& event, const boost::json::value& data)>;
  Result<void> follow(const std::string& path, const Query& query, const OnEvent& on_event);

 private:
  Result<http::Response> send(http::Request request);
  http::Request make_request(const char* method, const std::string& path, const Query& query) const;

  std::unique_ptr<http::HttpClient> http_;
  std::string key_;
};

std::string with_query(const std::string& path, const Query& query);

}  // namespace observeai::controlplane::cli
