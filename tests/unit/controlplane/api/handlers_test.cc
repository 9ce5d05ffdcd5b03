#include "controlplane/api/usage.h"
#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

TEST_CASE("status counts states, and what is not known is null") {
  Fixture f;
  const auto status = f.get("/v1/status");
  CHECK(status.at("hosts") ==
        json::value{{"total", 3}, {"online", 1}, {"offline", 1}, {"pending", 1}, {"revoked", 0}});
  CHECK(status.at("containers") == json::value{{"total", 5}, {"running", 3}});
  CHECK(status.at("ingest").as_object().at("samples_per_s").as_double() == 12.5);
  CHECK(status.at("ingest").as_object().at("bytes_per_s").is_null());
  CHECK(status.at("store").as_object().at("telemetry_bytes").as_int64() == 4096);
  CHECK(status.at("store").as_object().at("disk_free_bytes").is_null());
  CHECK(status.at("alerts").as_object().at("open").as_int64() == 2);
  const auto& ledger = status.at("ledger").as_object();
  CHECK(ledger.at("sources").as_int64() == 1);
  CHECK(ledger.at("records_dropped").as_object().at("too_long").as_int64() == 2);
  CHECK(ledger.at("records_expired").as_int64() == 1);
  CHECK(ledger.at("records_lost").as_object().at("evicted").as_int64() == 4);
}

TEST_CASE("a host is online until its 90 seconds are over") {
  Fixture f;
  auto agent = f.repositories.agents.find(f.web1).value().value();
  agent.last_seen_ms = f.now_ms - kOnlineMs + 1;
  f.repositories.agents.put(agent);
  CHECK(find(f.get("/v1/hosts"), "hosts", "hostname", "web1").at("state").as_string() == "online");
  agent.last_seen_ms = f.now_ms - kOnlineMs;
  f.repositories.agents.put(agent);
  CHECK(find(f.get("/v1/hosts"), "hosts", "hostname", "web1").at("state").as_string() == "offline");
  agent.last_seen_ms = f.now_ms + 365LL * 86'400'000;  // The clock was ahead when it was written
  f.repositories.agents.put(agent);
  CHECK(find(f.get("/v1/hosts"), "hosts", "hostname", "web1").at("state").as_string() == "offline");
}

TEST_CASE("a host shows its use, its failures and its alerts") {
  Fixture f;
  const auto hosts = f.get("/v1/hosts");
  CHECK(hosts.at("hosts").as_array().size() == 3);
  const auto& web = find(hosts, "hosts", "hostname", "web1");
  CHECK(web.at("cpu_cores_used").as_double() ==
        doctest::Approx(1.5));  // (5 + 10) s in 10 s; idle is none
  CHECK(web.at("memory_used_bytes").as_int64() == 600);
  CHECK(web.at("containers_running").as_int64() == 1);
  CHECK(web.at("units_failed").as_int64() == 1);
  CHECK(web.at("alerts_open").as_int64() == 1);
  const auto& db = find(hosts, "hosts", "hostname", "db1");
  CHECK(db.at("cpu_cores_used").is_null());
  CHECK(db.at("memory_used_bytes").is_null());
  const auto detail = f.get("/v1/hosts/new1");
  CHECK(detail.at("host").as_object().at("state").as_string() == "pending");
  CHECK(detail.at("agent").as_object().at("needs_approval").as_bool());
  CHECK(detail.at("facts").as_object().at("counters").as_object().at("restarts").as_int64() == 2);
}

TEST_CASE("containers: running by default, with use and limits or null") {
  Fixture f;
  CHECK(f.get("/v1/containers").at("containers").as_array().size() == 3);
  CHECK(f.get("/v1/containers?all=true").at("containers").as_array().size() == 5);
  const auto of_web = f.get("/v1/containers?host=web1&all=true");
  const auto& frontend = find(of_web, "containers", "name", "shop-frontend-1");
  CHECK(frontend.at("cpu_cores_used").as_double() == doctest::Approx(0.25));
  CHECK(frontend.at("memory_working_set_bytes").as_int64() == 2048);
  CHECK(frontend.at("memory_limit_bytes").as_int64() == 1 << 20);
  CHECK(frontend.at("uptime_ms").as_int64() == 60'000);
  CHECK(frontend.at("exit_code").is_null());
  const auto& worker = find(of_web, "containers", "name", "shop-worker-1");
  CHECK(worker.at("exit_code").as_int64() == 137);
  CHECK(worker.at("uptime_ms").is_null());
  CHECK(worker.at("cpu_cores_used").is_null());
  CHECK(worker.at("memory_limit_bytes").is_null());
  f.refused(404, "GET", "/v1/containers?host=nope");
}

TEST_CASE("use that is older than the window is not the present") {
  Fixture f;
  const std::string target = "container/" + container_id('a');
  const auto measured = [&] { return container_usage(f.telemetry, f.web1, f.manual.unix_ms()); };
  CHECK(usage_of(measured(), target).memory_bytes == 2048);
  CHECK_FALSE(usage_of(measured(), "container/other").memory_bytes);
  f.manual.advance(std::chrono::milliseconds(kUsageWindowMs - 1000));
  CHECK(usage_of(measured(), target).memory_bytes == 2048);
  CHECK_FALSE(usage_of(measured(), target).cpu_cores);  // One of its two samples is the past
  f.manual.advance(std::chrono::milliseconds(1));
  CHECK(measured().empty());
}

TEST_CASE("containers that nobody sees now are unknown, and up until their host was last seen") {
  Fixture f;
  const auto postgres = [&] {
    return find(f.get("/v1/containers?host=db1"), "containers", "name", "postgres");
  };
  auto inventory = f.telemetry.inventory(f.db1).value().value();
  for (auto& container : inventory.containers) {
    container.started_ms = f.now_ms - 600'000;
    container.health = "healthy";
  }
  f.telemetry.put_inventory(inventory, f.home);
  CHECK(postgres().at("state").as_string() == "unknown");  // db1 is offline
  CHECK(postgres().at("health").as_string() == "");
  CHECK(postgres().at("uptime_ms").as_int64() == 600'000 - kOnlineMs);

  auto agent = f.repositories.agents.find(f.db1).value().value();
  agent.last_seen_ms = f.now_ms - 1000;
  f.repositories.agents.put(agent);
  const std::vector<std::pair<std::string, std::string>> engines = {
      {"27.1.0", "running"},     {"starting", "running"}, {"", "running"},
      {"missing", "unknown"},    {"stopped", "unknown"},  {"hanging", "unknown"},
      {"error: odd", "unknown"},
  };
  for (const auto& one : engines) {
    const auto& docker = one.first;
    const auto& state = one.second;
    CAPTURE(docker);
    inventory.host.docker = docker;
    f.telemetry.put_inventory(inventory, f.home);
    const bool known = state == "running";
    CHECK(postgres().at("state").as_string() == state);
    CHECK(postgres().at("uptime_ms").as_int64() == (known ? 600'000 : 599'000));
    const auto services = f.get("/v1/services?host=db1");
    const auto& db = find(services, "services", "name", "db");
    CHECK(db.at("health").as_string() == (known ? "healthy" : "unknown"));
    CHECK(db.at("members").as_array()[0].as_object().at("state").as_string() == state);
  }
}

TEST_CASE("nothing of our own files reaches a caller, whatever the code of the error") {
  Fixture f;
  const std::string path = "/var/lib/observeai/state.db";
  for (const auto code : {Errc::kInvalid, Errc::kDenied, Errc::kNotFound, Errc::kLimit,
                          Errc::kUnavailable, Errc::kTimeout, Errc::kCorrupt, Errc::kInternal}) {
    for (const auto& message : {path + ": number too large to be stored", "cannot open " + path,
                                std::string("data/state.db: busy"), "(" + path + ")"}) {
      f.telemetry.fail_with(Error(code, message));
      const Reply reply = f.send("GET", "/v1/logs?host=web1");
      CAPTURE(reply.body);
      CHECK(reply.status >= 500);
      CHECK(reply.body.find("state.db") == std::string::npos);
      CHECK(reply.body.find("var/lib") == std::string::npos);
    }
  }
  f.telemetry.fail_with(std::nullopt);
  CHECK(f.refused(400, "POST", "/v1/keys", "admin", R"({"user":"a b","role":"viewer"})")
            .at("message")
            .as_string()
            .starts_with("user must be"));
}

TEST_CASE("what is not there is answered with the command that lists what is") {
  Fixture f;
  const auto hint = [&](const char* method, const std::string& path) {
    return std::string(f.refused(404, method, path).at("hint").as_string());
  };
  CHECK(hint("DELETE", "/v1/tokens/nope") == "`observeai token list` lists them");
  CHECK(hint("GET", "/v1/agents/nope") == "`observeai agent list` lists them");
  CHECK(hint("DELETE", "/v1/keys/nope") == "`observeai key list` lists them");
  CHECK(f.refused(404, "GET", "/v1/agents/nope").at("message").as_string() == "no agent \"nope\"");
}

TEST_CASE("processes are limited to their container or unit") {
  Fixture f;
  CHECK(f.get("/v1/processes").at("processes").as_array().size() == 2);
  const auto of_container = f.get("/v1/processes?target=shop-frontend-1");
  REQUIRE(of_container.at("processes").as_array().size() == 1);
  CHECK(find(of_container, "processes", "name", "nginx").at("container_name").as_string() ==
        "shop-frontend-1");
  const auto of_unit = f.get("/v1/processes?target=ssh");
  REQUIRE(of_unit.at("processes").as_array().size() == 1);
  const auto& sshd = find(of_unit, "processes", "name", "sshd");
  CHECK(sshd.at("memory_rss_bytes").as_int64() == 77);
  CHECK(sshd.at("cpu_cores_used").as_double() == doctest::Approx(0.5));
}

TEST_CASE("top sorts by what was asked; unknown values stand last") {
  Fixture f;
  const auto by_cpu = f.get("/v1/top").at("rows").as_array();
  REQUIRE(by_cpu.size() == 4);  // Three containers and sshd; nginx is part of its container
  CHECK(by_cpu[0].as_object().at("name").as_string() == "sshd");
  CHECK(by_cpu[1].as_object().at("name").as_string() == "shop-frontend-1");
  CHECK(by_cpu[3].as_object().at("cpu_cores_used").is_null());
  const auto by_memory = f.get("/v1/top?by=memory&limit=1").at("rows").as_array();
  REQUIRE(by_memory.size() == 1);
  CHECK(by_memory[0].as_object().at("name").as_string() == "shop-frontend-1");
  f.refused(400, "GET", "/v1/top?by=disk");
}

TEST_CASE("logs: filters, ends, names and bytes that are no text") {
  Fixture f;
  const auto all = f.get("/v1/logs?target=shop-frontend-1");
  const auto& rows = all.at("rows").as_array();
  REQUIRE(rows.size() == 3);
  CHECK_FALSE(all.at("truncated").as_bool());
  const auto& last = rows[2].as_object();
  CHECK(last.at("text").as_string() == "bad \xEF\xBF\xBD byte \"quoted\"");
  CHECK(last.at("flags") == json::value{"truncated", "redacted"});
  CHECK(last.at("name").as_string() == "shop-frontend-1");
  CHECK(last.at("ts_ns").as_string() == std::to_string((f.now_ms - 2998) * 1'000'000 + 5));
  CHECK(last.at("ts_ms").as_int64() == f.now_ms - 2998);

  const auto newest = f.get("/v1/logs?limit=2");
  CHECK(newest.at("truncated").as_bool());
  CHECK(newest.at("rows").as_array()[0].as_object().at("text").as_string() == "line 1");
  const auto oldest = f.get("/v1/logs?limit=2&order=oldest");
  CHECK(oldest.at("rows").as_array()[0].as_object().at("text").as_string() == "line 0");
  CHECK(oldest.at("rows").as_array().size() == 2);
  CHECK_FALSE(f.get("/v1/logs?limit=3").at("truncated").as_bool());
  CHECK(f.get("/v1/logs?stream=stderr").at("rows").as_array().size() == 1);
  CHECK(f.get("/v1/logs?grep=line").at("rows").as_array().size() == 2);
  CHECK(f.get("/v1/logs?since=2s").at("rows").as_array().empty());
  CHECK(f.get("/v1/logs?host=db1").at("rows").as_array().empty());
}

TEST_CASE("log replies are bounded in bytes, the asked end is kept") {
  Fixture f;
  wire::LogBatch batch;
  for (int i = 0; i < 30; ++i) {
    batch.records.push_back({"host", wire::LogStream::kStdout, f.now_ms * 1'000'000 + i,
                             std::string(1U << 20, 'a' + i % 26), 0, 0});
  }
  f.telemetry.commit_logs(f.db1, batch);
  const auto newest = f.get("/v1/logs?host=db1");
  CHECK(newest.at("truncated").as_bool());
  const auto& rows = newest.at("rows").as_array();
  CHECK(rows.size() == 23);  // 24 MiB with 256 bytes for each row beside its text
  CHECK(rows.back().as_object().at("text").as_string()[0] == 'a' + 29 % 26);
}

TEST_CASE("metrics need one host and carry their last values and points") {
  Fixture f;
  const auto several = f.refused(409, "GET", "/v1/metrics");
  CHECK(several.at("parameter").as_string() == "host");
  CHECK(several.at("candidates").as_array().size() == 3);
  CHECK(f.get("/v1/metrics?host=web1").at("series").as_array().size() == 5);
  const auto frontend = f.get("/v1/metrics?target=shop-frontend-1");
  CHECK(find(frontend, "series", "name", "container_cpu_usage_seconds_total")
            .at("kind")
            .as_string() == "counter");
  const auto idle =
      f.get("/v1/metrics/query?host=web1&name=node_cpu_seconds_total&label.mode=idle");
  REQUIRE(idle.at("series").as_array().size() == 1);
  const auto& points = idle.at("series").as_array()[0].as_object().at("points").as_array();
  REQUIRE(points.size() == 2);
  CHECK(points[1].as_array()[0].as_int64() == f.now_ms - 1000);
  CHECK(points[1].as_array()[1].as_double() == 1000);
  f.refused(400, "GET", "/v1/metrics/query?host=web1&step=1ms");
}

TEST_CASE("the end of a series is null, not 0") {
  Fixture f;
  model::SeriesPoints series;
  series.info.agent = f.db1;
  series.info.definition.target = "host";
  series.info.definition.name = "gone";
  series.info.last_value = std::nan("");
  series.points = {{f.now_ms - 1000, 1.0}, {f.now_ms, std::nan("")}};
  f.telemetry.put_series(series);
  const auto reply = f.get("/v1/metrics/query?host=db1");
  const auto& one = reply.at("series").as_array()[0].as_object();
  CHECK(one.at("last_value").is_null());
  CHECK(one.at("points").as_array()[1].as_array()[1].is_null());
}

TEST_CASE("rates need two points that grow") {
  CHECK_FALSE(last_rate(std::vector<model::Point>{}));
  CHECK_FALSE(last_rate(std::vector<model::Point>{{1000, 5}}));
  CHECK(*last_rate(std::vector<model::Point>{{0, 1}, {1000, 5}, {3000, 9}}) == 2);
  CHECK(*last_rate(std::vector<model::Point>{{0, 1}, {1000, 1}}) == 0);
  CHECK_FALSE(last_rate(std::vector<model::Point>{{0, 9}, {1000, 5}}));
  CHECK_FALSE(last_rate(std::vector<model::Point>{{0, 1}, {1000, std::nan("")}}));
  CHECK_FALSE(last_rate(std::vector<model::Point>{{1000, 1}, {1000, 2}}));
}

TEST_CASE("events by kind and target") {
  Fixture f;
  const auto all = f.get("/v1/events?kind=container.");
  REQUIRE(all.at("events").as_array().size() == 1);
  const auto& event = all.at("events").as_array()[0].as_object();
  CHECK(event.at("name").as_string() == "shop-worker-1");
  CHECK(event.at("severity").as_string() == "error");
  CHECK(event.at("attributes").as_object().at("exit_code").as_string() == "137");
  CHECK(f.get("/v1/events?kind=host.").at("events").as_array().empty());
  CHECK(f.get("/v1/events?target=shop-frontend-1").at("events").as_array().empty());
  CHECK(f.get("/v1/events?until=1h").at("events").as_array().empty());
}

TEST_CASE("tokens: made, listed without secret, revoked once, audited") {
  Fixture f;
  const Reply made = f.send("POST", "/v1/tokens", "operator",
                            R"({"uses":2,"ttl_ms":60000,"host_pattern":"web*"})");
  CHECK(made.status == 201);
  CHECK(made.body.find("oai1.made.secret") != std::string::npos);
  const auto listed = f.get("/v1/tokens");
  CHECK(find(listed, "tokens", "id", "made").at("state").as_string() == "usable");
  CHECK(find(listed, "tokens", "id", "made").at("created_by").as_string() == "user:operator");
  CHECK(json::serialize(listed).find("oai1") == std::string::npos);
  CHECK(f.send("DELETE", "/v1/tokens/made").status == 200);
  CHECK(f.send("DELETE", "/v1/tokens/made").status == 200);
  int revocations = 0;
  const auto entries = f.repositories.audit.list(0, 1000).value();
  for (const auto& entry : entries) revocations += entry.action == "token.revoke" ? 1 : 0;
  CHECK(revocations == 1);
  f.refused(404, "DELETE", "/v1/tokens/nope");
}

TEST_CASE("bodies are checked field by field") {
  Fixture f;
  const auto token_error = [&](const std::string& body) {
    const auto error = f.refused(400, "POST", "/v1/tokens", "admin", body);
    return error.contains("parameter") ? std::string(error.at("parameter").as_string()) : "";
  };
  CHECK(token_error("{\"usses\":1}") == "usses");
  CHECK(token_error("{\"uses\":0}") == "uses");
  CHECK(token_error("{\"uses\":1.5}") == "uses");
  CHECK(token_error("{\"uses\":\"1\"}") == "uses");
  CHECK(token_error("{\"ttl_ms\":59999}") == "ttl_ms");
  CHECK(token_error("{\"labels\":{\"a\":1}}") == "labels");
  CHECK(token_error("{\"cidrs\":\"10/8\"}") == "cidrs");
  CHECK(token_error("{\"needs_approval\":1}") == "needs_approval");
  CHECK(token_error("[]") == "");
  CHECK(token_error("{\"uses\":1") == "");
  CHECK(token_error(std::string(100, '[')) == "");
  CHECK(f.refused(400, "POST", "/v1/agents/web1-aaaaaaaa/revoke", "admin", "{}")
            .at("message")
            .as_string() == "reason is missing");
  CHECK(f.refused(400, "POST", "/v1/keys", "admin", R"({"user":"a","role":"root"})")
            .at("parameter")
            .as_string() == "role");
}

TEST_CASE("agents: revoked for good, approved when pending, only by the whole id") {
  Fixture f;
  f.refused(404, "POST", "/v1/agents/web1/revoke", "operator", R"({"reason":"x"})");
  CHECK(f.send("POST", "/v1/agents/web1-aaaaaaaa/revoke", "operator", R"({"reason":"stolen"})")
            .status == 200);
  const auto agent = f.get("/v1/agents/web1");
  CHECK(agent.at("state").as_string() == "revoked");
  CHECK(agent.at("revoked_reason").as_string() == "stolen");
  CHECK(find(f.get("/v1/hosts"), "hosts", "hostname", "web1").at("state").as_string() == "revoked");
  f.refused(409, "POST", "/v1/agents/web1-aaaaaaaa/approve", "operator");
  CHECK(f.get("/v1/agents/new1").at("needs_approval").as_bool());
  CHECK(f.send("POST", "/v1/agents/new1-cccccccc/approve", "operator").status == 200);
  CHECK(f.get("/v1/agents/new1").at("state").as_string() == "active");
}

TEST_CASE("keys: a made key works, a revoked one stops at once") {
  Fixture f;
  const Reply made = f.send("POST", "/v1/keys", "admin", R"({"user":"bob","role":"viewer"})");
  REQUIRE(made.status == 201);
  const auto body = json::parse(made.body).as_object();
  const std::string text(body.at("text").as_string());
  CHECK(f.get("/v1/whoami", text).at("user").as_string() == "bob");
  CHECK(json::serialize(f.get("/v1/keys")).find(text) == std::string::npos);
  const std::string id(body.at("key").as_object().at("id").as_string());
  CHECK(f.send("DELETE", "/v1/keys/" + id).status == 200);
  f.refused(401, "GET", "/v1/whoami", text);
}

TEST_CASE("audit pages") {
  Fixture f;
  const auto first = f.get("/v1/audit?limit=1&after_seq=0");
  CHECK(first.at("truncated").as_bool());
  REQUIRE(first.at("entries").as_array().size() == 1);
  const auto& entry = first.at("entries").as_array()[0].as_object();
  CHECK(entry.at("action").as_string() == "key.create");
  CHECK(entry.at("detail").as_object().at("tenant").as_string() == "default");
  const auto next = f.get("/v1/audit?limit=1&after_seq=1");
  CHECK(next.at("entries").as_array()[0].as_object().at("seq").as_int64() == 2);
}

TEST_CASE("audit shows the newest entries, and goes back from them") {
  Fixture f;
  const auto seqs = [&](const std::string& query, const std::string& who = "admin") {
    const auto reply = f.get("/v1/audit?" + query, who);
    std::vector<std::int64_t> out;
    for (const auto& entry : reply.at("entries").as_array())
      out.push_back(entry.as_object().at("seq").as_int64());
    return std::pair(out, reply.at("truncated").as_bool());
  };
  CHECK(seqs("").first.size() <= 6);
  for (int i = 0; i < 2500; ++i) {
    model::AuditEntry entry;
    entry.actor = "system";
    entry.action = "test";
    // The stranger's tenant owns two of them, far apart.
    if (i == 10 || i == 2000) entry.detail = R"({"tenant":"other"})";
    REQUIRE(f.repositories.audit.append(entry));
  }
  const auto last = f.repositories.audit.list(0, 10'000).value().back().seq;
  const auto newest = seqs("limit=2");
  CHECK(newest.second);
  REQUIRE(newest.first.size() == 2);
  CHECK(newest.first[1] >= static_cast<std::int64_t>(last));
  CHECK(newest.first[0] == newest.first[1] - 1);
  const auto before = seqs("limit=2&before_seq=" + std::to_string(newest.first[0]));
  CHECK(before.first == std::vector{newest.first[0] - 2, newest.first[0] - 1});
  CHECK(seqs("before_seq=1") == std::pair(std::vector<std::int64_t>{}, false));
  CHECK(seqs("before_seq=3") == std::pair(std::vector<std::int64_t>{1, 2}, false));
  CHECK(seqs("limit=10000").first.size() >= 2500);
  // The limit counts what the caller may see.
  const auto theirs = seqs("limit=2", "stranger");
  CHECK(theirs.first.size() == 2);
  CHECK(seqs("limit=10&after_seq=100", "stranger").first.size() >= 1);
  f.refused(400, "GET", "/v1/audit?after_seq=1&before_seq=5");
}

TEST_CASE("lists come in pages, each row once and in order") {
  Fixture f;
  auto inventory = f.telemetry.inventory(f.db1).value().value();
  inventory.containers.resize(25, inventory.containers[0]);
  for (std::size_t i = 0; i < inventory.containers.size(); ++i)
    inventory.containers[i].id = std::string(62, '0') + std::to_string(99 - i);
  f.telemetry.put_inventory(inventory, f.home);
  const std::vector<std::pair<std::string, std::string>> lists = {
      {"/v1/hosts?", "hosts"},
      {"/v1/containers?all=true&", "containers"},
      {"/v1/processes?", "processes"},
      {"/v1/services?", "services"},
      {"/v1/ports?", "ports"},
      {"/v1/metrics?host=web1&", "series"},
      {"/v1/alerts?", "alerts"},
      {"/v1/ledger?", "rows"},
      {"/v1/agents?", "agents"},
      {"/v1/tokens?", "tokens"},
      {"/v1/keys?", "keys"}};
  for (const auto& one : lists) {
    const auto& path = one.first;
    const auto& list = one.second;
    CAPTURE(path);
    const auto whole = f.get(path.substr(0, path.size() - 1));
    CHECK(whole.at("next").as_string() == "");
    for (const int limit : {1, 2, 7}) {
      json::array rows;
      std::string next;
      do {
        const auto page = f.get(path + "limit=" + std::to_string(limit) + "&after=" + next);
        const auto& some = page.at(list).as_array();
        CHECK(some.size() <= static_cast<std::size_t>(limit));
        rows.insert(rows.end(), some.begin(), some.end());
        next = std::string(page.at("next").as_string());
      } while (!next.empty());
      if (path == "/v1/keys?") continue;  // Their last use moves
      CHECK(rows == whole.at(list).as_array());
    }
  }
  CHECK(f.get("/v1/containers?all=true&limit=28").at("next").as_string() == "");
  CHECK(f.get("/v1/containers?all=true&limit=27").at("next").as_string() != "");
  CHECK(f.refused(400, "GET", "/v1/hosts?after=!").at("parameter").as_string() == "after");
  f.refused(400, "GET", "/v1/hosts?limit=0");
  f.refused(400, "GET", "/v1/hosts?limit=10001");
  // A cursor outlives its row.
  const auto first = f.get("/v1/containers?host=db1&limit=2");
  inventory.containers.erase(inventory.containers.end() - 2, inventory.containers.end());
  f.telemetry.put_inventory(inventory, f.home);
  const auto rest =
      f.get("/v1/containers?host=db1&after=" + std::string(first.at("next").as_string()));
  CHECK(rest.at("containers").as_array().size() == 23);
}

TEST_CASE("no list exceeds the bytes of one reply") {
  Fixture f;
  auto inventory = f.telemetry.inventory(f.db1).value().value();
  inventory.containers.resize(40, inventory.containers[0]);
  for (std::size_t i = 0; i < inventory.containers.size(); ++i) {
    inventory.containers[i].id = std::string(62, '0') + std::to_string(10 + i);
    inventory.containers[i].command = std::string(1U << 20, 'x');
  }
  f.telemetry.put_inventory(inventory, f.home);
  std::size_t rows = 0;
  std::string next;
  int pages = 0;
  do {
    const Reply reply = f.send("GET", "/v1/containers?host=db1&after=" + next);
    CHECK(reply.body.size() < (24U << 20) + 1000);
    const auto body = json::parse(reply.body).as_object();
    rows += body.at("containers").as_array().size();
    next = std::string(body.at("next").as_string());
    ++pages;
  } while (!next.empty());
  CHECK(rows == 40);
  CHECK(pages == 2);
}

TEST_CASE("points are bounded in bytes and written as they are") {
  Fixture f;
  model::SeriesPoints series;
  series.info.agent = f.db1;
  series.info.definition.target = "host";
  series.info.definition.name = "exact";
  series.points = {{f.now_ms - 3, 1e300},
                   {f.now_ms - 2, 0.1},
                   {f.now_ms - 1, -5},
                   {f.now_ms, std::numeric_limits<double>::infinity()}};
  f.telemetry.put_series(series);
  const auto reply = f.get("/v1/metrics/query?host=db1&name=exact");
  const auto& points = reply.at("series").as_array()[0].as_object().at("points").as_array();
  CHECK(points[0].as_array()[1].as_double() == 1e300);
  CHECK(points[1].as_array()[1].as_double() == 0.1);
  CHECK(points[2].as_array()[1].as_double() == -5);
  CHECK(points[3].as_array()[1].is_null());
  series.info.definition.name = "many";
  series.points.assign(1'200'000, {f.now_ms - 1, 0.123});  // 22 bytes each and some
  f.telemetry.put_series(series);
  const auto error = f.refused(400, "GET", "/v1/metrics/query?host=db1&name=many");
  CHECK(error.at("code").as_string() == "limit");
  CHECK(error.at("hint").as_string().find("step") != std::string::npos);
  f.telemetry.fail_with(Error(Errc::kLimit, "more than 2000000 points"));
  CHECK(f.send("GET", "/v1/metrics/query?host=web1").status != 429);
}

TEST_CASE("an alert is resolved by an operator, in its tenant, and audited") {
  Fixture f;
  const auto alerts = f.get("/v1/alerts").at("alerts").as_array();
  REQUIRE(alerts.size() == 2);
  std::string id;
  for (const auto& alert : alerts) {
    if (alert.as_object().at("agent_id").as_string() == "web1-aaaaaaaa")
      id = std::string(alert.as_object().at("id").as_string());
  }
  CHECK(id.size() == 16);
  f.refused(403, "POST", "/v1/alerts/" + id + "/resolve", "viewer");
  f.refused(404, "POST", "/v1/alerts/" + id + "/resolve", "stranger");
  f.refused(404, "POST", "/v1/alerts/0000000000000000/resolve", "operator");
  const Reply reply = f.send("POST", "/v1/alerts/" + id + "/resolve", "operator", "{}");
  CHECK(reply.status == 200);
  CHECK(json::parse(reply.body).as_object().at("id").as_string() == id);
  CHECK(f.get("/v1/alerts").at("alerts").as_array().size() == 1);
  f.refused(404, "POST", "/v1/alerts/" + id + "/resolve", "operator");
  int audited = 0;
  const auto entries = f.repositories.audit.list(0, 1000).value();
  for (const auto& entry : entries) {
    if (entry.action != "alert.resolve") continue;
    ++audited;
    CHECK(entry.actor == "user:operator");
    CHECK(entry.detail.find("ledger.gap") != std::string::npos);
  }
  CHECK(audited == 1);
}

TEST_CASE("enrollment is passed on as it came, with the address of the socket") {
  Fixture f;
  const Reply reply = f.send("POST", "/v1/enroll", "", "{\"a\":1}");
  CHECK(reply.status == 202);
  CHECK(reply.body == R"({"got":7,"from":"10.0.0.1"})");
}

TEST_CASE("a store that fails is a 503, and nothing of our inside is told") {
  Fixture f;
  f.telemetry.fail_with(Error(Errc::kUnavailable, "the store is busy"));
  CHECK(f.refused(503, "GET", "/v1/containers").at("code").as_string() == "unavailable");
  f.telemetry.fail_with(Error(Errc::kCorrupt, "SELECT secret FROM /var/lib/x.db"));
  const auto error = f.refused(500, "GET", "/v1/containers");
  CHECK(json::serialize(error).find("SELECT") == std::string::npos);
  CHECK(error.at("message").as_string() == "something went wrong inside the control plane");
}

}  // namespace
}  // namespace observeai::controlplane::api
