// Every endpoint x every kind of caller.
#include <algorithm>

#include "controlplane/api/route_table.h"
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

std::string concrete(const Route& route) {
  std::string path(route.pattern);
  if (const auto open = path.find('{'); open != std::string::npos) {
    path.replace(open, path.find('}') - open + 1, "nobody");
  }
  return path;
}

TEST_CASE("endpoints with a role answer 401 without a valid key and 403 below the role") {
  Fixture f;
  f.keys["none"] = "";
  f.keys["garbage"] = "garbage";
  f.keys["wrong secret"] = f.keys["admin"].substr(0, f.keys["admin"].size() - 4) + "AAAA";
  const auto revoked =
      f.access.create_key("system", "gone", f.home, model::Role::kAdmin, 0).value();
  REQUIRE(f.access.revoke_key("system", f.home, revoked.record.id));
  f.keys["revoked"] = revoked.text;
  const auto expired =
      f.access.create_key("system", "late", f.home, model::Role::kAdmin, f.now_ms + 1).value();
  f.manual.advance(std::chrono::milliseconds(1));
  f.keys["expired"] = expired.text;

  int source = 0;  // Each attempt from another address: this is not about the limiter.
  for (const auto& route : routes()) {
    if (!route.needs) continue;
    for (const auto& entry : f.keys) {
      const std::string& who = entry.first;
      INFO(std::string(route.method) << " " << concrete(route) << " as " << who);
      auto request = f.request(std::string(route.method), concrete(route), who);
      if (who == "none") request.authorization.clear();
      request.remote_ip =
          "10.1." + std::to_string(source / 250) + "." + std::to_string(source % 250);
      ++source;
      const int status = f.api.handle(request).status;
      const auto role = who == "stranger" ? std::optional(model::Role::kAdmin) : parse_role(who);
      if (!role)
        CHECK(status == 401);
      else if (!allows(*role, *route.needs))
        CHECK(status == 403);
      else
        CHECK((status != 401 && status != 403));
    }
  }
}

TEST_CASE("endpoints without a role need no key and believe none") {
  Fixture f;
  for (const auto& route : routes()) {
    if (route.needs) continue;
    CAPTURE(std::string(route.pattern));
    CHECK(f.send(std::string(route.method), std::string(route.pattern), "", "{}").status < 403);
  }
}

TEST_CASE("the refusal says what to do and how to authenticate") {
  Fixture f;
  const Reply reply = f.send("GET", "/v1/hosts", "");
  CHECK(reply.status == 401);
  CHECK(std::find(reply.headers.begin(), reply.headers.end(),
                  std::pair<std::string, std::string>("WWW-Authenticate", "Bearer")) !=
        reply.headers.end());
  const auto forbidden = f.refused(403, "GET", "/v1/keys", "viewer");
  CHECK(forbidden.at("code").as_string() == "denied");
  CHECK(forbidden.at("message").as_string() ==
        "this needs the role admin; the key of viewer has viewer");
}

TEST_CASE("after too many failures a source is told to wait") {
  Fixture f;
  for (std::uint32_t i = 0; i < AttemptLimiter::kFailuresAllowed; ++i)
    f.refused(401, "GET", "/v1/hosts", "garbage");
  const Reply reply = f.send("GET", "/v1/hosts", "garbage");
  CHECK(reply.status == 429);
  CHECK(f.send("POST", "/v1/login", "", "{\"code\":\"x\"}").status == 429);
}

TEST_CASE("the word Bearer may be written in any case") {
  Fixture f;
  auto request = f.request("GET", "/v1/whoami", "viewer");
  request.authorization.replace(0, 6, "bearer");
  CHECK(f.api.handle(request).status == 200);
  request.authorization.replace(0, 6, "Basic ");
  CHECK(f.api.handle(request).status == 401);
}

TEST_CASE("methods and paths are strict") {
  Fixture f;
  CHECK(f.refused(405, "PUT", "/v1/hosts").at("hint").as_string() == "use GET");
  CHECK(f.refused(405, "PATCH", "/v1/tokens").at("hint").as_string() == "use GET, POST");
  CHECK(f.refused(404, "GET", "/v1/host").at("hint").as_string() == "did you mean /v1/hosts?");
  for (const std::string path : {"/", "/v1", "/v1/hosts/", "/v1/hosts/a/b", "//v1/hosts",
                                 "/V1/hosts", "/v1/hosts%2F", "/v1/../v1/hosts"}) {
    CAPTURE(path);
    f.refused(404, "GET", path);
  }
  f.refused(400, "GET", "/v1/hosts/%zz");
}

// Without hashes and ids: by chance they hold any word of hexadecimal digits.
std::string without_random(const std::string& text) {
  constexpr std::size_t kShortestId = 12;
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_not_of(kDigits, at), text.size());
    if (end - at < kShortestId) out.append(text, at, end - at);
    if (end < text.size()) out.push_back(text[end]);
    at = end + 1;
  }
  return out;
}

TEST_CASE("a tenant sees nothing of another one, on any endpoint") {
  Fixture f;
  // Kinds of text that only the tenant "default" holds.
  const std::vector<std::string> foreign = {"web1-aaaa", "db1", "new1",      "frontend",   "ssh",
                                            "line ",     "137", "\"plain\"", "user:viewer"};
  for (const auto& route : routes()) {
    if (route.method != "GET" || !route.needs) continue;
    if (route.pattern == "/v1/root")
      continue;  // One root for all tenants; random keys hold any word
    for (const std::string name : {"web1-aaaaaaaa", "db1"}) {
      std::string target(route.pattern);
      if (const auto open = target.find('{'); open != std::string::npos)
        target.replace(open, target.size() - open, name);
      const Reply reply = f.send("GET", target, "stranger");
      const std::string text =
          without_random(reply.follower ? reply.follower->take(1U << 20) : reply.body);
      for (const auto& word : foreign) {
        if (reply.status == 404) continue;  // Repeats the name that was asked for
        INFO(target << " shows " << word << ": " << text);
        CHECK(text.find(word) == std::string::npos);
      }
    }
  }
  CHECK(f.get("/v1/logs", "stranger").at("rows").as_array().size() == 1);
  CHECK(f.get("/v1/logs", "viewer").at("rows").as_array().size() == 3);
  CHECK(f.get("/v1/events", "stranger").at("events").as_array().size() == 1);
  CHECK(f.refused(404, "POST", "/v1/agents/web1-aaaaaaaa/revoke", "stranger", "{\"reason\":\"x\"}")
            .at("code")
            .as_string() == "not_found");
  f.refused(404, "DELETE", "/v1/tokens/plain", "stranger");
  f.refused(404, "DELETE", "/v1/keys/" + parse_api_key(f.keys["admin"])->id, "stranger");
  CHECK(f.repositories.agents.find(f.web1).value()->state == model::AgentState::kActive);
}

}  // namespace
}  // namespace observeai::controlplane::api
