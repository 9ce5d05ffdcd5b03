#include "controlplane/plan/way_back.h"

#include <doctest/doctest.h>

#include "protocol/actions/catalogue.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::plan {
namespace {

using T = model::TargetState;
using O = wire::ResultOutcome;

struct Case {
  model::PlanRecord plan;
  model::TargetView target;

  // Done by the host as approved; seen to be wrong later.
  explicit Case(const char* action) {
    const auto* manifest = actions::find(action);
    REQUIRE(manifest != nullptr);
    plan.action = action;
    plan.tier = manifest->tier;
    plan.parameters = {{"container", std::string("web")}};
    target.record.agent = *AgentId::parse("web-1");
    target.record.state = T::kFailed;
    target.dry_run.emplace();
    target.dry_run->outcome = O::kDryRun;
    target.result.emplace();
    target.result->outcome = O::kSucceeded;
    target.result->started_ms = 1;
  }
  std::optional<model::WayBack> way() const { return way_back(plan, target); }
};

TEST_CASE("what a container was before is what the plan that takes it back asks for") {
  Case memory("docker.update_memory");
  memory.plan.parameters["memory_bytes"] = std::int64_t{67'108'864};
  memory.target.dry_run->diff = {{"memory limit of web", "33554432 bytes", "67108864 bytes"},
                                 {"memory and swap limit of web", "1 bytes", "2 bytes"}};
  CHECK(memory.way() == model::WayBack{*AgentId::parse("web-1"),
                                       "docker.update_memory",
                                       {{"container", "web"}, {"memory_bytes", "33554432"}}});

  const std::string id = "sha256:" + std::string(64, 'a');
  Case image("docker.rollback_image");
  image.plan.parameters["image"] = std::string("web:1");
  image.target.dry_run->diff = {{"Config.Image of web", "web:2", "web:1"},
                                {"Image of web", id, "sha256:" + std::string(64, 'b')}};
  CHECK(image.way() == model::WayBack{*AgentId::parse("web-1"),
                                      "docker.rollback_image",
                                      {{"container", "web"}, {"image", id}}});

  CHECK(Case("docker.start").way()->action == "docker.stop");
  CHECK(Case("docker.stop").way()->action == "docker.start");
}

TEST_CASE(
    "every action that a host can undo has a way back, with parameters that its schema takes") {
  for (const auto& manifest : actions::catalogue()) {
    CAPTURE(manifest.name);
    Case one(std::string(manifest.name).c_str());
    one.target.dry_run->diff = {{"memory limit of web", "33554432 bytes", "67108864 bytes"},
                                {"Image of web", "sha256:" + std::string(64, 'a'), "other"}};
    const auto way = one.way();
    REQUIRE(way.has_value() == manifest.undo);
    if (!way) continue;
    const auto* opposite = actions::find(way->action);
    REQUIRE(opposite != nullptr);
    CHECK(opposite->tier <= manifest.tier);
    wire::Parameters parameters;
    for (const auto& [name, text] : way->parameters) {
      for (const auto& spec : opposite->parameters) {
        if (spec.name == name) parameters.emplace(name, *actions::parse_value(spec, text));
      }
    }
    CHECK(parameters.size() == way->parameters.size());
    CHECK(actions::check_parameters(*opposite, parameters));
  }
}

TEST_CASE("nothing is proposed where nothing was done, it is well, or the host puts it right") {
  const auto has_one = [](auto change) {
    Case one("docker.stop");
    change(one.target);
    return one.way().has_value();
  };
  CHECK(has_one([](auto&) {}));
  CHECK(has_one([](auto& t) { t.record.state = T::kInconclusive; }));
  CHECK(has_one([](auto& t) {
    t.result->outcome = O::kFailed;
    t.result->reason = "post_condition";
  }));
  for (const auto state : {T::kSucceeded, T::kRolledBack, T::kRefused, T::kSilent, T::kSkipped})
    CHECK_FALSE(has_one([&](auto& t) { t.record.state = state; }));
  CHECK_FALSE(has_one([](auto& t) { t.result.reset(); }));
  CHECK_FALSE(has_one([](auto& t) { t.result->started_ms = 0; }));
  CHECK_FALSE(has_one([](auto& t) { t.result->outcome = O::kInterrupted; }));
  CHECK_FALSE(has_one([](auto& t) {
    t.result->outcome = O::kFailed;
    t.result->reason = "failed";
  }));
  Case silent("docker.update_memory");
  CHECK_FALSE(silent.way());  // The difference is not known
  silent.target.dry_run->diff = {{"memory limit of web", "0 bytes", "67108864 bytes"}};
  CHECK_FALSE(silent.way());  // No limit cannot be asked for
}

}  // namespace
}  // namespace observeai::controlplane::plan
