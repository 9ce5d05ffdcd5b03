// One host in memory, a real store for predictions, and a clock that the test moves.
#pragma once

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "controlplane/outlook/outlook.h"
#include "controlplane/store/store.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/memory_telemetry.h"
#include "tests/support/temp_dir.h"

namespace observeai::controlplane::outlook_test {

using model::PredictionState;

inline constexpr double kGib = 1024.0 * 1024 * 1024;
inline constexpr std::int64_t kScrapeMs = 10'000;

// Attempts as the test says; nothing else is asked of it.
class ScriptedPlans final : public model::PlanRepository {
 public:
  std::vector<model::Attempt> all;
  Result<void> insert(const model::PlanRecord&, const std::vector<model::PlanTargetRecord>&,
                      const model::AuditEntry&) override {
    return refused();
  }
  Result<model::PlanRecord> apply(const model::PlanChange&) override { return refused(); }
  Result<std::optional<model::PlanRecord>> find(const wire::PlanId&) override { return refused(); }
  Result<std::vector<model::PlanTargetRecord>> targets(const wire::PlanId&) override {
    return refused();
  }
  Result<std::vector<model::ApprovalRecord>> approvals(const wire::PlanId&) override {
    return refused();
  }
  Result<std::vector<model::PlanRecord>> list(const TenantId&, std::int64_t, std::size_t) override {
    return refused();
  }
  Result<std::vector<model::PlanRecord>> unfinished() override { return refused(); }
  Result<model::ActionHistory> history(const TenantId&, const std::string&) override {
    return refused();
  }
  Result<std::vector<model::Attempt>> attempts(const TenantId&, std::int64_t) override {
    return all;
  }
  Result<model::MaintenanceFreeze> freeze(const TenantId&) override { return refused(); }
  Result<void> set_freeze(const TenantId&, const model::MaintenanceFreeze&,
                          const model::AuditEntry&) override {
    return refused();
  }

 private:
  static Error refused() { return Error(Errc::kInternal, "not asked of the outlook"); }
};

struct OutlookFixture {
  test::TempDir dir;
  ManualClock clock;
  outlook::Clocks clocks;
  test::MemoryRepositories repositories;
  test::MemoryTelemetry telemetry;
  ScriptedPlans plans;
  std::unique_ptr<Store> store;
  std::unique_ptr<outlook::Outlook> ahead;
  const TenantId home = TenantId::parse("default").value();
  const AgentId web = AgentId::parse("web-01").value();
  std::string container = "container/" + std::string(64, 'a');
  double limit = kGib;
  std::int64_t started_ms = clock.unix_ms() - 3'600'000;
  std::int64_t host_ahead_ms = 0;  // The host's clock against ours

  OutlookFixture() {
    StoreOptions options;
    options.directory = dir.path();
    auto opened = Store::open(options, clock);
    if (!opened) FAIL(opened.error().message());
    store = std::move(*opened);
    model::AgentRecord agent;
    agent.id = web;
    agent.tenant = home;
    agent.hostname = "web-01";
    agent.state = model::AgentState::kActive;
    repositories.agents.put(agent);
    put_inventory();
    begin();
  }
  void put_inventory() {
    model::HostInventory inventory;
    inventory.agent = web;
    auto& one = inventory.containers.emplace_back();
    one.id = container.substr(10);
    one.name = "shop";
    one.state = "running";
    one.memory_limit_bytes = static_cast<std::uint64_t>(limit);
    telemetry.put_inventory(inventory, home);
  }
  void begin() {
    ahead = std::make_unique<outlook::Outlook>(
        outlook::World{clock, repositories.agents, telemetry, repositories.alerts, plans,
                       store->predictions()},
        clocks);
  }
  // The program ends well and begins again.
  void restart() {
    ahead->save_all();
    ahead.reset();
    begin();
  }

  std::int64_t host_now() const { return clock.unix_ms() + host_ahead_ms; }
  void put(const wire::Target& target, const std::string& name, double value,
           const wire::Labels& labels = {}) {
    wire::SeriesDefinition definition;
    definition.target = target;
    definition.name = name;
    definition.labels = labels;
    telemetry.put_point(web, definition, {host_now(), value});
  }
  void put_memory(double share) {
    put(container, "container_memory_usage_bytes", share * limit);
    put(container, "container_spec_memory_limit_bytes", limit);
    put(container, "container_memory_total_active_file_bytes", 0);
    put(container, "container_memory_total_inactive_file_bytes", 0);
    put(container, "container_start_time_seconds", static_cast<double>(started_ms) / 1'000);
  }
  // Something of the host that always is there.
  void put_host() {
    put("host", "node_memory_MemTotal_bytes", 16 * kGib);
    put("host", "node_memory_MemAvailable_bytes", 12 * kGib);
  }
  void look() {
    ahead->committed(web);
    ahead->look();
  }
  void next_scrape() { clock.advance(std::chrono::milliseconds(kScrapeMs)); }
  // So many minutes of the container's memory, looked at each scrape. `share` of minutes since the beginning;
  // negative: nothing is told of it. Ends early once `until` says so.
  void run(double minutes, const std::function<double(double)>& share,
           const std::function<bool()>& until = nullptr) {
    const int scrapes = static_cast<int>(minutes * 60'000 / kScrapeMs);
    for (int i = 0; i < scrapes; ++i) {
      next_scrape();
      put_host();
      const double now = share(static_cast<double>(i + 1) * kScrapeMs / 60'000.0);
      if (now >= 0) put_memory(now);
      look();
      if (until && until()) return;
    }
  }
  std::vector<model::PredictionRecord> of(const std::string& kind = "container_memory") {
    auto all = store->predictions().list({home, {}, kind, {}}).value();
    return all;
  }
  bool has_open() { return !store->predictions().open().value().empty(); }
  std::function<bool()> is_open() {
    return [this] { return has_open(); };
  }
  std::function<bool()> is_closed() {
    return [this] { return !has_open(); };
  }
  // Warm: an hour of quiet, then a leak until it is foretold. Returns the share that was reached.
  double leak_until_foretold(double per_minute = 0.01) {
    run(60, [](double) { return 0.2; });
    double reached = 0;
    run(
        0.75 / per_minute, [&](double minute) { return reached = 0.2 + per_minute * minute; },
        is_open());
    REQUIRE(has_open());
    return reached;
  }
  void event(const std::string& kind, const wire::Target& target, wire::Labels attributes = {}) {
    wire::Event event;
    event.ts_ms = host_now();
    event.kind = kind;
    event.target = target;
    event.message = kind + " of " + target;
    event.attributes = std::move(attributes);
    telemetry.commit_events(web, {event});
  }
};

}  // namespace observeai::controlplane::outlook_test
