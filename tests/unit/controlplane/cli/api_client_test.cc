#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "controlplane/cli/api_client.h"
#include "controlplane/cli/json_view.h"
#include "tests/unit/controlplane/cli/scripted_client.h"

using namespace observeai;
using namespace observeai::controlplane::cli;

namespace {

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

TEST_CASE("a refusal cannot steer the terminal, and names what an ambiguous word may mean") {
  Fixture f;
  f.http->next = http::Response{
      409,
      {},
      "{\"error\":{\"code\":\"invalid\",\"message\":\"\\u001b]0;x\\u0007 names 1 target\","
      "\"hint\":\"mean "
      "\\u009b2J\\nweb?\",\"candidates\":[{\"agent_id\":\"a-1\",\"hostname\":\"\\u001bh\","
      "\"target\":\"container/c\",\"name\":\"n\\u001b\"}]}}"};
  CHECK(f.api.get("/v1/logs").error().message() ==
        "\\x1b]0;x\\x07 names 1 target\n  mean \\xc2\\x9b2J\\x0aweb?\n"
        "  n\\x1b: host \\x1bh (a-1), target container/c");
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
  CHECK(printable_lines("a\x1b[2J\n  b\x7f") == "a\\x1b[2J\n  b\\x7f");
  // As JSON the text stays what it is.
  const auto controls = boost::json::parse("{\"\\u009bk\":[\"\\u001b\\u007f\\u0085\\u00a0\"]}");
  CHECK(compact(controls) == "{\"\\u009bk\":[\"\\u001b\\u007f\\u0085\xC2\xA0\"]}");
  CHECK(boost::json::parse(compact(controls)) == controls);
  CHECK(boost::json::parse(pretty(controls)) == controls);
  CHECK(pretty(controls).find('\xC2') == pretty(controls).find("\xC2\xA0"));
  CHECK(pretty(boost::json::parse("{\"a\":[1,{}]}")) == "{\n  \"a\": [\n    1,\n    {}\n  ]\n}\n");
}
