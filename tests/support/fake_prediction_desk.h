// A desk with one prediction in every detail, for tests of what shows them. Remembers what it was asked.
#pragma once

#include <string>
#include <vector>

#include "controlplane/model/prediction_desk.h"

namespace observeai::test {

class FakePredictionDesk final : public model::PredictionDesk {
 public:
  FakePredictionDesk() {
    auto& made = view.prediction;
    made.no = 1;
    made.tenant = home;
    made.resource = {AgentId::parse("web1-aaaaaaaa").value(), "disk", "host", "/data"};
    made.name = "host";
    made.unit = "bytes";
    made.clock = "slow";
    made.horizon_ms = 1'800'000;
    made.state = model::PredictionState::kHit;
    made.opened_ms = 1'000'000;
    made.updated_ms = 1'060'000;
    made.closed_ms = made.event_ms = 2'000'000;
    made.first = {1'000'000, 0.75, 1'500'000, 2'030'000, 2'900'000, "linear", 1e9, 9e9, 1e10};
    made.newest = made.first;
    made.before_action = made.first;
    made.acted = "plan p-1: disk.vacuum_journal";
    made.acted_ms = 1'050'000;
    made.reason = "the limit was reached";
    made.incident = 1;
    made.suggestions = {{"disk.vacuum_files",
                         {{"directory", "/data/it's"}, {"older_than_h", "24"}},
                         "removes rotated files"}};
    view.samples = {{940'000, 8e9, 1e10}, {1'000'000, 9e9, 1e10}};
    incident_record.no = 1;
    incident_record.tenant = home;
    incident_record.kind = "prediction";
    incident_record.agent = made.resource.agent;
    incident_record.target = "host";
    incident_record.title = "/data on web1 fills up";
    incident_record.opened_ms = made.opened_ms;
    incident_record.closed_ms = made.closed_ms;
    incident_record.outcome = "hit";
    incident_record.prediction = 1;
    incident_record.suggestions = made.suggestions;
    outlook.is_running = true;
    outlook.step_ms = 60'000;
    outlook.fast_step_ms = 10'000;
    outlook.followed = {{"disk", 3}};
    outlook.cold = {{made.resource, 4, 240'000}};
    outlook.cold_count = 1;
    outlook.counters = {{"looks", 7}};
  }

  Result<std::vector<model::PredictionRecord>> list(const model::PredictionQuery& query) override {
    queries.push_back(query);
    if (query.tenant != home) return std::vector<model::PredictionRecord>();
    return std::vector{view.prediction};
  }
  Result<model::PredictionView> show(const TenantId& tenant, const std::string& id) override {
    if (tenant != home || id != "pr-1") return Error(Errc::kNotFound, "there is no " + id);
    return view;
  }
  Result<std::vector<model::IncidentRecord>> incidents(const TenantId& tenant) override {
    if (tenant != home) return std::vector<model::IncidentRecord>();
    return std::vector{incident_record};
  }
  Result<model::IncidentRecord> incident(const TenantId& tenant, const std::string& id) override {
    if (tenant != home || id != "in-1") return Error(Errc::kNotFound, "there is no " + id);
    return incident_record;
  }
  Result<model::OutlookView> status(const TenantId& tenant) override {
    return tenant == home ? outlook : model::OutlookView();
  }
  Result<model::OutlookView> set_enabled(const TenantId& tenant, const std::string& person,
                                         bool enabled) override {
    outlook.wanted = {enabled, person, 5};
    return status(tenant);
  }
  Result<std::vector<model::AccuracyView>> accuracy(const TenantId& tenant, const AgentId&,
                                                    const std::string&) override {
    model::AccuracyView all;
    if (tenant != home) return std::vector{all};
    all.hits = 3;
    all.misses = 1;
    all.false_alarms = 1;
    all.precision = all.recall = 0.75;
    all.useful_recall = 0.5;
    all.lead_median_ms = 1'080'000;
    all.lead_p10_ms = 600'000;
    all.error_median_ms = 120'000;
    all.brier = 0.04;
    all.skill = 0.6;
    all.stated = 200;
    all.bins[0] = {190, 1, 0.01};
    all.bins[8] = {10, 8, 0.85};
    auto disk = all;
    disk.kind = "disk";
    return std::vector{all, disk};
  }

  const TenantId home = TenantId::parse("default").value();
  model::PredictionView view;
  model::IncidentRecord incident_record;
  model::OutlookView outlook;
  std::vector<model::PredictionQuery> queries;
};

}  // namespace observeai::test
