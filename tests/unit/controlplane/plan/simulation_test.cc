#include "controlplane/plan/simulation.h"

#include <doctest/doctest.h>

#include "protocol/actions/catalogue.h"
#include "protocol/wire/command_codec.h"

namespace observeai::controlplane::plan {
namespace {

model::PlanRecord plan_of() {
  model::PlanRecord plan;
  plan.id = *wire::PlanId::parse("p-1");
  plan.tenant = *TenantId::parse("default");
  plan.action = "docker.restart";
  const auto* manifest = actions::find(plan.action);
  plan.action_version = manifest->version;
  plan.manifest = actions::manifest_hash(*manifest);
  plan.tier = 1;
  plan.parameters = {{"container", std::string("web")}};
  plan.requester = "carol";
  return plan;
}

wire::CommandResult dry_run() {
  wire::CommandResult result;
  result.outcome = wire::ResultOutcome::kDryRun;
  result.state_before.fill(3);
  result.diff = {{"container/web: started", "12:00", "now"}};
  return result;
}

TEST_CASE("an intent carries what the dry run saw, to the last parameter") {
  const auto intent = intent_after(plan_of(), *AgentId::parse("web-1"), dry_run());
  REQUIRE(intent);
  CHECK(intent->state == dry_run().state_before);
  CHECK(intent->diff == wire::diff_digest(dry_run().diff));
  CHECK(intent->parameters == plan_of().parameters);
  CHECK(intent->requester == "carol");
  auto refused = dry_run();
  refused.outcome = wire::ResultOutcome::kRefused;
  CHECK_FALSE(intent_after(plan_of(), *AgentId::parse("web-1"), refused));
}

TEST_CASE("whatever is changed in a batch changes its root") {
  const auto a = *intent_after(plan_of(), *AgentId::parse("web-1"), dry_run());
  const auto b = *intent_after(plan_of(), *AgentId::parse("web-2"), dry_run());
  const auto batch = make_batch({a, b});
  REQUIRE(batch);
  CHECK(batch->tree.size() == 2);
  auto changed = b;
  changed.parameters["container"] = std::string("db");
  CHECK(make_batch({a, changed})->tree.root() != batch->tree.root());
  CHECK(make_batch({a})->tree.root() != batch->tree.root());
  CHECK(make_batch({b, a})->tree.root() != batch->tree.root());
  CHECK(batch_of(batch->intents)->tree.root() == batch->tree.root());
  CHECK(signing::verify_merkle_path(batch->intents[1], 1, 2, batch->tree.path(1),
                                    batch->tree.root()));
  CHECK_FALSE(make_batch({}));
}

}  // namespace
}  // namespace observeai::controlplane::plan
