// What the commands print and ask for.
#include "controlplane/cli/commands.h"

#include <sstream>

#include <doctest/doctest.h>
#include <boost/json.hpp>

#include "controlplane/cli/format.h"
#include "controlplane/cli/json_view.h"
#include "protocol/base/text.h"
#include "tests/unit/controlplane/cli/scripted_client.h"

namespace observeai::controlplane::cli {
namespace {

struct Fixture {
  ScriptedClient* http = new ScriptedClient;
  ApiClient api{std::unique_ptr<http::HttpClient>(http), "oak1_id_secret"};
  Terminal terminal;
  std::ostringstream out;
  std::ostringstream err;
  Context context{api, terminal, false, out, err};

  void answer(const std::string& body) { http->next = http::Response{200, {}, body}; }
};

bool has_control(const std::string& text) {
  return std::any_of(text.begin(), text.end(),
                     [](unsigned char c) { return (c < 0x20 && c != '\n') || c == 0x7F; });
}

TEST_CASE("a reason of dropping is foreign text") {
  Fixture f;
  f.answer(R"({"rows":[{"name":"n","records_dropped":{"\u001b]52;c;eA==\u0007":3}}]})");
  REQUIRE(show_ledger(f.context, ""));
  CHECK(f.out.str().find("\\x1b]52;c;eA==\\x07 3") != std::string::npos);
  CHECK_FALSE(has_control(f.out.str()));
}

MetricOptions metric(const std::string& name) {
  MetricOptions options;
  options.target = "host";
  options.name = name;
  return options;
}

// Every text of an answer holds an escape sequence; no table may pass it on.
TEST_CASE("no command prints a control character that came from the server") {
  const std::string bad = R"("\u001b[31m\u009b\u007fx")";
  const std::string row =
      "{\"agent_id\":B,\"hostname\":B,\"state\":B,\"docker\":B,\"os\":B,\"kernel\":B,"
      "\"architecture\":B,\"agent_version\":B,\"name\":B,\"id\":B,\"service\":B,\"health\":B,"
      "\"image\":B,\"project\":B,"
      "\"kind\":B,\"reason\":B,\"protocol\":B,\"address\":B,\"process\":B,\"container_name\":B,"
      "\"unit\":B,\"user\":B,\"command\":B,"
      "\"detail\":B,\"message\":B,\"object\":B,\"verdict\":B,\"text\":B,"
      "\"stream\":B,\"severity\":B,\"actor\":B,\"action\":B,\"role\":B,\"tenant\":B,\"key_id\":B,"
      "\"token_id\":B,"
      "\"certificate_serial\":B,\"spki_sha256\":B,\"revoked_reason\":B,\"revoked_ms\":5,\"created_"
      "by\":B,"
      "\"host_pattern\":B,\"cidrs\":[B],\"hosts\":[B],\"labels\":{B:B},\"records_dropped\":{B:1},"
      "\"ports\":[{\"protocol\":B}],\"points\":[[1000,1],[2000,2]],\"needs_approval\":true}";
  std::string body = "{\"now_ms\":1000";
  for (const char* list : {"hosts", "containers", "processes", "services", "ports", "rows",
                           "alerts", "agents", "tokens", "keys", "series", "events", "ledger"})
    body += ",\"" + std::string(list) + "\":[" + row + "]";
  body += ",\"entries\":[" + row + "],\"host\":" + row + ",\"agent\":" + row + ",\"facts\":" + row;
  for (const char* own :
       {"agent_id", "hostname", "state", "user", "role", "tenant", "key_id", "text"})
    body += ",\"" + std::string(own) + "\":B";
  body += "}";
  for (auto at = body.find('B'); at != std::string::npos; at = body.find('B', at + bad.size()))
    body.replace(at, 1, bad);
  REQUIRE(boost::json::parse(body).is_object());

  using Command = std::function<Result<void>(Context&)>;
  const std::vector<std::pair<std::string, Command>> commands = {
      {"hosts", [](Context& c) { return show_hosts(c); }},
      {"host", [](Context& c) { return show_host(c, "h"); }},
      {"containers", [](Context& c) { return show_containers(c, "", true); }},
      {"processes", [](Context& c) { return show_processes(c, "", ""); }},
      {"services", [](Context& c) { return show_services(c, ""); }},
      {"ports", [](Context& c) { return show_ports(c, ""); }},
      {"top", [](Context& c) { return show_top(c, "", "cpu", 1, 1); }},
      {"logs", [](Context& c) { return show_logs(c, {}); }},
      {"series", [](Context& c) { return show_metrics(c, metric("")); }},
      {"plot", [](Context& c) { return show_metrics(c, metric("name")); }},
      {"events", [](Context& c) { return show_events(c, {}); }},
      {"alerts", [](Context& c) { return show_alerts(c); }},
      {"ledger", [](Context& c) { return show_ledger(c, ""); }},
      {"audit", [](Context& c) { return show_audit(c, "", ""); }},
      {"agents", [](Context& c) { return list_agents(c); }},
      {"agent", [](Context& c) { return show_agent(c, "a"); }},
      {"tokens", [](Context& c) { return list_tokens(c); }},
      {"token", [](Context& c) { return create_token(c, {}); }},
      {"keys", [](Context& c) { return list_keys(c); }},
      {"whoami", [](Context& c) { return show_whoami(c); }},
  };
  for (const auto& one : commands) {
    const auto& name = one.first;
    const auto& command = one.second;
    for (const bool json : {false, true}) {
      CAPTURE(name);
      CAPTURE(json);
      Fixture f;
      f.context.json = json;
      f.answer(body);
      REQUIRE(command(f.context));
      const std::string text = f.out.str();
      CAPTURE(text);
      CHECK(text.find(json ? "\\u001b" : "\\x1b[31m") != std::string::npos);
      CHECK_FALSE(has_control(text));
      CHECK(text.find("\xC2\x9B") == std::string::npos);
    }
  }
}

TEST_CASE("a gap in a followed stream is said, and not into the pipe") {
  for (const bool logs : {true, false}) {
    for (const bool json : {false, true}) {
      Fixture f;
      f.context.json = json;
      f.http->events = {{"truncated", "{\"message\":\"more was missed\"}", ""},
                        {logs ? "log" : "event", "{\"text\":\"x\",\"message\":\"x\"}", "1"},
                        {"lagged", "{\"message\":\"too\\u001b slow\"}", ""}};
      LogOptions log_options;
      EventOptions event_options;
      log_options.follow = event_options.follow = true;
      REQUIRE((logs ? show_logs(f.context, log_options) : show_events(f.context, event_options)));
      CHECK(f.err.str() ==
            "observeai: more was missed\nobserveai: too\\x1b slow; connecting again\n");
      CHECK(f.out.str().find("missed") == std::string::npos);
      CHECK(f.out.str().find("slow") == std::string::npos);
      CHECK(f.out.str().find("x") != std::string::npos);
    }
  }
}

TEST_CASE("options that following cannot honour are refused, not ignored") {
  Fixture f;
  LogOptions logs;
  logs.follow = true;
  logs.until = "1h";
  CHECK(show_logs(f.context, logs).error().code() == Errc::kInvalid);
  EventOptions events;
  events.follow = true;
  events.until = "1h";
  CHECK(show_events(f.context, events).error().code() == Errc::kInvalid);
  events.until = "";
  events.since = "1h";
  CHECK(show_events(f.context, events).error().code() == Errc::kInvalid);
  LogOptions none;
  none.limit = "0";
  CHECK(show_logs(f.context, none).error().message().find("--limit 0") == 0);
  CHECK(f.http->paths.empty());
  none.follow = true;
  CHECK(show_logs(f.context, none));
  CHECK(f.http->last.path == "/v1/logs/follow?tail=0");
}

TEST_CASE("top shows as many pictures as were asked for, with and without colours") {
  Fixture f;
  CHECK(top_rounds(f.context, false, std::nullopt) == 1);  // A pipe
  CHECK(top_rounds(f.context, false, 3) == 3);
  f.terminal.interactive = true;  // And no colours: NO_COLOR
  CHECK(top_rounds(f.context, false, std::nullopt) == 0);
  CHECK(top_rounds(f.context, false, 2) == 2);
  CHECK(top_rounds(f.context, true, 2) == 1);
  f.terminal.interactive = false;
  f.context.json = true;
  CHECK(top_rounds(f.context, false, std::nullopt) == 0);
}

TEST_CASE("status asks for a page of each list, once, and says that there is more") {
  Fixture f;
  f.http->bodies["/v1/status"] = R"({"now_ms":1000})";
  f.http->bodies["/v1/hosts?limit=20"] = R"({"hosts":[{"hostname":"h"}],"next":"x"})";
  f.http->bodies["/v1/containers?limit=20"] = R"({"containers":[{"name":"c"}],"next":"y"})";
  REQUIRE(show_status(f.context));
  CHECK(f.http->paths == std::vector<std::string>{"/v1/status", "/v1/predict", "/v1/root",
                                                  "/v1/hosts?limit=20", "/v1/containers?limit=20"});
  CHECK(f.out.str().find("(and more: observeai hosts)") != std::string::npos);
  CHECK(f.out.str().find("(and more: observeai containers)") != std::string::npos);
}

TEST_CASE("status tells of a root of trust that one key can change") {
  const auto shown = [](const char* root) {
    Fixture f;
    f.http->bodies["/v1/status"] = R"({"now_ms":1000})";
    f.http->bodies["/v1/root"] = root;
    REQUIRE(show_status(f.context));
    return f.out.str().find("root of trust") != std::string::npos;
  };
  CHECK(shown(R"({"newest":{"threshold":1,"root_keys":[{"id":"a"}]}})"));
  CHECK_FALSE(shown(R"({"newest":{"threshold":2,"root_keys":[{"id":"a"},{"id":"b"}]}})"));
  CHECK_FALSE(shown("{}"));
}

TEST_CASE("a list is read to its end, page by page") {
  Fixture f;
  f.http->bodies["/v1/containers?limit=2000"] = R"({"containers":[{"name":"one"}],"next":"n1"})";
  f.http->bodies["/v1/containers?limit=2000&after=n1"] =
      R"({"containers":[{"name":"two"}],"next":"n2"})";
  f.http->bodies["/v1/containers?limit=2000&after=n2"] =
      R"({"containers":[{"name":"three"}],"next":""})";
  REQUIRE(show_containers(f.context, "", false));
  for (const char* name : {"one", "two", "three"})
    CHECK(f.out.str().find(name) != std::string::npos);
  f.http->bodies["/v1/containers?limit=2000&after=n2"] = R"({"containers":[],"next":"n2"})";
  CHECK(show_containers(f.context, "", false).error().code() == Errc::kCorrupt);
}

TEST_CASE("a mistyped metric has the nearest name, a known one the range") {
  Fixture f;
  const std::string list = R"({"series":[{"name":"node_load1"},{"name":"node_load15"}],"next":""})";
  f.http->bodies["/v1/metrics?target=host&limit=2000"] = list;
  f.answer(R"({"series":[]})");
  const auto typo = show_metrics(f.context, metric("node_laod1"));
  CHECK(typo.error().code() == Errc::kNotFound);
  CHECK(typo.error().message().find("did you mean node_load1?") != std::string::npos);
  const auto empty = show_metrics(f.context, metric("node_load15"));
  CHECK(empty.error().message().find("in this range") != std::string::npos);
  const auto strange = show_metrics(f.context, metric("xyzzy"));
  CHECK(strange.error().message().find("`observeai metrics host` lists") != std::string::npos);
}

TEST_CASE("a new token comes with the whole command that uses it") {
  Fixture f;
  f.context.server = "cp.example:8443";
  f.answer(R"({"text":"oai1.id.secret","token":{"uses_allowed":1}})");
  REQUIRE(create_token(f.context, {}));
  CHECK(f.out.str().find("observeai-agent enroll --server cp.example:8443 oai1.id.secret\n") !=
        std::string::npos);
}

TEST_CASE("at 100 columns three containers can be told apart") {
  Fixture f;
  f.terminal.columns = 100;
  std::string body = R"({"now_ms":90000,"containers":[)";
  for (const char* name : {"frontend", "backend", "worker"}) {
    if (body.back() != '[') body += ',';
    body += R"({"id":"0123456789abcdef","image":"observeai-demo:latest","state":"running",)"
            R"("health":"healthy","uptime_ms":60000,"cpu_cores_used":0.01,"cpu_limit_cores":0.5,)"
            R"("memory_working_set_bytes":12000000,"memory_limit_bytes":64000000,)"
            R"("service":"demo","hostname":"a-host-with-a-name","name":"observeai-demo-)" +
            std::string(name) + "-1\"}";
  }
  f.answer(body + "]}");
  REQUIRE(show_containers(f.context, "", false));
  const std::string shown = f.out.str();
  for (const char* name : {"frontend", "backend", "worker"})
    CHECK(shown.find("observeai-demo-" + std::string(name) + "-1 ") != std::string::npos);
  for (const auto line : text::split(shown, '\n')) CHECK(display_width(line) <= 100);
}

TEST_CASE("an alert shows the id that resolves it") {
  Fixture f;
  f.answer(R"({"now_ms":9000,"alerts":[{"id":"00ff","kind":"agent.clone","first_ms":1000}]})");
  REQUIRE(show_alerts(f.context));
  CHECK(f.out.str().find("00ff") != std::string::npos);
  f.answer(R"({"id":"00ff","kind":"agent.clone","message":"two"})");
  REQUIRE(resolve_alert(f.context, "00ff"));
  CHECK(f.http->last.method == "POST");
  CHECK(f.http->last.path == "/v1/alerts/00ff/resolve");
}

TEST_CASE("audit goes back from the entries it shows") {
  Fixture f;
  f.answer(R"({"now_ms":9000,"entries":[{"seq":41},{"seq":42}],"truncated":true})");
  REQUIRE(show_audit(f.context, "43", "2"));
  CHECK(f.http->last.path == "/v1/audit?before_seq=43&limit=2");
  CHECK(f.out.str().find("--before 41") != std::string::npos);
}

TEST_CASE("what never happened is not ago") {
  CHECK(since(0, 1000) == "never");
  CHECK(since(1000, 3000) == "2s ago");
  Fixture f;
  f.answer(R"({"now_ms":9000,"agents":[{"agent_id":"a","enrolled_ms":1000,"last_seen_ms":0}]})");
  REQUIRE(list_agents(f.context));
  CHECK(f.out.str().find("never") != std::string::npos);
  CHECK(f.out.str().find("- ago") == std::string::npos);
}

}  // namespace
}  // namespace observeai::controlplane::cli
