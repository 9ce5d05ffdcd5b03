#include "agent/executor/docker_answers.h"

#include <doctest/doctest.h>

#include <boost/json.hpp>

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

const std::string kId(64, 'a');
const std::string kImage = "sha256:" + std::string(64, 'b');

std::string inspect(const std::string& more = "", const std::string& name = "/web",
                    const std::string& id = kId, const std::string& image = kImage) {
  return R"({"Id":")" + id + R"(","Name":")" + name + R"(","Image":")" + image + "\"" + more + "}";
}
std::string hash_of(const std::string& json) {
  const auto container = parse_container(json);
  REQUIRE(container);
  return container->configuration_hash;
}

}  // namespace

TEST_CASE("a container without what it is known by is none") {
  CHECK(parse_container(inspect()));
  CHECK_FALSE(parse_container("[]"));
  CHECK_FALSE(parse_container("{"));
  CHECK_FALSE(parse_container(""));
  CHECK_FALSE(parse_container(inspect("", "/")));
  CHECK_FALSE(parse_container(inspect("", "/a/b")));
  CHECK_FALSE(parse_container(inspect("", "/we\\nb")));
  CHECK_FALSE(parse_container(inspect("", "/-web")));
  CHECK_FALSE(parse_container(inspect("", "/" + std::string(256, 'w'))));
  CHECK_FALSE(parse_container(inspect("", "/web", std::string(63, 'a'))));
  CHECK_FALSE(parse_container(inspect("", "/web", std::string(64, 'A'))));
  CHECK_FALSE(parse_container(inspect("", "/web", kId, "sha256:" + std::string(63, 'b'))));
  CHECK_FALSE(parse_container(inspect("", "/web", kId, "busybox")));
}

TEST_CASE("a part of ObserveAI is known by any of its names, and by what it runs") {
  const auto is_ours = [](const std::string& more, const std::string& name = "/web") {
    return parse_container(inspect(more, name)).value().is_ours;
  };
  CHECK_FALSE(is_ours(""));
  CHECK_FALSE(is_ours("", "/observeai-demo-web"));
  CHECK_FALSE(is_ours(R"(,"Config":{"Image":"observeai-test:local"})"));
  CHECK_FALSE(is_ours(R"(,"Path":"/bin/sh","Args":["/demo/web.sh"],"Config":{"Image":"nginx:1"})"));
  CHECK(is_ours("", "/observeai-agent"));
  CHECK(is_ours("", "/site-observeai-agent-1"));
  CHECK(is_ours(R"(,"Config":{"Image":"registry.example/team/observeai-controlplane:2"})"));
  CHECK(is_ours(R"(,"Config":{"Labels":{"com.docker.compose.project":"observeai",)"
                R"("com.docker.compose.service":"broker"}})"));
  CHECK(is_ours(R"(,"Path":"/usr/bin/observeai-controlplane")"));
  CHECK(is_ours(R"(,"Path":"/sbin/tini","Args":["--","/usr/bin/observeai-agent"])"));
}

TEST_CASE("phases: what changes by itself is the same phase") {
  const auto phase = [](const char* status) {
    const auto container =
        parse_container(inspect(std::string(R"(,"State":{"Status":")") + status + "\"}"));
    return std::string(to_string(container.value().phase));
  };
  CHECK(phase("running") == "up");
  CHECK(phase("restarting") == "up");
  CHECK(phase("created") == "down");
  CHECK(phase("exited") == "down");
  CHECK(phase("paused") == "paused");
  CHECK(phase("removing") == "other");
  CHECK(phase("dead") == "other");
  CHECK(phase("") == "other");
}

TEST_CASE("the configuration covers what was asked for and nothing that moves") {
  const std::string base = hash_of(inspect());
  for (const char* moves :
       {R"(,"State":{"Status":"running","Pid":7,"StartedAt":"2026-01-01T00:00:00Z"})",
        R"(,"RestartCount":7)", R"(,"LogPath":"/x")", R"(,"Config":{})",
        R"(,"Config":{"Hostname":"aaaaaaaaaaaa","Env":null,"Labels":{}})",
        R"(,"HostConfig":{"Memory":0,"Binds":[],"Privileged":false})"}) {
    CHECK_MESSAGE(hash_of(inspect(moves)) == base, moves);
  }
  std::set<std::string> seen{base};
  for (const char* counts :
       {R"(,"Config":{"Hostname":"web"})", R"(,"Config":{"Env":["A="]})",
        R"(,"Config":{"Labels":{"a":""}})", R"(,"Config":{"Volumes":{"/data":{}}})",
        R"(,"Config":{"ExposedPorts":{"80/tcp":{}}})", R"(,"HostConfig":{"Memory":1})",
        R"(,"HostConfig":{"Privileged":true})", R"(,"HostConfig":{"Binds":["/:/host"]})",
        R"(,"Mounts":[{"Type":"bind","Source":"/","Destination":"/host","RW":true}])",
        R"(,"Mounts":[{"Type":"bind","Source":"/","Destination":"/host","RW":false}])",
        R"(,"NetworkSettings":{"Networks":{"host":{}}})",
        R"(,"NetworkSettings":{"Networks":{"back":{}}})",
        R"(,"NetworkSettings":{"Networks":{"back":{"IPAMConfig":{"IPv4Address":"10.0.0.2"}}}})",
        R"(,"NetworkSettings":{"Networks":{"back":{"Aliases":["db"]}}})"}) {
    CHECK_MESSAGE(seen.insert(hash_of(inspect(counts))).second, counts);
  }
  CHECK(seen.insert(hash_of(inspect("", "/other"))).second);
}

TEST_CASE("the order of keys and lists without order does not count") {
  CHECK(hash_of(inspect(R"(,"Config":{"User":"u","Tty":true})")) ==
        hash_of(inspect(R"(,"Config":{"Tty":true,"User":"u"})")));
  const auto aliases = [](const char* list) {
    return hash_of(inspect(std::string(R"(,"NetworkSettings":{"Networks":{"back":{"Aliases":)") +
                           list + R"(,"IPAddress":"10.0.0.3"}}})"));
  };
  CHECK(aliases(R"(["db","aaaaaaaaaaaa"])") == aliases(R"(["db"])"));
  CHECK(aliases(R"(["db","web"])") == aliases(R"(["web","db"])"));
  CHECK(aliases(R"(["db","web"])") != aliases(R"(["db"])"));
}

TEST_CASE("service and state") {
  const auto container = parse_container(inspect(
      R"(,"Config":{"Labels":{"com.docker.compose.project":"shop","com.docker.compose.service":"a\nb"}})"
      R"(,"HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":""},"Memory":9,"MemorySwap":-1})"
      R"(,"Mounts":[{"Type":"bind","RW":false},{"Type":"tmpfs","RW":true}])"));
  REQUIRE(container);
  CHECK(container->project == "shop");
  CHECK(container->service == "a\\x0ab");
  CHECK(container->service_label == "com.docker.compose.service=a\nb");
  CHECK(container->removed_when_stopped);
  CHECK(container->restart_policy == "no");
  CHECK(container->memory_bytes == 9);
  CHECK(container->memory_swap_bytes == -1);
  CHECK_FALSE(container->holds_state);
  CHECK(parse_container(inspect(R"(,"Mounts":[{"Type":"volume"}])"))->holds_state);
}

TEST_CASE("versions of the API") {
  const auto chosen = [](const std::string& json) {
    const auto version = parse_api_version(json);
    return version ? *version : std::string("none");
  };
  CHECK(chosen(R"({"ApiVersion":"1.41","MinAPIVersion":"1.12"})") == "1.41");
  CHECK(chosen(R"({"ApiVersion":"1.52","MinAPIVersion":"1.44"})") == "1.44");
  CHECK(chosen(R"({"ApiVersion":"1.52"})") == "1.41");
  CHECK(chosen(R"({"ApiVersion":"1.39"})") == "1.39");
  CHECK(chosen(R"({"ApiVersion":"1.39/../x"})") == "none");
  CHECK(chosen("{}") == "none");
}

TEST_CASE("memory in use is without the cache that can be given back") {
  CHECK(
      parse_memory_use(R"({"memory_stats":{"usage":100,"stats":{"inactive_file":30}}})").value() ==
      70);
  CHECK(
      parse_memory_use(
          R"({"memory_stats":{"usage":100,"stats":{"inactive_file":1,"total_inactive_file":40}}})")
          .value() == 60);
  CHECK(
      parse_memory_use(R"({"memory_stats":{"usage":100,"stats":{"inactive_file":300}}})").value() ==
      0);
  CHECK_FALSE(parse_memory_use(R"({"memory_stats":{}})"));
}

TEST_CASE("what goes into a path stays one segment") {
  CHECK(percent_encoded("a/../b?c=d e\n%") == "a%2f..%2fb%3fc%3dd%20e%0a%25");
  CHECK(percent_encoded("web_1.x-Y9") == "web_1.x-Y9");
  CHECK(parse_message(R"({"message":"No such\u0007 container"})") == "No such\\x07 container");
  CHECK(parse_message("<html>").empty());
}

TEST_CASE("a number beyond every range is no answer: it could not be written again") {
  CHECK(parse_object(R"({"a":[{"b":1e308}]})").has_value());
  CHECK_FALSE(parse_object(R"({"a":[{"b":1e309}]})").has_value());
  CHECK_FALSE(parse_array("[-1e999]").has_value());
}
