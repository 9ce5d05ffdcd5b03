#include "agent/discovery/docker_json.h"

#include <doctest/doctest.h>

#include "agent/discovery/stream_split.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "tests/support/fake_docker.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

std::string recorded(const std::string& name) {
  auto text = files::read(OBSERVEAI_TEST_DATA "/agent/discovery/docker/" + name);
  REQUIRE(text);
  return *text;
}

// Enough of a redactor to see where it is used.
std::string hide_password(std::string_view text) {
  std::string out(text);
  for (std::size_t at; (at = out.find("hunter2")) != std::string::npos;) out.replace(at, 7, "***");
  return out;
}
const RedactText kRedact = hide_password;

const std::string kId = test::fake_id(1);

wire::Container inspect(const std::string& json) {
  auto container = parse_inspect(json, kRedact);
  REQUIRE(container);
  return container->facts;
}

}  // namespace

TEST_CASE("the inspection of a running container, as Docker 20.10 gives it") {
  const auto container = parse_inspect(recorded("inspect_running.json"), kRedact);
  REQUIRE(container);
  const auto& facts = container->facts;
  CHECK(facts.id == "b5d26c956c8071c773f85c70ef2e4852535a39a7add3a44fa377ea857abba8cd");
  CHECK(facts.name == "long");
  CHECK(facts.image == "busybox");
  CHECK(facts.image_id.substr(0, 19) == "sha256:239d8835ba22");
  CHECK(facts.runtime == "docker");
  CHECK(facts.state == "running");
  CHECK(facts.health.empty());
  CHECK(facts.project == "shop");
  CHECK(facts.service == "web");
  CHECK(facts.command == "sleep 100");
  CHECK(text::format_time_ms(facts.created_ms) == "2026-11-21T08:13:16.394Z");
  CHECK(facts.started_ms > facts.created_ms);
  CHECK(facts.pid > 1);
  CHECK(facts.memory_limit_bytes == 64U << 20);
  CHECK(facts.cpu_limit_cores == 0.5);
  CHECK(facts.pids_limit == 50);
  CHECK(facts.log_driver == "json-file");
  CHECK(container->log_path ==
        "/var/lib/docker/containers/" + facts.id + "/" + facts.id + "-json.log");
  CHECK(facts.labels.size() == 3);
  CHECK(facts.labels[0] == wire::Label{"a", "b"});
}

TEST_CASE("the inspection of a container that was killed for its memory") {
  const auto facts = inspect(recorded("inspect_oom.json"));
  CHECK(facts.state == "exited");
  CHECK(facts.exit_code == 137);
  CHECK(facts.oom_killed);
  CHECK(facts.pid == 0);
  CHECK(facts.memory_limit_bytes == 16U << 20);
  CHECK(facts.finished_ms > facts.started_ms);
  CHECK(facts.service == "oom");
}

TEST_CASE("the list and the events, as Docker 20.10 gives them") {
  std::vector<ListEntry> entries;
  ArraySplitter splitter(1U << 20);
  CHECK(splitter.feed(recorded("list.json"), [&](std::string_view element) {
    auto entry = parse_list_entry(element, kRedact, {});
    REQUIRE(entry);
    entries.push_back(std::move(*entry));
  }));
  CHECK(splitter.finished());
  REQUIRE(entries.size() == 3);
  REQUIRE(entries[0].container);
  CHECK(entries[0].container->facts.name == "oom");
  CHECK(entries[0].container->facts.state == "exited");
  CHECK(entries[0].container->facts.exit_code == 137);
  CHECK(entries[1].container->facts.service == "web");
  CHECK(entries[2].container->facts.exit_code == 0);

  std::vector<std::string> seen;
  LineSplitter lines(1U << 20);
  lines.feed(recorded("events.jsonl"), [&](std::string_view line) {
    const auto event = parse_event(line, kRedact);
    REQUIRE(event);
    seen.push_back(event->action + " " + event->container.name);
    CHECK(event->ts_ns > 1'795'248'796'000'000'000);
    if (event->action == "die")
      CHECK(event->exit_code == (event->container.name == "oom" ? 137 : 0));
    if (event->container.name == "long") CHECK(event->container.service == "web");
  });
  const std::vector<std::string> expected = {
      "create short", "attach short", "start short", "die short", "create long", "start long",
      "create oom",   "attach oom",   "start oom",   "oom oom",   "die oom"};
  CHECK(seen == expected);
}

TEST_CASE("secrets in command lines and labels are redacted; without a redactor nothing is told") {
  const std::string json = R"({"Id":")" + kId +
                           R"(","Name":"/x","Path":"mysql","Args":["-p","hunter2"],)"
                           R"("Config":{"Labels":{"auth":"u:hunter2"},"Env":["P=hunter2"]}})";
  auto facts = inspect(json);
  CHECK(facts.command == "mysql -p ***");
  CHECK(facts.labels == wire::Labels{{"auth", "u:***"}});
  facts = parse_inspect(json, {})->facts;
  CHECK(facts.command.empty());
  CHECK(facts.labels == wire::Labels{{"auth", ""}});
  const auto listed =
      parse_list_entry(R"({"Id":")" + kId + R"(","Command":"mysql -phunter2"})", kRedact, {});
  CHECK(listed->container->facts.command == "mysql -p[REDACTED:password]");
  // A secret that the cut would halve is found first.
  const std::string long_args(kMaxCommandBytes - 8, 'a');
  facts = inspect(R"({"Id":")" + kId + R"(","Path":")" + long_args + R"(","Args":["hunter2"]})");
  CHECK(facts.command == long_args + " ***");
}

TEST_CASE("missing and odd fields become defaults; without an id there is nothing") {
  CHECK(inspect(R"({"Id":")" + kId + "\"}").state == "unknown");
  const auto odd = inspect(
      R"({"Id":")" + kId +
      R"(","Name":7,"State":{"Status":"levitating","Pid":-5,"ExitCode":"x","OOMKilled":"yes",)"
      R"("StartedAt":"0001-01-01T00:00:00Z","FinishedAt":"not a time","Health":[]},)"
      R"("HostConfig":{"Memory":-1,"NanoCpus":"1","PidsLimit":null,"LogConfig":{"Type":"journald"}},)"
      R"("LogPath":"/x","Config":{"Labels":{"n":1,"ok":"v","":"empty"}},)"
      R"("NetworkSettings":{"Ports":{"99999/tcp":null,"x":null,"80/tcp":[{"HostIp":"::","HostPort":"8x"}]}}})");
  CHECK(odd.state == "unknown");
  CHECK(odd.pid == 0);
  CHECK(odd.exit_code == 0);
  CHECK_FALSE(odd.oom_killed);
  CHECK(odd.started_ms == 0);
  CHECK(odd.finished_ms == 0);
  CHECK(odd.memory_limit_bytes == 0);
  CHECK(odd.pids_limit == 0);
  CHECK(odd.labels == wire::Labels{{"ok", "v"}});
  CHECK(odd.ports == std::vector<wire::PortMapping>{{"tcp", 80, 0, "::"}});
  CHECK(parse_inspect(R"({"Id":")" + kId +
                          R"(","LogPath":"/x","HostConfig":{"LogConfig":{"Type":"journald"}}})",
                      kRedact)
            ->log_path.empty());

  for (const char* text :
       {"", "{", "[]", "7", "null", "{}", R"({"Id":"abc"})", R"({"Id":{}})", "\xff\xfe"}) {
    CAPTURE(text);
    CHECK(parse_inspect(text, kRedact).error().code() == Errc::kCorrupt);
    CHECK(parse_list_entry(text, kRedact, {}).error().code() == Errc::kCorrupt);
    CHECK(parse_event(text, kRedact).error().code() == Errc::kCorrupt);
    CHECK(parse_version(text).error().code() == Errc::kCorrupt);
  }
}

TEST_CASE("limits, ports and health of an inspection") {
  const auto facts = inspect(
      R"({"Id":")" + kId +
      R"(","State":{"Status":"running","Health":{"Status":"unhealthy"}},)"
      R"("HostConfig":{"CpuQuota":150000,"CpuPeriod":0,"PidsLimit":-1},"RestartCount":3,)"
      R"("NetworkSettings":{"Ports":{"443/tcp":[{"HostIp":"0.0.0.0","HostPort":"8443"},{"HostIp":"::","HostPort":"8443"}],)"
      R"("53/udp":null}}})");
  CHECK(facts.health == "unhealthy");
  CHECK(facts.cpu_limit_cores == 1.5);
  CHECK(facts.pids_limit == 0);
  CHECK(facts.restart_count == 3);
  CHECK(facts.ports == std::vector<wire::PortMapping>{{"tcp", 443, 8443, "0.0.0.0"},
                                                      {"tcp", 443, 8443, "::"},
                                                      {"udp", 53, 0, ""}});
}

TEST_CASE("lists and texts are cut at their limits") {
  std::string labels;
  for (int i = 0; i < 200; ++i) {
    if (i > 0) labels += ",";
    labels += "\"l" + std::to_string(1000 + i) + "\":\"" + std::string(600, 'v') + "\"";
  }
  std::string ports;
  for (int i = 1; i <= 300; ++i)
    ports += (i > 1 ? ",\"" : "\"") + std::to_string(i) + "/tcp\":null";
  std::string name;
  for (int i = 0; i < 200; ++i) name += "ä";  // Two bytes each: must not be cut within one.
  const auto facts =
      inspect(R"({"Id":")" + kId + R"(","Name":"/x)" + name + R"(","Config":{"Labels":{)" + labels +
              R"(}},"NetworkSettings":{"Ports":{)" + ports + "}}}");
  CHECK(facts.labels.size() == kMaxLabels);
  CHECK(facts.labels.front().name == "l1000");
  CHECK(facts.labels.front().value.size() == kMaxLabelValueBytes);
  CHECK(facts.ports.size() == kMaxPorts);
  CHECK(facts.name.size() == kMaxNameBytes - 1);
  CHECK(text::is_valid_utf8(facts.name));
  CHECK(parse_inspect(std::string(100'000, '['), kRedact).error().code() == Errc::kCorrupt);
}

TEST_CASE("who a container works for") {
  const auto service = [](const std::string& name, const std::string& labels) {
    const auto facts = inspect(R"({"Id":")" + kId + R"(","Name":"/)" + name +
                               R"(","Config":{"Labels":{)" + labels + "}}}");
    return facts.project + "|" + facts.service;
  };
  CHECK(service("x", R"("com.docker.compose.project":"p","com.docker.compose.service":"s")") ==
        "p|s");
  CHECK(
      service("x", R"("com.docker.stack.namespace":"st","com.docker.swarm.service.name":"st_w")") ==
      "st|st_w");
  CHECK(
      service(
          "k8s_app_pod_ns_uid_0",
          R"("io.kubernetes.container.name":"app","io.kubernetes.pod.name":"pod","io.kubernetes.pod.namespace":"ns")") ==
      "ns|app");
  CHECK(service("shop-web-12", "") == "|shop-web");
  CHECK(service_from_name("shop_web_2") == "shop_web");
  CHECK(service_from_name("web.1") == "web");
  CHECK(service_from_name("redis7") == "redis7");
  CHECK(service_from_name("web-v2") == "web-v2");
  CHECK(service_from_name("job-20261121") == "job-20261121");
  CHECK(service_from_name("-1") == "-1");
  CHECK(service_from_name("7") == "7");
  CHECK(service_from_name("") == "");
}

TEST_CASE("a list entry that is known is not parsed further; running time does not change it") {
  const auto entry = [](const std::string& status, const std::string& extra) {
    return R"({"Id":")" + kId + R"(","Names":["/web"],"State":"running","Status":")" + status +
           "\"" + extra + "}";
  };
  const auto first = parse_list_entry(entry("Up 3 seconds", ""), kRedact, {});
  const auto later = parse_list_entry(entry("Up 2 hours", ""), kRedact, {});
  CHECK(first->fingerprint == later->fingerprint);
  CHECK(first->fingerprint !=
        parse_list_entry(entry("Up 2 hours (unhealthy)", ""), kRedact, {})->fingerprint);
  CHECK(first->fingerprint !=
        parse_list_entry(entry("Up 2 hours", R"(,"Labels":{"a":"b"})"), kRedact, {})->fingerprint);
  const auto known =
      parse_list_entry(entry("Up", ""), kRedact, [&](const std::string& id, std::uint64_t print) {
        return id == kId && print == first->fingerprint;
      });
  CHECK_FALSE(known->container);
  CHECK(first->container->facts.name == "web");
  const auto health = parse_list_entry(entry("Up 1 second (health: starting)", ""), kRedact, {});
  CHECK(health->container->facts.health == "starting");
}

TEST_CASE("the API version spoken") {
  const auto negotiated = [](const char* api, const char* lowest) {
    const auto version = parse_version(std::string(R"({"Version":"x","ApiVersion":")") + api +
                                       R"(","MinAPIVersion":")" + lowest + "\"}");
    return version ? negotiated_api(*version) : "refused";
  };
  CHECK(negotiated("1.41", "1.12") == "1.41");
  CHECK(negotiated("1.38", "1.12") == "1.38");
  CHECK(negotiated("1.9", "") == "1.9");
  CHECK(negotiated("1.52", "1.44") == "1.44");
  CHECK(negotiated("2.0", "1.44") == "1.44");
  CHECK(negotiated("1.41", "junk") == "1.41");
  CHECK(negotiated("junk", "1.12") == "refused");
  CHECK(negotiated("", "") == "refused");
}

TEST_CASE("odd events") {
  const std::string head =
      R"({"Type":"container","Actor":{"ID":")" + kId + R"(","Attributes":{"name":"n"}},)";
  auto event = parse_event(head + R"("Action":"health_status: unhealthy","time":5})", kRedact);
  REQUIRE(event);
  CHECK(event->action == "health_status");
  CHECK(event->detail == "unhealthy");
  CHECK(event->ts_ns == 5'000'000'000);
  event = parse_event(head + R"("Action":"exec_create: mysql -phunter2"})", kRedact);
  CHECK(event->action == "exec_create");
  CHECK(event->detail.empty());
  CHECK(
      parse_event(R"({"Type":"network","Action":"connect","Actor":{"ID":")" + kId + "\"}}", kRedact)
          .error()
          .code() == Errc::kCorrupt);
  // Podman and Docker before 1.10 fill only these.
  event = parse_event(R"({"status":"start","id":")" + kId + "\"}", kRedact);
  CHECK(event->action == "start");
  CHECK(event->container.id == kId);
}

TEST_CASE("a list arrives in pieces of any size") {
  const std::string list = R"( [ {"a":"x]}\"[","b":[{}]} , {"c":{}},{} ] )";
  for (std::size_t size = 1; size <= list.size(); ++size) {
    ArraySplitter splitter(100);
    std::vector<std::string> elements;
    for (std::size_t at = 0; at < list.size(); at += size) {
      REQUIRE(splitter.feed(std::string_view(list).substr(at, size),
                            [&](std::string_view element) { elements.emplace_back(element); }));
    }
    CHECK(splitter.finished());
    CHECK(elements == std::vector<std::string>{R"({"a":"x]}\"[","b":[{}]})", R"({"c":{}})", "{}"});
  }
}

TEST_CASE("an element at the limit passes, one beyond is left out and counted") {
  const auto ignore_element = [](std::string_view) {};
  std::size_t count = 0;
  const auto counting = [&](std::string_view) { ++count; };
  ArraySplitter splitter(8);
  CHECK(splitter.feed(R"([{"a":12},{"a":123},{}])", counting));
  CHECK(count == 2);
  CHECK(splitter.oversized() == 1);
  CHECK(splitter.finished());
  for (const char* text : {"{}", "x", "[1]", "[\"a\"]", "[]]", "[{}]x", "[[]]"}) {
    CAPTURE(text);
    ArraySplitter bad(8);
    CHECK_FALSE(bad.feed(text, ignore_element));
  }
  ArraySplitter cut(100);
  CHECK(cut.feed(R"([{"a":"b)", ignore_element));
  CHECK_FALSE(cut.finished());

  LineSplitter lines(4);
  std::vector<std::string> seen;
  const auto keep = [&](std::string_view line) { seen.emplace_back(line); };
  lines.feed("abc", keep);
  lines.feed("d\nabcde\n\n \r\nx", keep);
  lines.feed("\nunfinished", keep);
  CHECK(seen == std::vector<std::string>{"abcd", "x"});
  CHECK(lines.oversized() == 1);
}

TEST_CASE("the log of a container is its own json-file, by a straight path") {
  const std::string file = kId + "/" + kId + "-json.log";
  for (const auto& path : {"/var/lib/docker/containers/" + file, "/containers/" + file,
                           "/data/231072.231072/containers/" + file}) {
    CAPTURE(path);
    CHECK(is_container_log_path(path, kId));
  }
  const std::string other = test::fake_id(2);
  for (const auto& path :
       {std::string(), std::string("/etc/shadow"), "containers/" + file, "/var/lib/docker/" + file,
        "/var/lib/docker/containers/" + kId + "/../" + file, "/var/lib/docker/./containers/" + file,
        "/var/lib//docker/containers/" + file,
        "/var/lib/docker/containers/" + kId + "/" + other + "-json.log",
        "/var/lib/docker/containers/" + other + "/" + kId + "-json.log",
        "/var/lib/docker/containers/" + file + ".1", "/var/lib/docker/containers/" + file + "/",
        "/var/\n/containers/" + file,
        "/var/lib/docker/containers/" + file + std::string(1, '\0')}) {
    CAPTURE(path);
    CHECK_FALSE(is_container_log_path(path, kId));
  }
  CHECK_FALSE(is_container_log_path("/containers/x/x-json.log", "x"));
}
