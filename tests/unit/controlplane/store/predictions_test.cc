// Predictions, samples, incidents and what the forecasters have learned.
#include "controlplane/audit/kinds.h"
#include "tests/unit/controlplane/store/store_fixture.h"

namespace observeai::controlplane::store_test {
namespace {

using model::PredictionState;

const TenantId kHome = TenantId::parse("default").value();

model::PredictionRecord opened(std::int64_t at_ms, const std::string& mount = "/") {
  model::PredictionRecord made;
  made.tenant = kHome;
  made.resource = {agent_id("web-01"), "disk", "host", mount};
  made.name = "/";
  made.unit = "bytes";
  made.clock = "slow";
  made.horizon_ms = 1'800'000;
  made.opened_ms = made.updated_ms = at_ms;
  made.first = {at_ms, 0.8, at_ms + 1, at_ms + 2, at_ms + 3, "linear", 4.5, 90, 100};
  made.newest = made.first;
  made.suggestions = {{"disk.vacuum_journal", {{"keep_bytes", "1000"}}, "the journal is there"}};
  return made;
}
model::IncidentRecord incident_of(const model::PredictionRecord& made) {
  model::IncidentRecord out;
  out.tenant = made.tenant;
  out.kind = "prediction";
  out.agent = made.resource.agent;
  out.target = made.resource.target;
  out.title = "the disk fills";
  out.opened_ms = made.opened_ms;
  out.suggestions = made.suggestions;
  return out;
}
model::PredictionRecord miss(std::int64_t at_ms, const std::string& mount = "/") {
  auto made = opened(at_ms, mount);
  made.state = PredictionState::kMiss;
  made.closed_ms = made.event_ms = at_ms;
  return made;
}
model::PredictionRecord apply_one(StoreFixture& f, model::PredictionStep step) {
  auto applied = f.store->predictions().apply({{std::move(step)}, std::nullopt});
  if (!applied) FAIL(applied.error().message());
  return applied->at(0);
}

TEST_CASE("a prediction is read as it was written, open, updated and closed") {
  StoreFixture f;
  const auto wanted = opened(1'000);
  auto stored = apply_one(f, {wanted, incident_of(wanted), {{900, 80, 100}, {1'000, 90, 100}}});
  REQUIRE(stored.no > 0);
  REQUIRE(stored.incident > 0);
  auto compared = stored;
  compared.no = 0;
  compared.incident = 0;
  CHECK(compared == wanted);

  stored.newest.used = 95;
  stored.before_action = stored.newest;
  stored.acted = "plan p-1";
  apply_one(f, {stored, std::nullopt, {{1'100, 95, 100}}});
  f.reopen();
  CHECK(f.store->predictions().open().value() == std::vector{stored});
  CHECK(f.store->predictions().samples(stored.no).value() ==
        std::vector<model::PredictionSample>{{900, 80, 100}, {1'000, 90, 100}, {1'100, 95, 100}});

  stored.state = PredictionState::kHit;
  stored.closed_ms = stored.event_ms = 2'000;
  apply_one(f, {stored, std::nullopt, {}});
  CHECK(f.store->predictions().open().value().empty());
  CHECK(f.store->predictions().find(stored.no).value() == stored);
  CHECK(model::lead_ms(*f.store->predictions().find(stored.no).value()) == 1'000);
  const auto incident = f.store->predictions().find_incident(stored.incident).value();
  REQUIRE(incident);
  CHECK(incident->closed_ms == 2'000);
  CHECK(incident->outcome == "hit");
  CHECK(incident->prediction == stored.no);
  CHECK(incident->suggestions == wanted.suggestions);
}

TEST_CASE("an event that is seen twice closes one prediction of a resource") {
  StoreFixture f;
  CHECK(apply_one(f, {miss(5), std::nullopt, {{5, 1, 1}}}).no > 0);
  CHECK(apply_one(f, {miss(5), std::nullopt, {{5, 1, 1}}}).no == 0);
  CHECK(apply_one(f, {miss(5, "/data"), std::nullopt, {}}).no > 0);
  CHECK(apply_one(f, {miss(6), std::nullopt, {}}).no > 0);
  CHECK(f.store->predictions().list({kHome, {}, "", {}}).value().size() == 3);
}

TEST_CASE("a change is stored whole or not at all") {
  StoreFixture f;
  model::PredictionChange change;
  change.steps.push_back({opened(1), std::nullopt, {}});
  auto broken = opened(2);
  broken.no = 4;  // There is none: its samples belong to nothing
  change.steps.push_back({broken, std::nullopt, {{1, 1, 1}}});
  change.seen_event = 7;
  CHECK_FALSE(f.store->predictions().apply(change));
  CHECK(f.store->predictions().open().value().empty());
  CHECK_FALSE(f.store->predictions().seen_event().value());
  change.steps.pop_back();
  CHECK(f.store->predictions().apply(change));
  CHECK(f.store->predictions().seen_event().value() == 7U);
}

TEST_CASE("lists are of one tenant, newest first, and of what was asked for") {
  StoreFixture f;
  apply_one(f, {opened(1), std::nullopt, {}});
  apply_one(f, {miss(3), std::nullopt, {}});
  auto foreign = opened(2);
  foreign.tenant = TenantId::parse("other").value();
  apply_one(f, {foreign, incident_of(foreign), {}});
  auto& repository = f.store->predictions();
  const auto all = repository.list({kHome, {}, "", {}}).value();
  REQUIRE(all.size() == 2);
  CHECK(all[0].opened_ms == 3);
  CHECK(repository.list({kHome, {}, "", {PredictionState::kMiss}}).value().size() == 1);
  CHECK(repository.list({kHome, {}, "", {PredictionState::kHit}}).value().empty());
  CHECK(repository.list({kHome, agent_id("web-02"), "", {}}).value().empty());
  CHECK(repository.list({kHome, {}, "inodes", {}}).value().empty());
  CHECK(repository.list({kHome, {}, "disk", {}, 1}).value().size() == 1);
  CHECK(repository.incidents(kHome, 10).value().empty());
  CHECK(repository.incidents(foreign.tenant, 10).value().size() == 1);
  CHECK(repository.open().value().size() == 2);
}

TEST_CASE("samples of a prediction that stays open are thinned, over its whole life") {
  StoreFixture f;
  std::vector<model::PredictionSample> samples;
  constexpr auto kMost = static_cast<std::int64_t>(model::kMaxSamplesOfPrediction);
  for (std::int64_t i = 0; i < kMost; ++i) samples.push_back({i, 1, 2});
  auto made = apply_one(f, {opened(1), std::nullopt, samples});
  CHECK(f.store->predictions().samples(made.no).value().size() == model::kMaxSamplesOfPrediction);
  apply_one(f, {made, std::nullopt, {{kMost, 3, 4}}});
  const auto left = f.store->predictions().samples(made.no).value();
  CHECK(left.size() == model::kMaxSamplesOfPrediction / 2 + 1);
  CHECK(left.front().ts_ms == 0);
  CHECK(left.back().ts_ms == kMost);
}

TEST_CASE("closed predictions go by age and by number; open ones stay") {
  StoreFixture f;
  const auto now = f.clock.unix_ms();
  const auto old = miss(now - model::kKeepPredictionsMs - 1);
  apply_one(f, {old, incident_of(old), {{1, 1, 1}}});
  apply_one(f, {opened(1), std::nullopt, {}});
  apply_one(f, {miss(now), std::nullopt, {}});
  REQUIRE(f.store->maintenance());
  const auto left = f.store->predictions().list({kHome, {}, "", {}}).value();
  REQUIRE(left.size() == 2);
  CHECK(left[1].state == PredictionState::kOpen);
  CHECK(f.store->predictions().incidents(kHome, 10).value().empty());

  model::PredictionChange many;
  for (std::size_t i = 0; i < model::kMaxClosedPredictions; ++i)
    many.steps.push_back({miss(now + 1 + static_cast<std::int64_t>(i)), std::nullopt, {}});
  REQUIRE(f.store->predictions().apply(many));
  REQUIRE(f.store->maintenance());
  const auto most =
      f.store->predictions().list({kHome, {}, "", {}, model::kMaxClosedPredictions + 5}).value();
  CHECK(most.size() == model::kMaxClosedPredictions + 1);
  CHECK(most.back().state == PredictionState::kOpen);
  CHECK(most[most.size() - 2].opened_ms == now + 1);
}

TEST_CASE("what forecasters learned is kept within its limit, until it is forgotten") {
  StoreFixture f;
  auto& repository = f.store->predictions();
  const model::ResourceName disk{agent_id("web-01"), "disk", "host", "/"};
  const std::string bytes(model::kMaxOutlookStateBytes, '\0');
  REQUIRE(repository.save({{disk, 1, "a"}}, {{disk.agent, "disk", "sums"}}));
  REQUIRE(repository.save({{disk, 2, bytes}}, {}));
  CHECK(repository.save({{disk, 3, bytes + "x"}}, {}).error().code() == Errc::kLimit);
  f.reopen();
  const auto kept = f.store->predictions().followed().value();
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].resource == disk);
  CHECK(kept[0].saved_ms == 2);
  CHECK(kept[0].bytes == bytes);
  CHECK(f.store->predictions().calibration({}).value().size() == 1);
  CHECK(f.store->predictions().calibration(kHome).value().empty());  // No such agent there
  REQUIRE(f.store->predictions().forget({disk}));
  CHECK(f.store->predictions().followed().value().empty());
}

TEST_CASE("predictions are wanted until a person says otherwise, and that is in the log") {
  StoreFixture f;
  CHECK(f.store->predictions().prediction_switch(kHome).value().enabled);
  REQUIRE(f.store->predictions().set_prediction_switch(
      kHome, {false, "alice", 5},
      audit::entry_of(audit::kinds::kPredictDisable, 5, "user:alice", "predict", {})));
  const auto now = f.store->predictions().prediction_switch(kHome).value();
  CHECK_FALSE(now.enabled);
  CHECK(now.by == "alice");
  CHECK(f.store->audit().list(0, 10).value().size() == 1);
}

}  // namespace
}  // namespace observeai::controlplane::store_test
