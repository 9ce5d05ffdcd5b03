// openapi.yaml against the server: the same endpoints, roles and parameters; every reply as
// described.
#include <set>

#include <doctest/doctest.h>

#include "controlplane/api/route_table.h"
#include "controlplane/api/to_json.h"
#include "controlplane/enroll/enrollment_service.h"
#include "protocol/base/files.h"
#include "tests/unit/controlplane/api/api_fixture.h"
#include "tests/unit/controlplane/api/mini_yaml.h"

namespace observeai::controlplane::api {
namespace {

namespace json = boost::json;

const json::object& document() {
  static const json::value kDocument =
      test::MiniYaml::parse(files::read(OBSERVEAI_OPENAPI).value());
  return kDocument.as_object();
}

const json::object& follow_reference(const json::object& node) {
  const auto* reference = node.if_contains("$ref");
  if (reference == nullptr) return node;
  const json::value* at = nullptr;
  const json::object* here = &document();
  for (const auto step : text::split(std::string_view(reference->as_string()).substr(2), '/')) {
    at = &here->at(step);
    here = &at->as_object();
  }
  return *here;
}

const json::object& operation(const Route& route) {
  std::string method(route.method);
  for (char& c : method) c = static_cast<char>(std::tolower(c));
  return document().at("paths").as_object().at(route.pattern).as_object().at(method).as_object();
}

class Validator {
 public:
  std::vector<std::string> check(const json::value& value, const json::object& schema) {
    problems_.clear();
    visit(value, schema, "$");
    return problems_;
  }
  // Lists that were empty whenever they came: their elements were never checked.
  std::set<std::string> unchecked() const {
    std::set<std::string> out = empty_;
    for (const auto& where : filled_) out.erase(where);
    return out;
  }

 private:
  void visit(const json::value& value, const json::object& reference, const std::string& where) {
    const auto& schema = follow_reference(reference);
    const auto* nullable = schema.if_contains("nullable");
    if (value.is_null() && nullable != nullptr && nullable->as_bool()) return;
    const std::string type(schema.at("type").as_string());
    if (!has_type(value, type)) {
      problems_.push_back(where + " is not " + type);
      return;
    }
    if (const auto* choices = schema.if_contains("enum")) {
      const auto& list = choices->as_array();
      if (std::find(list.begin(), list.end(), value) == list.end())
        problems_.push_back(where + " is none of its values");
    }
    if (type == "object") visit_object(value.as_object(), schema, where);
    if (type == "array") {
      (value.as_array().empty() ? empty_ : filled_).insert(where);
      for (const auto& element : value.as_array())
        visit(element, schema.at("items").as_object(), where + "[]");
    }
  }
  void visit_object(const json::object& object, const json::object& schema,
                    const std::string& where) {
    if (const auto* required = schema.if_contains("required")) {
      for (const auto& key : required->as_array()) {
        if (!object.contains(key.as_string()))
          problems_.push_back(where + "." + std::string(key.as_string()) + " is missing");
      }
    }
    const auto* properties = schema.if_contains("properties");
    const auto* others = schema.if_contains("additionalProperties");
    for (const auto& field : object) {
      const std::string name = where + "." + std::string(field.key());
      const auto* known =
          properties == nullptr ? nullptr : properties->as_object().if_contains(field.key());
      if (known != nullptr)
        visit(field.value(), known->as_object(), name);
      else if (others != nullptr)
        visit(field.value(), others->as_object(), name);
      else if (properties != nullptr)
        problems_.push_back(name + " is not described");
    }
  }
  static bool has_type(const json::value& value, const std::string& type) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_bool();
    if (type == "integer") return value.is_int64() || value.is_uint64();
    return type == "number" && value.is_number();
  }

  std::vector<std::string> problems_;
  std::set<std::string> empty_;
  std::set<std::string> filled_;
};

const json::object& reply_schema(const Route& route, int status) {
  const auto& response = follow_reference(
      operation(route).at("responses").as_object().at(std::to_string(status)).as_object());
  return response.at("content")
      .as_object()
      .at("application/json")
      .as_object()
      .at("schema")
      .as_object();
}

TEST_CASE("the file and the route table name the same endpoints") {
  std::set<std::string> described;
  for (const auto& path : document().at("paths").as_object()) {
    for (const auto& method : path.value().as_object()) {
      std::string name(method.key());
      for (char& c : name) c = static_cast<char>(std::toupper(c));
      described.insert(name + " " + std::string(path.key()));
    }
  }
  std::set<std::string> served;
  for (const auto& route : routes()) {
    served.insert(std::string(route.method) + " " + std::string(route.pattern));
  }
  CHECK(described == served);
  CHECK(served.size() == routes().size());
}

TEST_CASE("roles and parameters are the described ones") {
  for (const auto& route : routes()) {
    CAPTURE(std::string(route.pattern));
    const auto& described = operation(route);
    CHECK(described.at("x-role").as_string() == (route.needs ? to_string(*route.needs) : "none"));
    CHECK(described.contains("security") == !route.needs);
    std::set<std::string> query;
    std::set<std::string> path;
    if (const auto* parameters = described.if_contains("parameters")) {
      for (const auto& reference : parameters->as_array()) {
        const auto& parameter = follow_reference(reference.as_object());
        (parameter.at("in").as_string() == "query" ? query : path)
            .emplace(parameter.at("name").as_string());
      }
    }
    CHECK(query == std::set<std::string>(route.parameters.begin(), route.parameters.end()));
    for (const auto& name : path)
      CHECK(route.pattern.find("{" + name + "}") != std::string_view::npos);
    CHECK(path.size() == (route.pattern.find('{') == std::string_view::npos ? 0 : 1));
  }
}

TEST_CASE("every reply has what the file promises, and nothing else") {
  Fixture f;
  struct Example {
    std::string method;
    std::string target;
    std::string body;
    int status = 200;
  };
  const auto login =
      f.access
          .create_login("system", "ann", f.home, model::Role::kViewer, "h", 1, std::string(64, 'a'))
          .value();
  model::Alert odd;
  odd.kind = "test";
  REQUIRE(f.repositories.alerts.raise(odd));
  const std::string alert = alert_id(odd);
  REQUIRE(f.repositories.audit_heads.insert({{1, {}, 1}, "envelope"}));
  const std::vector<Example> examples = {
      {"GET", "/v1/health", ""},
      {"GET", "/v1/version", ""},
      {"POST", "/v1/login", "{\"code\":\"" + login + "\"}"},
      {"GET", "/v1/whoami", ""},
      {"GET", "/v1/status", ""},
      {"GET", "/v1/hosts", ""},
      {"GET", "/v1/hosts/web1", ""},
      {"GET", "/v1/hosts/new1", ""},
      {"GET", "/v1/containers?all=true", ""},
      {"GET", "/v1/processes", ""},
      {"GET", "/v1/services", ""},
      {"GET", "/v1/ports", ""},
      {"GET", "/v1/logs", ""},
      {"GET", "/v1/metrics?host=web1", ""},
      {"GET", "/v1/metrics/query?host=web1&name=node_cpu_seconds_total&label.mode=user", ""},
      {"GET", "/v1/events", ""},
      {"GET", "/v1/top", ""},
      {"GET", "/v1/alerts", ""},
      {"GET", "/v1/ledger", ""},
      {"GET", "/v1/agents", ""},
      {"GET", "/v1/agents/web1", ""},
      {"POST", "/v1/agents/new1-cccccccc/approve", ""},
      {"POST", "/v1/agents/db1-bbbbbbbb/revoke", "{\"reason\":\"stolen\"}"},
      {"POST", "/v1/tokens", "{\"uses\":3,\"labels\":{\"a\":\"b\"},\"cidrs\":[\"10.0.0.0/8\"]}",
       201},
      {"GET", "/v1/tokens", ""},
      {"DELETE", "/v1/tokens/made", ""},
      {"POST", "/v1/keys", "{\"user\":\"bob\",\"role\":\"viewer\"}", 201},
      {"GET", "/v1/keys", ""},
      {"DELETE", "/v1/keys/" + parse_api_key(f.keys["viewer"])->id, ""},
      {"GET", "/v1/audit", ""},
      {"GET", "/v1/audit/heads", ""},
      {"GET", "/v1/root", ""},
      {"POST", "/v1/root", "{\"envelopes\":[\"" + f.next_root() + "\"]}"},
      {"GET", "/v1/actions", ""},
      {"POST", "/v1/plans", "{\"action\":\"docker.restart\",\"hosts\":[\"web1\"]}", 201},
      {"GET", "/v1/plans", ""},
      {"GET", "/v1/plans/p-1", ""},
      {"POST", "/v1/plans/p-1/simulate", ""},
      {"POST", "/v1/plans/p-1/approvals", "{\"envelope\":\"YQ\"}"},
      {"POST", "/v1/plans/p-1/reject", "{\"reason\":\"no\"}"},
      {"POST", "/v1/plans/p-1/cancel", ""},
      {"GET", "/v1/commands", ""},
      {"GET", "/v1/commands/" + std::string(32, '0'), ""},
      {"GET", "/v1/maintenance", ""},
      {"POST", "/v1/maintenance", "{\"reason\":\"release\"}"},
      {"GET", "/v1/predictions?state=all", ""},
      {"GET", "/v1/predictions/pr-1", ""},
      {"GET", "/v1/predict", ""},
      {"POST", "/v1/predict", "{\"enabled\":false}"},
      {"GET", "/v1/predict/accuracy", ""},
      {"GET", "/v1/incidents", ""},
      {"GET", "/v1/incidents/in-1", ""},
      {"POST", "/v1/alerts/" + alert + "/resolve", ""},
      {"POST", "/v1/enroll", "{}", 202},
      {"POST", "/v1/enroll/confirm", "{}"},
      {"POST", "/v1/renew", "{}"},
  };
  std::set<const Route*> seen;
  Validator validator;
  for (const auto& example : examples) {
    CAPTURE(example.target);
    const auto matched = match(example.method, example.target.substr(0, example.target.find('?')));
    REQUIRE(matched);
    seen.insert(matched->route);
    const Reply reply = f.send(example.method, example.target, "admin", example.body);
    CAPTURE(reply.body);
    REQUIRE(reply.status == example.status);
    CHECK(reply.content_type == "application/json");
    if (example.status == 202) continue;  // Passed on as the handler gave it
    const auto problems =
        validator.check(json::parse(reply.body), reply_schema(*matched->route, example.status));
    for (const auto& problem : problems) FAIL_CHECK(problem);
  }
  for (const auto& route : routes()) {
    const bool streams = route.pattern.ends_with("/follow") ||
                         route.pattern == "/v1/openapi.yaml" || route.pattern == "/v1/audit/export";
    CAPTURE(std::string(route.pattern));
    CHECK(seen.contains(&route) != streams);
  }
  for (const auto& where : validator.unchecked()) FAIL_CHECK(where << " was always empty");
}

// The parameter at fault when this request was refused for one; else "".
std::string fault_of(const Reply& reply) {
  if (reply.status != 400) return "";
  const auto error = json::parse(reply.body).as_object().at("error").as_object();
  return error.contains("parameter") ? std::string(error.at("parameter").as_string()) : "";
}

TEST_CASE("query parameters are taken up to the described limits and not beyond") {
  Fixture f;
  std::size_t checked = 0;
  for (const auto& route : routes()) {
    const auto& described = operation(route);
    if (route.method != "GET" || !described.contains("parameters")) continue;
    for (const auto& reference : described.at("parameters").as_array()) {
      const auto& parameter = follow_reference(reference.as_object());
      if (parameter.at("in").as_string() != "query") continue;
      const std::string name(parameter.at("name").as_string());
      const auto& schema = parameter.at("schema").as_object();
      std::string path(route.pattern);
      path += path.starts_with("/v1/metrics") && name != "host" ? "?host=web1&" : "?";
      const auto fault = [&](const std::string& value) {
        return fault_of(f.send("GET", path + name + "=" + value));
      };
      CAPTURE(path);
      CAPTURE(name);
      const std::string type(schema.at("type").as_string());
      if (type == "integer") {
        const auto least = schema.at("minimum").as_int64();
        CHECK(fault(std::to_string(least)) == "");
        CHECK(fault(std::to_string(least - 1)) == name);
        if (const auto* most = schema.if_contains("maximum")) {
          CHECK(fault(std::to_string(most->as_int64())) == "");
          CHECK(fault(std::to_string(most->as_int64() + 1)) == name);
        }
        CHECK(fault("x") == name);
        ++checked;
      } else if (const auto* choices = schema.if_contains("enum")) {
        for (const auto& choice : choices->as_array())
          CHECK(fault(std::string(choice.as_string())) == "");
        CHECK(fault("nothing") == name);
        ++checked;
      } else if (const auto* most = schema.if_contains("maxLength")) {
        const auto length = static_cast<std::size_t>(most->as_int64());
        CHECK(fault(std::string(length, 'A')) == "");
        CHECK(fault(std::string(length + 1, 'A')) == name);
        ++checked;
      } else if (type == "boolean") {
        CHECK(fault("true") == "");
        CHECK(fault("1") == name);
        ++checked;
      }
    }
  }
  CHECK(checked > 30);
}

// A value of this schema that is as large as allowed, or by one larger.
json::value largest(const json::object& schema, bool beyond) {
  const auto limit = [&](const char* name) {
    return schema.at(name).as_int64() + (beyond ? 1 : 0);
  };
  const std::string type(schema.at("type").as_string());
  if (type == "integer") return limit("maximum");
  if (type == "string")
    return json::value(std::string(static_cast<std::size_t>(limit("maxLength")), 'a'));
  if (type == "array") {
    json::array out;
    for (std::int64_t i = 0; i < limit("maxItems"); ++i) out.emplace_back("10.0.0.0/8");
    return out;
  }
  json::object out;
  for (std::int64_t i = 0; i < limit("maxProperties"); ++i) out["n" + std::to_string(i)] = "v";
  return out;
}

TEST_CASE("bodies are taken up to the described limits and not beyond") {
  Fixture f;
  const std::map<std::string, std::string> rest = {
      {"/v1/login", R"({"code":"c"})"},
      {"/v1/agents/{agent_id}/revoke", R"({"reason":"r"})"},
      {"/v1/tokens", "{}"},
      {"/v1/keys", R"({"user":"u","role":"viewer"})"},
      {"/v1/root", "{}"}};
  std::size_t checked = 0;
  for (const auto& one : rest) {
    const auto& pattern = one.first;
    const auto& base = one.second;
    std::string path = pattern;
    if (const auto open = path.find("{agent_id}"); open != std::string::npos)
      path.replace(open, 10, "db1-bbbbbbbb");
    const auto matched = match("POST", path);
    REQUIRE(matched);
    const auto& schema = follow_reference(operation(*matched->route).at("requestBody").as_object())
                             .at("content")
                             .as_object()
                             .at("application/json")
                             .as_object()
                             .at("schema")
                             .as_object();
    for (const auto& property : schema.at("properties").as_object()) {
      const std::string name(property.key());
      const auto& kind = property.value().as_object();
      CAPTURE(path);
      CAPTURE(name);
      const auto fault = [&](const json::value& value) {
        auto body = json::parse(base).as_object();
        body[name] = value;
        return fault_of(f.send("POST", path, "admin", json::serialize(body)));
      };
      if (const auto* least = kind.if_contains("minimum")) {
        CHECK(fault(*least) == "");
        CHECK(fault(least->as_int64() - 1) == name);
        ++checked;
      }
      if (const auto* least = kind.if_contains("minLength"); least != nullptr) {
        const std::string text(static_cast<std::size_t>(least->as_int64()) - 1, 'a');
        CHECK(fault(json::value(text)) == name);
      }
      const bool bounded = kind.contains("maximum") || kind.contains("maxLength") ||
                           kind.contains("maxItems") || kind.contains("maxProperties");
      if (bounded) {
        CHECK(fault(largest(kind, false)) == "");
        CHECK(fault(largest(kind, true)) == name);
        ++checked;
      } else {
        CHECK((kind.at("type").as_string() == "boolean" || kind.contains("enum")));
      }
      for (const char* inner : {"items", "additionalProperties"}) {
        const auto* element = kind.if_contains(inner);
        if (element == nullptr) continue;
        for (const bool beyond : {false, true}) {
          const auto text = largest(element->as_object(), beyond);
          const json::value value = std::string_view(inner) == "items"
                                        ? json::value(json::array{text})
                                        : json::value(json::object{{"n", text}});
          CHECK(fault(value) == (beyond ? name : ""));
        }
        ++checked;
      }
    }
  }
  CHECK(checked > 8);
}

TEST_CASE("tokens have the limits of the service that makes them") {
  const auto& token = document()
                          .at("components")
                          .as_object()
                          .at("requestBodies")
                          .as_object()
                          .at("NewToken")
                          .as_object();
  const std::string text = json::serialize(token);
  CHECK(text.find("\"maximum\":" + std::to_string(kMaxTokenLifetimeMs)) != std::string::npos);
  CHECK(text.find("\"maximum\":" + std::to_string(kMaxTokenUses)) != std::string::npos);
}

TEST_CASE("errors are as described too") {
  Fixture f;
  Validator validator;
  const auto& schema =
      document().at("components").as_object().at("schemas").as_object().at("Error").as_object();
  for (const std::string target :
       {"/v1/nope", "/v1/logs?limit=0", "/v1/metrics", "/v1/hosts/nope"}) {
    CAPTURE(target);
    const Reply reply = f.send("GET", target);
    CHECK(reply.status >= 400);
    const auto problems = validator.check(json::parse(reply.body), schema);
    for (const auto& problem : problems) FAIL_CHECK(problem);
  }
}

TEST_CASE("a live row is the row of a query") {
  Fixture f;
  Validator validator;
  for (const std::string kind : {"logs", "events"}) {
    const Reply reply = f.send("GET", "/v1/" + kind + "/follow");
    REQUIRE(reply.follower);
    const std::string frames = reply.follower->take(1U << 20);
    const std::string row = frames.substr(frames.find("data: {\"agent_id\"") == std::string::npos
                                              ? frames.find("data: {\"id\"")
                                              : frames.find("data: {\"agent_id\""));
    const auto value = json::parse(row.substr(6, row.find('\n') - 6));
    const auto& schema = document()
                             .at("components")
                             .as_object()
                             .at("schemas")
                             .as_object()
                             .at(kind == "logs" ? "LogRow" : "Event")
                             .as_object();
    const auto problems = validator.check(value, schema);
    for (const auto& problem : problems) FAIL_CHECK(problem);
  }
}

TEST_CASE("the server hands out the file") {
  Fixture f;
  const Reply reply = f.send("GET", "/v1/openapi.yaml", "");
  CHECK(reply.status == 200);
  CHECK(reply.body == files::read(OBSERVEAI_OPENAPI).value());
}

}  // namespace
}  // namespace observeai::controlplane::api
