// What the console says of predictions.
#include "controlplane/cli/prediction_commands.h"

#include <sstream>

#include <doctest/doctest.h>
#include <boost/json.hpp>

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
  Fixture() {
    terminal.unicode = false;
    terminal.columns = 200;
  }
  void answer(const std::string& body) { http->next = http::Response{200, {}, body}; }
  bool says(const std::string& text) const { return out.str().find(text) != std::string::npos; }
};

// now_ms = 1,000,000; it is likely in 18 minutes.
const std::string kForecast =
    R"({"made_ms":1000000,"p":0.72,"early_ms":1720000,"likely_ms":2080000,"late_ms":2860000,)"
    R"("shape":"linear","per_hour":1073741824,"used":419430400,"limit":536870912})";
std::string row(const std::string& state, const std::string& more) {
  return R"({"id":"pr-3","agent_id":"a","hostname":"db1","kind":"container_memory",)"
         R"("target":"container/x","name":"shop","instance":"","unit":"bytes","clock":"slow",)"
         R"("horizon_ms":1800000,"state":")" +
         state + R"(","opened_ms":1000000,"first":)" + kForecast + R"(,"newest":)" + kForecast +
         R"(,"incident":"in-3","actions":[{"action":"docker.restart","parameters":{},)"
         R"("why":"frees it","command_line":"observeai plan create docker.restart"}],)" +
         more + "}";
}
const std::string kOpen = row("open", R"("before_action":null,"lead_ms":null,"error_ms":null)");

TEST_CASE("the list says what, when, how sure, why and what would help") {
  Fixture f;
  f.answer(R"({"now_ms":1000000,"predictions":[)" + kOpen + "]}");
  REQUIRE(list_predictions(f.context, {"open", "", ""}));
  CHECK(f.says("pr-3"));
  CHECK(f.says("shop on db1 runs out of memory"));
  CHECK(f.says("in 18m, between 12m and 31m"));
  CHECK(f.says("72 %"));
  CHECK(f.says("growing by 1.0 GiB an hour, linear"));
  CHECK(f.says("docker.restart"));
  CHECK(f.http->last.path == "/v1/predictions?state=open&limit=2000");
}

TEST_CASE("an empty list says where the others are") {
  Fixture f;
  f.answer(R"({"now_ms":1,"predictions":[]})");
  REQUIRE(list_predictions(f.context, {"open", "db1", "disk"}));
  CHECK(f.says("observeai predictions --all"));
  CHECK(f.http->last.path == "/v1/predictions?state=open&host=db1&kind=disk&limit=2000");
}

TEST_CASE("one prediction: the plot with limit and fan, the record, the command line") {
  Fixture f;
  f.answer(R"({"now_ms":1000000,"prediction":)" + kOpen +
           R"(,"samples":[{"ts_ms":100000,"used":209715200,"limit":536870912},)"
           R"({"ts_ms":1000000,"used":419430400,"limit":536870912}]})");
  REQUIRE(show_prediction(f.context, "pr-3"));
  CHECK(f.says("512.0 MiB |"));  // The limit is the top of the axis
  CHECK(f.says("observeai plan create docker.restart"));
  CHECK(f.says("which looks 30m ahead"));
  CHECK(f.says("early (10 %), likely (50 %), late (90 %)"));
  CHECK(f.says("in-3"));
  CHECK(f.http->last.path == "/v1/predictions/pr-3");
}

TEST_CASE("the fan opens from the last sample to the limit, and the limit is a level line") {
  Terminal terminal;
  terminal.unicode = false;
  terminal.columns = 60;
  const auto detail =
      boost::json::parse(R"({"prediction":)" + kOpen +
                         R"(,"samples":[{"ts_ms":100000,"used":209715200,"limit":536870912},)"
                         R"({"ts_ms":1000000,"used":419430400,"limit":536870912}]})");
  const auto text = prediction_plot(terminal, detail.as_object());
  const auto first = text.substr(0, text.find('\n'));
  CHECK(std::count(first.begin(), first.end(), '*') > 40);  // The limit, over the whole width
  const auto lines = std::count(text.begin(), text.end(), '\n');
  CHECK(lines == 13);
  CHECK(prediction_plot(terminal,
                        boost::json::parse(R"({"prediction":)" + kOpen + "}").as_object()) ==
        "no samples were kept\n");
}

TEST_CASE("a verdict is told with lead time and error") {
  Fixture f;
  f.answer(R"({"now_ms":9000000,"predictions":[)" +
           row("hit", R"("lead_ms":1080000,"error_ms":-60000,"reason":"killed")") + "," +
           row("false_alarm", R"("lead_ms":null,"error_ms":null,"reason":"it turned around")") +
           "]}");
  REQUIRE(list_predictions(f.context, {"all", "", ""}));
  CHECK(f.says("foretold 18m before, the first forecast was 1m too early"));
  CHECK(f.says("false alarm"));
  CHECK(f.says("it turned around"));
}

TEST_CASE("what was prevented says when it would have come") {
  Fixture f;
  f.answer(
      R"({"now_ms":9000000,"predictions":[)" +
      row("prevented",
          R"("acted":"plan p-1: docker.restart","acted_ms":1100000,"before_action":)" + kForecast) +
      "]}");
  REQUIRE(show_prevented(f.context, ""));
  CHECK(f.says("plan p-1: docker.restart"));
  CHECK(f.says("between"));
  CHECK(f.says("observeai predictions pr-3 --json"));
  CHECK(f.http->last.path == "/v1/predictions?state=prevented&limit=2000");
}

TEST_CASE("accuracy: what is not known is a dash, never 0") {
  Fixture f;
  f.answer(
      R"({"accuracy":[{"kind":"","hits":3,"misses":1,"false_alarms":0,"prevented":2,"unknown":0,)"
      R"("precision":1.0,"recall":0.75,"useful_recall":null,"lead_median_ms":1080000,)"
      R"("lead_p10_ms":null,"error_median_ms":null,"brier":0.04,"skill":null,"stated":5,)"
      R"("bins":[{"stated":5,"happened":1,"mean_p":0.1}]}]})");
  REQUIRE(show_accuracy(f.context, "db1", ""));
  CHECK(f.says("100 %"));
  CHECK(f.says("75 %"));
  CHECK(f.says("18m"));
  CHECK(f.says("20 %"));
  CHECK(f.says(" - "));
  CHECK(f.http->last.path == "/v1/predict/accuracy?host=db1");
}

TEST_CASE("the switch posts and shows; off is said with who did it") {
  Fixture f;
  f.answer(R"({"running":true,"enabled":false,"by":"alice","since_ms":5})");
  REQUIRE(enable_predictions(f.context, false));
  CHECK(f.http->posted == std::vector<std::string>{R"({"enabled":false})"});
  CHECK(f.says("turned off by alice"));
}

TEST_CASE("cold resources say how much is missing") {
  Fixture f;
  f.answer(R"({"running":true,"enabled":true,"step_ms":60000,"fast_step_ms":10000,"open":0,)"
           R"("followed":{"disk":2},"cold_count":1,"counters":{},"cold":[{"kind":"disk",)"
           R"("target":"host","instance":"/data","missing_ms":240000}]})");
  REQUIRE(show_outlook(f.context));
  CHECK(f.says("2 (disk 2)"));
  CHECK(f.says("/data"));
  CHECK(f.says("4m more"));
}

TEST_CASE("many cold resources are told by kind, with the longest wait") {
  Fixture f;
  std::string cold;
  for (int i = 1; i <= 40; ++i) {
    cold += (i == 1 ? "" : ",") + std::string(R"({"kind":"disk","target":"host","instance":"/p)") +
            std::to_string(i) + R"(","missing_ms":)" + std::to_string(i * 60'000) + "}";
  }
  f.answer(R"({"running":true,"enabled":true,"step_ms":60000,"fast_step_ms":10000,"open":0,)"
           R"("followed":{"disk":40},"cold_count":40,"counters":{},"cold":[)" +
           cold + "]}");
  REQUIRE(show_outlook(f.context));
  CHECK(f.says("/p1, /p2, /p3 ..."));
  CHECK(f.says("40m more"));
  CHECK_FALSE(f.says("/p4"));
}

TEST_CASE("incidents: the list, and one with what would help") {
  Fixture f;
  const std::string one =
      R"({"id":"in-3","title":"shop on db1 runs out of memory","state":"open","opened_ms":1000,)"
      R"("closed_ms":0,"prediction":"pr-3","actions":[{"action":"docker.restart","why":"frees it",)"
      R"("command_line":"observeai plan create docker.restart --incident in-3"}]})";
  f.answer(R"({"now_ms":2000,"incidents":[)" + one + "]}");
  REQUIRE(list_incidents(f.context));
  CHECK(f.says("shop on db1"));
  f.answer(one);
  REQUIRE(show_incident(f.context, "in-3"));
  CHECK(f.says("observeai plan create docker.restart --incident in-3"));
  CHECK(f.http->last.path == "/v1/incidents/in-3");
}

TEST_CASE("no text of a server reaches the terminal as it is") {
  const std::string bad = R"("\u001b[31mx")";
  std::string body = R"({"now_ms":1,"running":true,"enabled":true,"cold_count":1,"followed":{B:1},
    "cold":[{"kind":B,"target":B,"instance":B}],"accuracy":[{"kind":B,"stated":1,"bins":[]}],
    "predictions":[R],"prediction":R,"incidents":[R],"samples":[{"ts_ms":1,"used":1,"limit":2},
    {"ts_ms":2,"used":1,"limit":2}],"id":B,"title":B,"state":B,"prediction_":B,"actions":[A]})";
  const std::string row_text =
      R"({"id":B,"kind":B,"hostname":B,"target":B,"name":B,"instance":B,"unit":B,"clock":B,
      "state":B,"reason":B,"acted":B,"incident":B,"title":B,"outcome":B,"prediction":B,
      "first":F,"newest":F,"before_action":F,"actions":[A]})";
  const auto replace = [](std::string& text, char what, const std::string& by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
      text.replace(at, 1, by);
  };
  replace(body, 'R', row_text);
  replace(body, 'F', R"({"shape":B,"made_ms":1,"likely_ms":3})");
  replace(body, 'A', R"({"action":B,"why":B,"command_line":B})");
  replace(body, 'B', bad);
  using Command = std::function<Result<void>(Context&)>;
  const std::vector<Command> commands = {
      [](Context& c) {
        return list_predictions(c, {"open", "", ""});
      },
      [](Context& c) {
        return list_predictions(c, {"all", "", ""});
      },
      [](Context& c) { return show_prediction(c, "x"); },
      [](Context& c) { return show_prevented(c, ""); },
      [](Context& c) { return show_outlook(c); },
      [](Context& c) { return show_accuracy(c, "", ""); },
      [](Context& c) { return list_incidents(c); },
      [](Context& c) { return show_incident(c, "x"); },
  };
  for (const auto& command : commands) {
    Fixture f;
    f.answer(body);
    REQUIRE(command(f.context));
    CHECK(f.out.str().find("\\x1b[31m") != std::string::npos);
    CHECK(f.out.str().find('\x1b') == std::string::npos);
  }
}

}  // namespace
}  // namespace observeai::controlplane::cli
