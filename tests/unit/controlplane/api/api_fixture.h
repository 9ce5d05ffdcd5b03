// A small installation in memory behind the interface: two hosts of the tenant "default" (web1
// online, db1 offline), one that waits for approval, and a host of another tenant.
#pragma once

#include <map>
#include <string>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "controlplane/api/api.h"
#include "controlplane/auth/roles.h"
#include "controlplane/signer/root_chain.h"
#include "protocol/base/text.h"
#include "tests/support/fake_plan_desk.h"
#include "tests/support/fake_prediction_desk.h"
#include "tests/support/memory_access.h"
#include "tests/support/memory_repositories.h"
#include "tests/support/memory_telemetry.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/controlplane/signer/trust_fixture.h"

namespace observeai::controlplane::api {

inline AgentId agent_id(const std::string& text) {
  return AgentId::parse(text).value();
}
inline std::string container_id(char digit) {
  return std::string(64, digit);
}

class Fixture {
 public:
  explicit Fixture(const Clock* real_clock = nullptr)
      : clock(real_clock == nullptr ? manual : *real_clock),
        now_ms(clock.unix_ms()),
        live(repositories.agents, telemetry, clock),
        access(access_repository, repositories.audit, clock),
        api(dependencies()) {
    telemetry.on_committed([this](const model::Committed& committed) { live.publish(committed); });
    add_agents();
    add_inventories();
    add_series();
    add_rows();
    for (const auto role : {model::Role::kViewer, model::Role::kOperator, model::Role::kAdmin}) {
      const std::string name(to_string(role));
      keys[name] = access.create_key("system", name, home, role, 0).value().text;
    }
    keys["stranger"] =
        access.create_key("system", "stranger", away, model::Role::kAdmin, 0).value().text;
  }

  Request request(const std::string& method, const std::string& target,
                  const std::string& who = "admin", const std::string& body = "") const {
    Request out;
    out.method = method;
    out.target = target;
    out.body = body;
    out.remote_ip = "10.0.0.1";
    if (!who.empty()) out.authorization = "Bearer " + (keys.contains(who) ? keys.at(who) : who);
    return out;
  }
  Reply send(const std::string& method, const std::string& target, const std::string& who = "admin",
             const std::string& body = "") {
    return api.handle(request(method, target, who, body));
  }
  boost::json::object get(const std::string& target, const std::string& who = "admin") {
    const Reply reply = send("GET", target, who);
    INFO(target << " -> " << reply.body);
    REQUIRE(reply.status == 200);
    return boost::json::parse(reply.body).as_object();
  }
  // The error object of a refused request.
  boost::json::object refused(int status, const std::string& method, const std::string& target,
                              const std::string& who = "admin", const std::string& body = "") {
    const Reply reply = send(method, target, who, body);
    INFO(method << " " << target << " -> " << reply.status << " " << reply.body);
    REQUIRE(reply.status == status);
    return boost::json::parse(reply.body).as_object().at("error").as_object();
  }

  // A successor of the root in force, as a body carries it.
  std::string next_root() {
    const auto envelope = acme.signed_root(acme.root(roots->newest().version + 1));
    return text::to_base64url(text::as_bytes(envelope));
  }

  ManualClock manual;
  const Clock& clock;
  const std::int64_t now_ms;
  const TenantId home = TenantId::parse("default").value();
  const TenantId away = TenantId::parse("other").value();
  const AgentId web1 = agent_id("web1-aaaaaaaa");
  const AgentId db1 = agent_id("db1-bbbbbbbb");
  const AgentId new1 = agent_id("new1-cccccccc");
  const AgentId stranger = agent_id("web1-dddddddd");
  test::MemoryRepositories repositories;
  test::TempDir folder;
  test::Organisation acme;
  std::unique_ptr<RootChain> roots =
      RootChain::begin(folder / "keys", acme.signed_root(acme.root())).value();
  test::FakePlanDesk plans;
  test::FakePredictionDesk predictions;
  test::MemoryAccessRepository access_repository;
  test::MemoryTelemetry telemetry;
  LiveHub live;
  AccessService access;
  Api api;
  std::map<std::string, std::string> keys;

 private:
  Dependencies dependencies() {
    Actions actions;
    actions.create_token = [this](const NewToken& token, const TenantId& tenant,
                                  const std::string& actor) {
      return create_token(token, tenant, actor);
    };
    actions.revoke_agent = [this](const AgentId& id, const std::string& reason,
                                  const std::string&) {
      return repositories.agents.revoke(id, reason, now_ms);
    };
    actions.approve_agent = [this](const AgentId& id, const std::string&) {
      return repositories.agents.confirm(id);
    };
    actions.enroll = [](std::string_view body, const std::string& ip) {
      return HttpReply{202,
                       "{\"got\":" + std::to_string(body.size()) + ",\"from\":\"" + ip + "\"}"};
    };
    actions.confirm = [](std::string_view, const std::string&) {
      return HttpReply{200, "{\"active\":true}"};
    };
    actions.renew = [](std::string_view, const std::string&) {
      return HttpReply{200, "{\"renewed\":true}"};
    };
    actions.roots = [this] { return roots->envelopes_after(0); };
    actions.publish_roots = [this](const std::vector<std::string>& envelopes,
                                   const std::string&) -> Result<void> {
      const auto taken = roots->take(envelopes);
      return taken ? Result<void>() : Error(Errc::kDenied, taken.error().message());
    };
    actions.status = [this] {
      SystemStatus status;
      status.started_ms = now_ms - 1000;
      status.ingest.samples_per_s = 12.5;
      status.ingest.batches_total = 7;
      status.broker.state = "connected";
      status.store.telemetry_bytes = 4096;
      return status;
    };
    return {clock,
            repositories.agents,
            repositories.tokens,
            repositories.audit,
            repositories.audit_heads,
            repositories.alerts,
            telemetry,
            access,
            live,
            std::move(actions),
            home,
            &plans,
            &predictions};
  }

  Result<CreatedToken> create_token(const NewToken& token, const TenantId& tenant,
                                    const std::string& actor) {
    model::TokenRecord record;
    record.id = "made";
    record.tenant = tenant;
    record.labels = token.labels;
    record.cidrs = token.cidrs;
    record.host_pattern = token.host_pattern;
    record.uses_allowed = token.uses;
    record.needs_approval = token.needs_approval;
    record.created_ms = now_ms;
    record.expires_ms = now_ms + token.ttl_ms;
    record.created_by = actor;
    TRY_VOID(repositories.tokens.insert(record));
    return CreatedToken{"oai1.made.secret", record};
  }

  void add_agent(const AgentId& id, const TenantId& tenant, const std::string& hostname,
                 model::AgentState state, std::int64_t seen_ago_ms) {
    model::AgentRecord agent;
    agent.id = id;
    agent.tenant = tenant;
    agent.hostname = hostname;
    agent.state = state;
    agent.token_id = tenant == away                         ? "theirs"
                     : state == model::AgentState::kPending ? "asks"
                                                            : "plain";
    agent.labels = {{"env", "prod"}};
    agent.last_seen_ms = now_ms - seen_ago_ms;
    agent.last_hello.emplace();
    agent.last_hello->agent_version = "0.0.9";
    agent.last_hello->spool_bytes = 123;
    agent.last_hello->counters["restarts"] = 2;
    repositories.agents.put(agent);
  }
  void add_agents() {
    add_agent(web1, home, "web1", model::AgentState::kActive, 1000);
    add_agent(db1, home, "db1", model::AgentState::kActive, kOnlineMs);
    add_agent(new1, home, "new1", model::AgentState::kPending, 1000);
    add_agent(stranger, away, "web1", model::AgentState::kActive, 1000);
    for (const std::string id : {"plain", "asks"}) {
      model::TokenRecord token;
      token.id = id;
      token.tenant = home;
      token.cidrs = {"10.0.0.0/8"};
      token.needs_approval = id == "asks";
      token.expires_ms = now_ms + 1000;
      token.created_by = "user:root";
      ignore(repositories.tokens.insert(token), "a fresh id");
    }
    for (const auto& agent : {web1, stranger, AgentId()}) {
      model::Alert alert;
      alert.kind = "ledger.gap";
      alert.agent = agent;
      alert.message = "2 records are missing";
      ignore(repositories.alerts.raise(alert), "in memory");
    }
  }

  static wire::Container make_container(char digit, const std::string& name,
                                        const std::string& state, const std::string& service) {
    wire::Container c;
    c.id = container_id(digit);
    c.name = name;
    c.image = "image:1";
    c.state = state;
    c.project = service.empty() ? "" : "shop";
    c.service = service.empty() ? "image" : service;
    c.labels = {{"team", "a"}};
    c.ports = {{"tcp", 80, 8080, "0.0.0.0"}};
    return c;
  }
  void add_inventories() {
    model::HostInventory web;
    web.agent = web1;
    web.updated_ms = now_ms - 5000;
    web.host.hostname = "web1";
    web.host.agent_version = "0.1.0";
    web.host.cpus = 2;
    auto frontend = make_container('a', "shop-frontend-1", "running", "frontend");
    frontend.started_ms = now_ms - 60'000;
    frontend.memory_limit_bytes = 1U << 20;
    frontend.cpu_limit_cores = 0.5;
    auto worker = make_container('b', "shop-worker-1", "exited", "worker");
    worker.finished_ms = now_ms - 1000;
    worker.exit_code = 137;
    worker.oom_killed = true;
    auto leftover = make_container('c', "happy_einstein", "exited", "");
    web.containers = {frontend, worker, leftover};
    wire::ProcessGroup nginx;
    nginx.key = "container/aaa/nginx";
    nginx.name = "nginx";
    nginx.container_id = frontend.id;
    nginx.count = 2;
    nginx.pids = {10, 11};
    wire::ProcessGroup sshd;
    sshd.key = "unit/ssh.service/sshd";
    sshd.name = "sshd";
    sshd.unit = "ssh.service";
    sshd.command = "/usr/sbin/sshd -D";
    web.processes = {nginx, sshd};
    web.units = {{"ssh.service", "secure shell", "active", "running", 1, 0},
                 {"backup.service", "backup", "failed", "failed", 0, 3},
                 {"old.service", "old", "inactive", "dead", 0, 0}};
    web.ports = {{"tcp/0.0.0.0/22", "tcp", "0.0.0.0", 22, 1, "sshd", ""},
                 {"tcp/0.0.0.0/80@a", "tcp", "0.0.0.0", 80, 10, "nginx", frontend.id}};
    telemetry.put_inventory(web, home);

    model::HostInventory db;
    db.agent = db1;
    db.host.hostname = "db1";
    db.containers = {make_container('d', "postgres", "running", "db"),
                     make_container('e', "twin", "running", "twin")};
    telemetry.put_inventory(db, home);

    model::HostInventory other;
    other.agent = stranger;
    other.containers = {make_container('f', "secret-app", "running", "secret")};
    telemetry.put_inventory(other, away);
  }

  void add_points(const AgentId& agent, const std::string& target, const std::string& name,
                  wire::Labels labels, double before, double last) {
    model::SeriesPoints series;
    series.info.agent = agent;
    series.info.definition.target = target;
    series.info.definition.name = name;
    series.info.definition.labels = std::move(labels);
    series.info.definition.kind =
        name.ends_with("_total") ? wire::MetricKind::kCounter : wire::MetricKind::kGauge;
    series.info.last_value = last;
    series.info.last_ts_ms = now_ms - 1000;
    series.points = {{now_ms - 11'000, before}, {now_ms - 1000, last}};
    telemetry.put_series(series);
  }
  void add_series() {
    const std::string frontend = "container/" + container_id('a');
    add_points(web1, "host", "node_cpu_seconds_total", {{"cpu", "0"}, {"mode", "user"}}, 100, 105);
    add_points(web1, "host", "node_cpu_seconds_total", {{"cpu", "1"}, {"mode", "system"}}, 100,
               110);
    add_points(web1, "host", "node_cpu_seconds_total", {{"cpu", "1"}, {"mode", "idle"}}, 100, 1000);
    add_points(web1, "host", "node_memory_MemTotal_bytes", {}, 1000, 1000);
    add_points(web1, "host", "node_memory_MemAvailable_bytes", {}, 500, 400);
    add_points(web1, frontend, "container_cpu_usage_seconds_total", {}, 10, 12.5);
    add_points(web1, frontend, "container_memory_working_set_bytes", {}, 1, 2048);
    add_points(web1, "process/unit/ssh.service/sshd", "namedprocess_namegroup_cpu_seconds_total",
               {{"mode", "user"}}, 5, 10);
    add_points(web1, "process/unit/ssh.service/sshd", "namedprocess_namegroup_memory_bytes",
               {{"memtype", "resident"}}, 1, 77);
    add_points(web1, "process/unit/ssh.service/sshd", "namedprocess_namegroup_memory_bytes",
               {{"memtype", "virtual"}}, 1, 9999);
  }

  void add_rows() {
    wire::LogBatch batch;
    for (int i = 0; i < 3; ++i) {
      wire::LogRecord record;
      record.target = "container/" + container_id('a');
      record.ts_ns = (now_ms - 3000 + i) * 1'000'000 + 5;
      record.text = "line " + std::to_string(i);
      record.stream = i == 1 ? wire::LogStream::kStderr : wire::LogStream::kStdout;
      batch.records.push_back(record);
    }
    batch.records[2].text = "bad \xFF byte \"quoted\"";
    batch.records[2].flags = wire::log_flags::kTruncated | wire::log_flags::kRedacted;
    batch.records[2].original_bytes = 5000;
    telemetry.commit_logs(web1, batch);
    wire::LogBatch secret;
    secret.records.push_back(
        {"host", wire::LogStream::kOther, (now_ms - 1000) * 1'000'000, "not yours", 0, 0});
    telemetry.commit_logs(stranger, secret);

    wire::Event event;
    event.ts_ms = now_ms - 2000;
    event.kind = "container.exit";
    event.target = "container/" + container_id('b');
    event.severity = wire::Severity::kError;
    event.message = "exit code 137";
    event.attributes = {{"exit_code", "137"}};
    telemetry.commit_events(web1, {event});
    event.message = "not yours";
    event.attributes.clear();
    telemetry.commit_events(stranger, {event});

    for (const auto& agent : {web1, stranger}) {
      model::LedgerRow row;
      row.agent = agent;
      row.entry.source = "log/container/" + container_id('a');
      row.entry.records_read = 10;
      row.entry.records_spooled = 8;
      row.entry.records_dropped["too_long"] = 2;
      row.records_expired = 1;
      row.records_lost["evicted"] = 4;
      row.bytes_lost["evicted"] = 400;
      row.entry.bytes_dropped["too_long"] = 200;
      row.records_stored = 8;
      row.verdict = model::LedgerVerdict::kBalanced;
      telemetry.put_ledger(row);
    }
  }
};

// The row of a list that has this value.
inline const boost::json::object& find(const boost::json::object& reply, const std::string& list,
                                       const std::string& key, const std::string& value) {
  for (const auto& element : reply.at(list).as_array()) {
    if (element.as_object().at(key).as_string() == value) return element.as_object();
  }
  FAIL("no " << key << " " << value << " in " << boost::json::serialize(reply));
  return reply;
}

}  // namespace observeai::controlplane::api
