// An HttpClient that answers what the test put in, and keeps the requests.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "protocol/http/http_client.h"

namespace observeai::controlplane::cli {

class ScriptedClient final : public http::HttpClient {
 public:
  Result<http::Response> next = http::Response{200, {}, "{}"};
  std::map<std::string, std::string> bodies;  // By path with query; others get `next`
  http::Request last;
  std::vector<std::string> paths;
  std::vector<std::string> posted;  // Bodies, in order
  std::vector<http::ServerSentEvent> events;

  Result<http::Response> send(const http::Request& request) override {
    last = request;
    paths.push_back(request.path);
    if (request.method == "POST") posted.push_back(request.body);
    const auto found = bodies.find(request.path);
    if (found != bodies.end()) return http::Response{200, {}, found->second};
    return next;
  }
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(const http::ServerSentEvent&)>& on_event,
                                std::chrono::milliseconds) override {
    last = request;
    paths.push_back(request.path);
    for (const auto& event : events) {
      if (!on_event(event)) return http::Response{200, {}, ""};
    }
    return next;
  }
};

}  // namespace observeai::controlplane::cli
