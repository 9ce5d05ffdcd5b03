// Plans over the interface: who may ask for what, and what comes back.
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

TEST_CASE("a plan is made for hosts that have a name, with texts for parameters") {
  Fixture f;
  const auto reply = f.send("POST", "/v1/plans", "operator",
                            R"({"action":"docker.restart","hosts":["web1"],)"
                            R"("parameters":{"container":"web"},"accept_downtime":true})");
  CHECK(reply.status == 201);
  CHECK(f.plans.asked == std::vector<std::string>{"create docker.restart by operator"});
  CHECK(f.plans.newest.agents == std::vector<AgentId>{f.web1});
  CHECK(f.plans.newest.parameters.at("container") == "web");
  CHECK(f.plans.newest.accept_downtime);
}

TEST_CASE("a viewer looks and does not touch") {
  Fixture f;
  CHECK(f.send("GET", "/v1/plans/p-1", "viewer").status == 200);
  for (const char* path : {"/v1/plans", "/v1/plans/p-1/simulate", "/v1/plans/p-1/approvals",
                           "/v1/plans/p-1/reject", "/v1/plans/p-1/cancel", "/v1/maintenance"}) {
    CAPTURE(path);
    CHECK(f.send("POST", path, "viewer", "{}").status == 403);
  }
  CHECK(f.plans.asked == std::vector<std::string>{"show"});
}

TEST_CASE("another tenant finds no plan and no host of this one") {
  Fixture f;
  CHECK(f.refused(404, "GET", "/v1/plans/p-1", "stranger").at("code").as_string() == "not_found");
  CHECK(f.get("/v1/plans", "stranger").at("plans").as_array().empty());
  CHECK(f.get("/v1/commands", "stranger").at("commands").as_array().empty());
  f.refused(404, "POST", "/v1/plans", "stranger",
            R"({"action":"docker.restart","hosts":["db1-bbbbbbbb"]})");
}

TEST_CASE("an approval is handed on byte by byte") {
  Fixture f;
  const auto reply = f.send("POST", "/v1/plans/p-1/approvals", "operator",
                            "{\"envelope\":\"" + text::to_base64url(text::as_bytes("abc")) + "\"}");
  CHECK(reply.status == 200);
  CHECK(f.plans.asked == std::vector<std::string>{"approve abc"});
  f.refused(400, "POST", "/v1/plans/p-1/approvals", "operator", R"({"envelope":"***"})");
}

TEST_CASE("what does not go in a plan's state is a conflict, not a matter of roles") {
  Fixture f;
  f.plans.refusal = Error(Errc::kDenied, "plan p-1 is executing: it is too late");
  const auto error =
      f.refused(409, "POST", "/v1/plans/p-1/reject", "operator", R"({"reason":"x"})");
  CHECK(error.at("message").as_string().find("executing") != std::string::npos);
}

TEST_CASE("a result that is not proven is not shown as the host's word") {
  Fixture f;
  const auto command = f.get("/v1/commands/" + std::string(32, '0'));
  const auto& result = command.at("results").as_array().at(0).as_object();
  CHECK(result.at("valid").is_null());
  CHECK(result.at("result").is_null());
}

TEST_CASE("a freeze is set with a reason, and cleared") {
  Fixture f;
  f.refused(400, "POST", "/v1/maintenance", "operator", "{}");
  CHECK(f.send("POST", "/v1/maintenance", "operator", R"({"reason":"release"})").status == 200);
  CHECK(f.get("/v1/maintenance").at("by").as_string() == "operator");
  CHECK(
      f.send("POST", "/v1/maintenance", "operator", R"({"active":false,"reason":"done"})").status ==
      200);
  CHECK_FALSE(f.get("/v1/maintenance").at("active").as_bool());
  CHECK(f.send("POST", "/v1/maintenance", "operator", R"({"reason":"again"})").status == 200);
  CHECK(f.send("POST", "/v1/maintenance", "operator", R"({"active":false})").status == 200);
  CHECK_FALSE(f.get("/v1/maintenance").at("active").as_bool());
  // By a console whose clock is behind it would be over before it begins.
  f.refused(400, "POST", "/v1/maintenance", "operator", R"({"reason":"late","until_ms":1})");
}

}  // namespace
}  // namespace observeai::controlplane::api
