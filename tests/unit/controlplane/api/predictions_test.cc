// Predictions over the interface: who may see and switch what, and what comes back.
#include "controlplane/api/predictions_json.h"
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

TEST_CASE("open predictions are listed unless another state is asked for") {
  Fixture f;
  f.get("/v1/predictions", "viewer");
  f.get("/v1/predictions?state=closed&kind=disk&host=web1", "viewer");
  f.get("/v1/predictions?state=prevented", "viewer");
  REQUIRE(f.predictions.queries.size() == 3);
  using State = model::PredictionState;
  CHECK(f.predictions.queries[0].states == std::vector{State::kOpen});
  CHECK(f.predictions.queries[1].states.size() == 5);
  CHECK(f.predictions.queries[1].kind == "disk");
  CHECK(f.predictions.queries[1].agent == f.web1);
  CHECK(f.predictions.queries[2].states == std::vector{State::kPrevented});
  f.refused(400, "GET", "/v1/predictions?state=nothing");
  f.refused(404, "GET", "/v1/predictions?host=nowhere");
}

TEST_CASE("a prediction tells its record, its samples and the command line that helps") {
  Fixture f;
  const auto reply = f.get("/v1/predictions/pr-1", "viewer");
  const auto& row = reply.at("prediction").as_object();
  CHECK(row.at("lead_ms").as_int64() == 1'000'000);
  CHECK(row.at("error_ms").as_int64() == 30'000);
  CHECK(row.at("hostname").as_string() == "web1");
  CHECK(reply.at("samples").as_array().size() == 2);
  CHECK(row.at("actions").as_array().at(0).as_object().at("command_line").as_string() ==
        "observeai plan create disk.vacuum_files --host web1 --set 'directory=/data/it'\\''s'"
        " --set older_than_h=24 --incident in-1");
}

TEST_CASE("whatever a name holds, it is one word of a command line") {
  CHECK(shell_word("web") == "web");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("$(reboot)") == "'$(reboot)'");
  CHECK(shell_word("';reboot;'") == "''\\'';reboot;'\\'''");
}

TEST_CASE("a viewer looks and does not switch") {
  Fixture f;
  CHECK(f.send("POST", "/v1/predict", "viewer", R"({"enabled":false})").status == 403);
  CHECK(f.predictions.outlook.wanted.enabled);
  CHECK(f.send("POST", "/v1/predict", "operator", R"({"enabled":false})").status == 200);
  CHECK_FALSE(f.predictions.outlook.wanted.enabled);
  CHECK(f.predictions.outlook.wanted.by == "operator");
  f.refused(400, "POST", "/v1/predict", "operator", R"({"enable":false})");
}

TEST_CASE("another tenant finds nothing of this one") {
  Fixture f;
  CHECK(f.refused(404, "GET", "/v1/predictions/pr-1", "stranger").at("code").as_string() ==
        "not_found");
  f.refused(404, "GET", "/v1/incidents/in-1", "stranger");
  CHECK(f.get("/v1/predictions?state=all", "stranger").at("predictions").as_array().empty());
  CHECK(f.get("/v1/incidents", "stranger").at("incidents").as_array().empty());
  CHECK(f.get("/v1/predict", "stranger").at("cold").as_array().empty());
}

}  // namespace
}  // namespace observeai::controlplane::api
