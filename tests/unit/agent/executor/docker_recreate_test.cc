#include "agent/executor/docker_recreate.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "agent/executor/docker_answers.h"

using namespace observeai;
using namespace observeai::agent::executor;
namespace json = boost::json;

namespace {

json::object object(const std::string& text) {
  auto parsed = parse_object(text);
  REQUIRE(parsed);
  return *parsed;
}
// What is left of `effective` when the image's part is taken away, with empty values left out.
std::string user(const std::string& effective, const std::string& image) {
  json::object shown;
  shown["Config"] = user_config(object(effective), object(image));
  return canonical_json(json::value(object_at(configuration_of(shown), "Config")));
}
std::string moved(const std::string& effective, const std::string& from, const std::string& to) {
  json::object shown;
  shown["Config"] = merged_config(user_config(object(effective), object(from)), object(to));
  return canonical_json(json::value(object_at(configuration_of(shown), "Config")));
}
Image image(const std::string& config, char digit = 'c') {
  return {"sha256:" + std::string(64, digit), "linux/amd64", {}, object(config)};
}

const std::string kInspect =
    R"({"Id":")" + std::string(64, 'a') + R"(","Name":"/web","Image":"old",)";

}  // namespace

TEST_CASE("single values: the image's follow it, the user's stay") {
  CHECK(user(R"({"User":"web","WorkingDir":"/srv"})", R"({"User":"web"})") ==
        R"({"WorkingDir":"/srv"})");
  CHECK(moved(R"({"User":"web","WorkingDir":"/srv"})", R"({"User":"web","WorkingDir":"/"})",
              R"({"User":"www","WorkingDir":"/new"})") == R"({"User":"www","WorkingDir":"/srv"})");
  CHECK(moved(R"({"StopSignal":"KILL"})", R"({"StopSignal":"KILL"})", "{}") == "{}");
}

TEST_CASE("environment: by variable, the user's first") {
  CHECK(user(R"({"Env":["A=1","B=2","C=3"]})", R"({"Env":["B=2","C=4"]})") ==
        R"({"Env":["A=1","C=3"]})");
  CHECK(moved(R"({"Env":["A=1","B=2"]})", R"({"Env":["B=2"]})", R"({"Env":["A=9","B=3","D=4"]})") ==
        R"({"Env":["A=1","B=3","D=4"]})");
  // A variable without value, and one whose name begins like another's.
  CHECK(moved(R"({"Env":["A","AB=1"]})", R"({"Env":["AB=1"]})", R"({"Env":["A=2","AB=2"]})") ==
        R"({"Env":["A","AB=2"]})");
}

TEST_CASE("labels, ports and volumes: by name") {
  CHECK(user(R"({"Labels":{"a":"1","b":"2"},"Volumes":{"/x":{},"/y":{}}})",
             R"({"Labels":{"b":"2","c":"3"},"Volumes":{"/y":{}}})") ==
        R"({"Labels":{"a":"1"},"Volumes":{"/x":{}}})");
  CHECK(moved(R"({"ExposedPorts":{"80/tcp":{},"81/tcp":{}}})", R"({"ExposedPorts":{"81/tcp":{}}})",
              R"({"ExposedPorts":{"82/tcp":{}}})") ==
        R"({"ExposedPorts":{"80/tcp":{},"82/tcp":{}}})");
}

TEST_CASE("command and entrypoint") {
  const std::string from = R"({"Entrypoint":["e"],"Cmd":["c"]})";
  const std::string to = R"({"Entrypoint":["E"],"Cmd":["C"]})";
  CHECK(moved(from, from, to) == R"({"Cmd":["C"],"Entrypoint":["E"]})");
  CHECK(moved(R"({"Entrypoint":["e"],"Cmd":["mine"]})", from, to) ==
        R"({"Cmd":["mine"],"Entrypoint":["E"]})");
  CHECK(moved(R"({"Entrypoint":["mine"],"Cmd":["c"]})", from, to) ==
        R"({"Cmd":["c"],"Entrypoint":["mine"]})");
  CHECK(moved(R"({"Entrypoint":["mine"]})", from, to) == R"({"Entrypoint":["mine"]})");
  // The image's entrypoint, said by the user: that took the image's command away.
  CHECK(moved(R"({"Entrypoint":["e"]})", from, to) == R"({"Entrypoint":["e"]})");
  // None, said by the user.
  CHECK(moved(R"({"Cmd":["mine"]})", from, to) == R"({"Cmd":["mine"]})");
  CHECK(user(R"({"Cmd":["mine"]})", from) == R"({"Cmd":["mine"],"Entrypoint":[""]})");
  CHECK(moved(R"({"Cmd":["c"]})", R"({"Cmd":["c"]})", to) == R"({"Cmd":["C"],"Entrypoint":["E"]})");
}

TEST_CASE("a health check: each part by itself") {
  const std::string from = R"({"Healthcheck":{"Test":["CMD","old"],"Interval":1}})";
  const std::string to = R"({"Healthcheck":{"Test":["CMD","new"],"Interval":2,"Retries":3}})";
  CHECK(moved(from, from, to) ==
        R"({"Healthcheck":{"Interval":2,"Retries":3,"Test":["CMD","new"]}})");
  CHECK(moved(R"({"Healthcheck":{"Test":["CMD","old"],"Interval":9}})", from, to) ==
        R"({"Healthcheck":{"Interval":9,"Retries":3,"Test":["CMD","new"]}})");
  CHECK(moved(R"({"Healthcheck":{"Test":["NONE"]}})", "{}", "{}") ==
        R"({"Healthcheck":{"Test":["NONE"]}})");
  CHECK(moved(from, from, "{}") == "{}");
}

TEST_CASE("a container that its image cannot have filled up is not recreated") {
  // The image has a label that the container has not: the engine would never have made it so.
  const auto plan = plan_recreation(object(kInspect + R"("Config":{"Labels":{}}})"),
                                    image(R"({"Labels":{"a":"1"}})"), image("{}"), "web:1");
  CHECK_FALSE(plan);
}

TEST_CASE("anonymous volumes are mounted by the names that they got") {
  const auto inspect = object(kInspect +
                              R"("Config":{"Hostname":"aaaaaaaaaaaa","Volumes":{"/anon":{}}},
      "HostConfig":{"Binds":["named:/named/","/bare"],"Mounts":[{"Type":"volume","Target":"/mounted"},
        {"Type":"bind","Source":"/srv","Target":"/srv"}]},
      "Mounts":[{"Type":"volume","Name":"named","Destination":"/named","RW":true},
        {"Type":"volume","Name":"v1","Destination":"/anon","RW":true},
        {"Type":"volume","Name":"v2","Destination":"/mounted","RW":false},
        {"Type":"volume","Name":"v3","Destination":"/bare","RW":true},
        {"Type":"bind","Source":"/srv","Destination":"/srv","RW":true}]})");
  const auto plan =
      plan_recreation(inspect, image("{}"), image(R"({"Volumes":{"/fresh":{}}})"), "web:1");
  REQUIRE(plan);
  const auto body = object(plan->create);
  CHECK(text_at(body, "Hostname").empty());
  CHECK(text_at(body, "Image") == "web:1");
  const auto& host = object_at(body, "HostConfig");
  CHECK(canonical_json(json::value(array_at(host, "Binds"))) == R"(["named:/named/"])");
  CHECK(canonical_json(json::value(array_at(host, "Mounts"))) ==
        R"([{"Source":"v2","Target":"/mounted","Type":"volume"},)"
        R"({"Source":"/srv","Target":"/srv","Type":"bind"},)"
        R"({"ReadOnly":false,"Source":"v1","Target":"/anon","Type":"volume"},)"
        R"({"ReadOnly":false,"Source":"v3","Target":"/bare","Type":"volume"}])");
  const auto changes = changes_between("web", plan->before, plan->expected);
  REQUIRE(changes.size() == 6);
  CHECK(changes[5] == wire::Change{"mount /fresh of web", "not set", "volume (new)"});
}

TEST_CASE("what is made says by whom and instead of what, in a dry run too") {
  const std::string command(32, '5');
  const auto before = object(kInspect + R"("Config":{"Labels":{"mine":"1",)"
                                        R"("observeai.made_by":"an earlier command"}}})");
  const auto dry = plan_recreation(before, image("{}"), image("{}"), "web:1");
  const auto plan = plan_recreation(before, image("{}"), image("{}"), "web:1", command);
  REQUIRE((dry && plan));
  CHECK(plan->expected == dry->expected);
  const auto body = object(plan->create);
  const auto& labels = object_at(body, "Labels");
  CHECK(text_at(labels, kMadeByLabel) == command);
  CHECK(text_at(labels, kReplacesLabel) == text_at(before, "Id"));
  CHECK(text_at(labels, "mine") == "1");
  const auto shown = changes_between("web", dry->before, dry->expected);
  CHECK(std::find(shown.begin(), shown.end(),
                  wire::Change{"label observeai.made_by of web", "an earlier command",
                               "this command"}) != shown.end());
  // As the engine shows what was made.
  const auto made = object(kInspect + R"("Config":)" + boost::json::serialize(body) + "}");
  const auto label = [&](const std::string& of) {
    const auto shape = comparable(made, {}, of);
    return std::string(text_at(object_at(object_at(shape, "Config"), "Labels"), kMadeByLabel));
  };
  CHECK(label(command) == "this command");
  CHECK(label("another") == command);
  CHECK(label("") == command);
}

TEST_CASE("networks: the first at creation, the others before the start, the user's part only") {
  const std::string networks =
      R"("NetworkSettings":{"Networks":{
        "back":{"IPAMConfig":null,"Aliases":["db","aaaaaaaaaaaa"],"IPAddress":"10.0.0.4","NetworkID":"n2"},
        "front":{"IPAMConfig":{"IPv4Address":"10.0.1.4"},"Aliases":null,"NetworkID":"n1"}}}})";
  const auto plan_in = [&](const std::string& mode) {
    const auto plan = plan_recreation(
        object(kInspect + R"("HostConfig":{"NetworkMode":")" + mode + "\"}," + networks),
        image("{}"), image("{}"), "web:1");
    REQUIRE(plan);
    return *plan;
  };
  const auto by_name = plan_in("front");
  CHECK(canonical_json(json::value(object_at(object(by_name.create), "NetworkingConfig"))) ==
        R"({"EndpointsConfig":{"front":{"IPAMConfig":{"IPv4Address":"10.0.1.4"}}}})");
  REQUIRE(by_name.join.size() == 1);
  CHECK(by_name.join[0].name == "back");
  CHECK(by_name.join[0].endpoint == R"({"Aliases":["db"]})");
  CHECK(by_name.leave.empty());
  CHECK(plan_in("n1").join.size() == 1);
  const auto left = plan_in("none");
  CHECK(left.leave == "none");
  CHECK(left.join.size() == 2);
  CHECK(plan_in("default").leave == "bridge");
  CHECK(plan_in("container:" + std::string(64, 'b')).join.empty());
}

TEST_CASE("an image's names: whole ones only") {
  const auto parsed = parse_image(R"({"Id":"sha256:)" + std::string(64, 'd') +
                                  R"(","Os":"linux","Architecture":"amd64",
      "RepoTags":["web:1","host:5000/web:latest"],"RepoDigests":["web@sha256:ab"]})");
  REQUIRE(parsed);
  CHECK(parsed->platform == "linux/amd64");
  for (const char* name : {"web:1", "docker.io/library/web:1", "docker.io/web:1", "host:5000/web",
                           "host:5000/web:latest", "web@sha256:ab"}) {
    CHECK_MESSAGE(is_named(*parsed, name), name);
  }
  CHECK(is_named(*parsed, "sha256:" + std::string(64, 'd')));
  for (const char* name : {"web", "dddddddddddd", "sha256:dddd", "", "web:", "web:11", "WEB:1"}) {
    CHECK_MESSAGE(!is_named(*parsed, name), name);
  }
}

TEST_CASE("values of the environment are not told") {
  const auto inspect = object(kInspect + R"("Config":{"Env":["TOKEN=hunter2","KEPT=hunter3"]}})");
  const auto plan = plan_recreation(inspect, image(R"({"Env":["TOKEN=hunter2"]})"),
                                    image(R"({"Env":["TOKEN=hunter4","MORE=hunter5"]})"), "web:1");
  REQUIRE(plan);
  std::string text;
  for (const auto& change : changes_between("web", plan->before, plan->expected)) {
    text += change.what + "|" + change.before + "|" + change.after + "\n";
  }
  CHECK(text.find("environment TOKEN of web|set|set to another value\n") != std::string::npos);
  CHECK(text.find("environment MORE of web|not set|set\n") != std::string::npos);
  CHECK(text.find("hunter") == std::string::npos);
  CHECK(text.find("KEPT") == std::string::npos);
}
