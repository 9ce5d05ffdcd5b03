#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "controlplane/cli/api_client.h"
#include "controlplane/cli/json_view.h"

using namespace observeai;
using namespace observeai::controlplane::cli;

namespace {

// Answers every request with what the test put in, and keeps the request.
class ScriptedClient final : public http::HttpClient {
 public:
  Result<http::Response> next = http::Response{200, {}, "{}"};
  http::Request last;
  std::vector<http::ServerSentEvent> events;

  Result<http::Response> send(const http::Request& request) override {
    last = request;
    return next;
  }
  Result<http::Response> stream(const http::Request& request,
                                const std::function<bool(const http::ServerSentEvent&)>& on_event,
                                std::chrono::milliseconds) override {
    last = request;
    for (const auto& event : events) {
      if (!on_event(event)) return http::Response{200, {}, ""};
    }
    return next;
  }
};

struct Fixture {
  ScriptedClient* http = new ScriptedClient;
  ApiClient api{std::unique_ptr<http::HttpClient>(http), "oak1_id_secret"};
};

}  // namespace

TEST_CASE("requests carry the key and an encoded query without empty values") {
  Fixture f;
  REQUIRE(f.api.get("/v1/logs", {{"target", "a b&c"}, {"grep", ""}, {"limit", "5"}}));
  CHECK(f.http->last.path == "/v1/logs?target=a%20b%26c&limit=5");
  CHECK(f.http->last.headers.at("authorization") == "Bearer oak1_id_secret");
}

TEST_CASE("the server's error keeps its code and shows its hint") {
  Fixture f;
  f.http->next = http::Response{
      404,
      {},
      R"({"error":{"code":"not_found","message":"no container x","hint":"did you mean y?"}})"};
  const auto answer = f.api.get("/v1/containers");
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code() == Errc::kNotFound);
  CHECK(answer.error().message() == "no container x\n  did you mean y?");
  f.http->next = http::Response{401, {}, "<html>"};
  CHECK(f.api.get("/v1/x").error().code() == Errc::kDenied);
  f.http->next = http::Response{200, {}, "not json"};
  CHECK(f.api.get("/v1/x").error().code() == Errc::kCorrupt);
  f.http->next = Error(Errc::kUnavailable, "refused");
  CHECK(f.api.get("/v1/x").error().code() == Errc::kUnavailable);
}

TEST_CASE("following hands over events until the reader has enough, and remembers the last id") {
  Fixture f;
  f.http->events = {{"log", "{\"n\":1}", "7"}, {"log", "garbage", "8"}, {"log", "{\"n\":2}", "9"}};
  std::vector<std::int64_t> seen;
  REQUIRE(f.api.follow("/v1/logs/follow", {},
                       [&](const std::string& event, const boost::json::value& data) {
                         CHECK(event == "log");
                         seen.push_back(integer_at(object_of(data), "n"));
                         return seen.size() < 2;
                       }));
  CHECK(seen == std::vector<std::int64_t>{1, 2});
}

TEST_CASE("a refused stream is an error at once") {
  Fixture f;
  f.http->next = http::Response{
      403, {}, R"({"error":{"code":"denied","message":"viewers may not","hint":""}})"};
  CHECK(
      f.api.follow("/v1/x", {}, [](const std::string&, const boost::json::value&) { return true; })
          .error()
          .code() == Errc::kDenied);
}

TEST_CASE("text from the server cannot steer the terminal") {
  const auto value =
      boost::json::parse("{\"a\":\"x\\u001b[2Jy\",\"n\":1.5,\"o\":{},\"l\":[1,{\"k\":null}]}");
  CHECK(text_at(object_of(value), "a") == "x\\x1b[2Jy");
  CHECK(number_at(object_of(value), "n") == 1.5);
  CHECK_FALSE(number_at(object_of(value), "a"));
  CHECK(pretty(boost::json::parse("{\"a\":[1,{}]}")) == "{\n  \"a\": [\n    1,\n    {}\n  ]\n}\n");
}
