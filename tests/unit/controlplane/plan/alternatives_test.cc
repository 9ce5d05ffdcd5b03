#include "controlplane/plan/alternatives.h"

#include <doctest/doctest.h>

#include "protocol/actions/catalogue.h"

namespace observeai::controlplane::plan {
namespace {

model::PlanRecord plan_of(const actions::Manifest& manifest) {
  model::PlanRecord plan;
  plan.action = manifest.name;
  plan.tier = manifest.tier;
  return plan;
}

TEST_CASE("what is named instead is in the catalogue, another action, and of no higher tier") {
  for (const auto& manifest : actions::catalogue()) {
    CAPTURE(manifest.name);
    const auto passed = alternatives(plan_of(manifest), {}, {});
    CHECK(passed.empty() == (manifest.tier == 0));
    for (const auto& one : passed) {
      const auto* other = actions::find(one.action);
      REQUIRE(other != nullptr);
      CHECK(other->tier <= manifest.tier);
      CHECK(one.action != manifest.name);
      CHECK_FALSE(one.why_not.empty());
    }
  }
}

TEST_CASE("every action that can be undone says how, and no other does") {
  for (const auto& manifest : actions::catalogue()) {
    CAPTURE(manifest.name);
    CHECK(undo_of(std::string(manifest.name)).empty() == !manifest.undo);
  }
}

TEST_CASE("what was tried on this target is said, with how often it worked") {
  model::PlanTargetRecord target;
  target.agent = *AgentId::parse("web-1");
  target.target = "container/web";
  const auto attempt = [&](const char* action, model::TargetState state, const char* on) {
    model::Attempt out;
    out.action = action;
    out.agent = target.agent;
    out.target = on;
    out.state = state;
    return out;
  };
  using T = model::TargetState;
  const auto passed = alternatives(plan_of(*actions::find("docker.rollback_image")), {target},
                                   {attempt("docker.restart", T::kSucceeded, "container/web"),
                                    attempt("docker.restart", T::kFailed, "container/web"),
                                    attempt("docker.restart", T::kRefused, "container/web"),
                                    attempt("docker.restart", T::kFailed, "container/other")});
  CHECK(passed.at(0).why_not ==
        "starts the same image again; tried here in the last day: 1 of 2 worked");
  CHECK(passed.at(1).why_not == "the same image, with more memory");
}

}  // namespace
}  // namespace observeai::controlplane::plan
