#include "controlplane/plan/checks.h"

#include <functional>
#include <set>

#include <doctest/doctest.h>

#include "protocol/actions/catalogue.h"

namespace observeai::controlplane::plan {
namespace {

using model::Verdict;

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::int64_t kMinute = 60'000;

HostFacts good_host(const char* id) {
  HostFacts host;
  host.agent = *AgentId::parse(id);
  host.hostname = id;
  host.seen_ago_ms = 1'000;
  host.executor = "ready";
  host.is_simulated = true;
  host.target = "container/web";
  host.changes = 1;
  host.has_state = true;
  host.facts = {{facts::kReplicas, "3"}, {facts::kHasVolumes, "false"}};
  host.neighbours = std::vector{HostFacts::Neighbour{"shop-db-1", ""}};
  host.project = "shop";
  host.restarts_30min = 0;
  return host;
}

PlanFacts good(const char* action = "docker.restart") {
  PlanFacts facts;
  facts.now_ms = kNow;
  facts.manifest = actions::find(action);
  facts.plan.action = action;
  facts.plan.action_version = facts.manifest->version;
  facts.plan.manifest = actions::manifest_hash(*facts.manifest);
  facts.plan.tier = facts.manifest->tier;
  facts.plan.parameters = {{"container", std::string("web")}};
  facts.hosts = {good_host("web-1")};
  return facts;
}

Verdict verdict(const PlanFacts& facts, const std::string& name) {
  for (const auto& one : run_checks(facts)) {
    if (one.name == name) return one.verdict;
  }
  FAIL("no check " << name);
  return Verdict::kPass;
}

Verdict changed(const std::string& name, const std::function<void(PlanFacts&)>& change,
                const char* action = "docker.restart") {
  auto facts = good(action);
  change(facts);
  return verdict(facts, name);
}

TEST_CASE("a plain restart on a healthy host passes everything") {
  const auto findings = run_checks(good());
  CHECK(why_not(findings) == "");
  CHECK(may_go_on(findings));
  std::set<std::string> names;
  for (const auto& one : findings) {
    CHECK(names.insert(one.name).second);
    CHECK_FALSE(one.sentence.empty());
  }
  CHECK(findings.size() == safety_checks().size());
}

TEST_CASE("each check fails on what it asks for") {
  CHECK(changed("identity", [](auto& f) { f.hosts[0].is_active = false; }) == Verdict::kFail);
  CHECK(changed("action", [](auto& f) { f.manifest = nullptr; }) == Verdict::kFail);
  CHECK(changed("action", [](auto& f) { f.plan.manifest[0] ^= 1; }) == Verdict::kFail);
  CHECK(changed("action", [](auto& f) { f.plan.parameters["shell"] = std::string("rm"); }) ==
        Verdict::kFail);
  CHECK(changed("target", [](auto& f) { f.hosts[0].is_simulated = false; }) == Verdict::kFail);
  CHECK(changed("target", [](auto& f) { f.hosts[0].refusal = "no_target"; }) == Verdict::kFail);
  CHECK(changed("kill_switch", [](auto& f) { f.hosts[0].executor = "disabled"; }) ==
        Verdict::kFail);
  CHECK(changed("kill_switch", [](auto& f) { f.hosts[0].executor = ""; }) == Verdict::kFail);
  CHECK(changed("policy", [](auto& f) {
          f.hosts[0].policy = wire::Digest{1};
          f.hosts[0].simulated_policy = wire::Digest{2};
        }) == Verdict::kFail);
  CHECK(changed("dependencies", [](auto& f) {
          f.hosts[0].target = "unit/observeai-agent.service";
        }) == Verdict::kFail);
  CHECK(changed("dependencies", [](auto& f) { f.hosts[0].also_called = {"observeai-execu"}; }) ==
        Verdict::kFail);
  CHECK(changed("attempts", [](auto& f) { f.hosts[0].attempts_24h = 3; }) == Verdict::kFail);
  CHECK(changed("rate_limit", [](auto& f) { f.actions_last_hour = 10; }) == Verdict::kFail);
  CHECK(changed("rate_limit", [](auto& f) { f.actions_last_hour = 9; }) == Verdict::kPass);
  CHECK(changed("in_flight", [](auto& f) { f.hosts[0].is_busy = true; }) == Verdict::kFail);
  CHECK(changed("flapping", [](auto& f) { f.hosts[0].restarts_30min = 3; }) == Verdict::kFail);
  CHECK(changed("flapping", [](auto& f) { f.hosts[0].restarts_30min = 2; }) == Verdict::kPass);
  CHECK(changed("duplicate", [](auto& f) { f.same_plans = {"p-9"}; }) == Verdict::kFail);
  CHECK(changed("data_freshness", [](auto& f) { f.hosts[0].seen_ago_ms = 2 * kMinute; }) ==
        Verdict::kFail);
  CHECK(changed("data_freshness", [](auto& f) { f.hosts[0].seen_ago_ms.reset(); }) ==
        Verdict::kFail);
  CHECK(changed("time_budget", [](auto& f) { f.plan.timeout_ms = 300'001; }) == Verdict::kFail);
  CHECK(changed("agent_health", [](auto& f) { f.hosts[0].is_degraded = true; }) == Verdict::kFail);
  CHECK(changed("state_captured", [](auto& f) { f.hosts[0].has_state = false; }) == Verdict::kFail);
}

TEST_CASE("what depends on the target: known and well, in trouble, or said to be unknown") {
  CHECK(changed("dependencies", [](auto&) {}) == Verdict::kPass);
  CHECK(changed("dependencies", [](auto& f) { f.hosts[0].neighbours.reset(); }) == Verdict::kWarn);
  CHECK(changed("dependencies", [](auto& f) { f.hosts[0].neighbours->clear(); }) == Verdict::kWarn);
  const auto trouble = [](PlanFacts& f) { f.hosts[0].neighbours->push_back({"web", "unhealthy"}); };
  CHECK(changed("dependencies", trouble) == Verdict::kWarn);
  const auto store = [&](PlanFacts& f) {
    trouble(f);
    f.hosts[0].facts[facts::kHasVolumes] = "true";
  };
  CHECK(changed("dependencies", store) == Verdict::kFail);
  CHECK(changed("dependencies", [&](auto& f) {
          store(f);
          f.plan.accept_blast_radius = true;
        }) == Verdict::kWarn);
  // On any of the hosts.
  CHECK(changed("dependencies", [&](auto& f) {
          store(f);
          f.hosts.insert(f.hosts.begin(), good_host("web-0"));
        }) == Verdict::kFail);
  CHECK(changed(
            "dependencies", [](auto&) {}, "cache.clear") == Verdict::kWarn);
  CHECK(changed(
            "dependencies", [](auto&) {}, "disk.vacuum_journal") == Verdict::kNotApplicable);
}

TEST_CASE("ObserveAI does not act on itself, its samples it may") {
  const auto target = [](const char* name) {
    return changed("dependencies", [&](auto& f) { f.hosts[0].target = name; });
  };
  CHECK(target("container/observeai-controlplane") == Verdict::kFail);
  CHECK(target("container/site-observeai-agent-1") == Verdict::kFail);
  CHECK(target("unit/observeai-signer.service") == Verdict::kFail);
  CHECK(target("container/observeai-demo-web") == Verdict::kPass);
  CHECK(changed("dependencies", [](auto& f) {
          f.hosts[0].also_called = {"registry.example/observeai-agent:1", "monitoring"};
        }) == Verdict::kFail);
}

TEST_CASE("a loop is not helped by one more turn, whoever turns it") {
  const auto three = [](PlanFacts& f) { f.hosts[0].restarts_30min = 3; };
  for (const char* action : {"docker.restart", "systemd.restart", "process.terminate"})
    CHECK(changed("flapping", three, action) == Verdict::kFail);
  CHECK(changed("flapping", three, "docker.stop") == Verdict::kWarn);
  CHECK(changed(
            "flapping", [](auto& f) { f.hosts[0].restarts_30min.reset(); }, "process.terminate") ==
        Verdict::kWarn);
}

TEST_CASE("the blast radius is told as a share") {
  const auto value = [](const std::function<void(PlanFacts&)>& change) {
    auto facts = good();
    facts.hosts[0].downtime_ms = 1'000;
    facts.hosts[0].facts[facts::kService] = "shop";
    change(facts);
    for (const auto& one : run_checks(facts))
      if (one.name == "blast_radius") return one.value;
    return std::string();
  };
  CHECK(value([](auto&) {}) == "1 of 3 replicas of shop (33 %)");
  CHECK(value([](auto& f) { f.hosts[0].facts[facts::kReplicas] = "1"; }) ==
        "1 of 1 replica of shop (100 %)");
  CHECK(value([](auto& f) { f.hosts[0].facts.erase(facts::kReplicas); }) == "1 workload");
  CHECK(value([](auto& f) { f.hosts[0].downtime_ms = 0; }) == "1 workload, which goes on");
  CHECK(value([](auto& f) { f.hosts.push_back(good_host("b")); }) == "2 hosts");
  CHECK(value([](auto& f) {
          f.hosts[0].target = "unit/db.service";
          f.hosts[0].changes = 3;
        }) == "3 units, restarted along");
}

TEST_CASE("a freeze holds what changes something back, until it ends") {
  const auto frozen = [](PlanFacts& f) { f.freeze = {true, "release", "ann", kNow, kNow + 1}; };
  CHECK(changed("maintenance_freeze", frozen) == Verdict::kFail);
  CHECK(changed("maintenance_freeze", frozen, "collect.diagnostics") == Verdict::kWarn);
  CHECK(changed("maintenance_freeze", [](auto& f) {
          f.freeze = {true, "x", "ann", 1, kNow};
        }) == Verdict::kPass);
}

TEST_CASE("more than one host, or a whole runtime, needs its own tick") {
  const auto two = [](PlanFacts& f) { f.hosts.push_back(good_host("web-2")); };
  CHECK(changed("blast_radius", two) == Verdict::kFail);
  CHECK(changed("blast_radius", [&](auto& f) {
          two(f);
          f.plan.accept_blast_radius = true;
        }) == Verdict::kWarn);
  CHECK(changed("blast_radius", [](auto& f) { f.hosts[0].target = "unit/docker.service"; }) ==
        Verdict::kFail);
}

TEST_CASE("a single replica that goes down needs its own tick") {
  const auto down = [](PlanFacts& f) {
    f.hosts[0].downtime_ms = 4'000;
    f.hosts[0].facts[facts::kReplicas] = "1";
  };
  CHECK(changed("downtime", down) == Verdict::kFail);
  CHECK(changed("downtime", [&](auto& f) {
          down(f);
          f.hosts[0].facts.erase(facts::kReplicas);
        }) == Verdict::kFail);  // Not known is not "several"
  CHECK(changed("downtime", [&](auto& f) {
          down(f);
          f.plan.accept_downtime = true;
        }) == Verdict::kWarn);
  CHECK(changed("downtime", [](auto& f) { f.hosts[0].downtime_ms = 4'000; }) == Verdict::kPass);
}

TEST_CASE("the cool-down doubles with each failure") {
  CHECK(cooldown_ms(0) == 15 * kMinute);
  CHECK(cooldown_ms(2) == 60 * kMinute);
  CHECK(cooldown_ms(60) == 24 * 60 * kMinute);
  CHECK(changed("cool_down", [](auto& f) { f.hosts[0].last_attempt_ago_ms = 14 * kMinute; }) ==
        Verdict::kFail);
  CHECK(changed("cool_down", [](auto& f) { f.hosts[0].last_attempt_ago_ms = 15 * kMinute; }) ==
        Verdict::kPass);
  CHECK(changed("cool_down", [](auto& f) {
          f.hosts[0].last_attempt_ago_ms = 20 * kMinute;
          f.hosts[0].failures_in_a_row = 1;
        }) == Verdict::kFail);
}

TEST_CASE("five failures within five minutes open the breaker for fifteen") {
  const std::vector<std::int64_t> dense{kNow - 1'000, kNow - 2'000, kNow - 3'000, kNow - 4'000,
                                        kNow - 5 * kMinute};
  CHECK(breaker_open_until(dense, kNow) == kNow - 1'000 + 15 * kMinute);
  CHECK(breaker_open_until(dense, kNow + 15 * kMinute) == 0);
  auto sparse = dense;
  sparse.back() = kNow - 5 * kMinute - 1'001;
  CHECK(breaker_open_until(sparse, kNow) == 0);
  CHECK(changed("circuit_breaker", [&](auto& f) { f.failures_ms = dense; }) == Verdict::kFail);
}

TEST_CASE("memory that the host does not have is not given") {
  const auto facts_with = [](const char* free) {
    auto facts = good("docker.update_memory");
    facts.plan.parameters["memory_bytes"] = std::int64_t{1'000'000'000};
    if (free != nullptr) facts.hosts[0].facts[facts::kMemoryFree] = free;
    return verdict(facts, "capacity");
  };
  CHECK(facts_with("2000000000") == Verdict::kPass);
  CHECK(facts_with("500000000") == Verdict::kWarn);
  CHECK(facts_with("99999999") == Verdict::kFail);
  CHECK(facts_with(nullptr) == Verdict::kWarn);
  CHECK(changed("capacity", [](auto&) {}) == Verdict::kNotApplicable);
}

TEST_CASE("volumes, images and open files are asked for where they matter") {
  CHECK(changed("stateful", [](auto& f) { f.hosts[0].facts[facts::kHasVolumes] = "true"; }) ==
        Verdict::kWarn);
  const auto rollback = [](PlanFacts& f) {
    f.plan.parameters["image"] = std::string("web:1");
    f.hosts[0].facts[facts::kImageLocal] = "true";
  };
  CHECK(changed(
            "stateful",
            [&](auto& f) {
              rollback(f);
              f.hosts[0].facts[facts::kHasVolumes] = "true";
            },
            "docker.rollback_image") == Verdict::kFail);
  CHECK(changed("rollback", rollback, "docker.rollback_image") == Verdict::kPass);
  CHECK(changed(
            "rollback",
            [&](auto& f) {
              rollback(f);
              f.hosts[0].facts[facts::kImageLocal] = "false";
            },
            "docker.rollback_image") == Verdict::kFail);
  CHECK(changed(
            "disk_safety", [](auto& f) { f.hosts[0].facts[facts::kOpenFiles] = "2"; },
            "disk.vacuum_files") == Verdict::kWarn);  // Left alone by the host: no reason to stop
  CHECK(changed("disk_safety", [](auto&) {}) == Verdict::kNotApplicable);
}

TEST_CASE("what is for Kubernetes says so") {
  for (const char* name : {"disruption_budget", "gitops", "quorum", "root_cause"})
    CHECK(verdict(good(), name) == Verdict::kNotApplicable);
}

}  // namespace
}  // namespace observeai::controlplane::plan
