#include "agent/discovery/container_table.h"

#include <doctest/doctest.h>

using namespace observeai;
using namespace observeai::agent;

namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kNow = 1'795'248'000 * kSecond;

std::string id_of(int number) {
  std::string id(64, '0');
  id[63] = static_cast<char>('0' + number % 10);
  id[62] = static_cast<char>('0' + number / 10 % 10);
  return id;
}

ObservedContainer container(int number, const std::string& state, std::int64_t started_s,
                            std::int64_t finished_s = 0) {
  ObservedContainer out;
  out.facts.id = id_of(number);
  out.facts.name = "c" + std::to_string(number);
  out.facts.image = "img";
  out.facts.state = state;
  out.facts.created_ms = kNow / 1'000'000;
  out.facts.started_ms = started_s > 0 ? kNow / 1'000'000 + started_s * 1000 : 0;
  out.facts.finished_ms = finished_s > 0 ? kNow / 1'000'000 + finished_s * 1000 : 0;
  return out;
}
ListEntry entry(ObservedContainer observed, std::uint64_t fingerprint = 1) {
  observed.facts.started_ms = 0;
  observed.facts.finished_ms = 0;
  ListEntry out;
  out.id = observed.facts.id;
  out.fingerprint = fingerprint;
  out.container = std::move(observed);
  return out;
}
DockerEvent event(int number, const std::string& action, std::int64_t at_ms,
                  std::optional<std::int32_t> code = {}) {
  DockerEvent out;
  out.action = action;
  out.ts_ns = kNow + at_ms * 1'000'000;
  out.exit_code = code;
  out.container.id = id_of(number);
  out.container.name = "c" + std::to_string(number);
  out.container.image = "img";
  out.container.runtime = "docker";
  return out;
}

// A table with what it reported, in words.
struct Fixture {
  ContainerTable table;
  std::map<std::string, ObservedContainer> engine;  // What inspections answer; missing: 404
  std::vector<std::string> events;
  std::vector<wire::Event> raw_events;
  std::vector<std::string> updates;
  std::map<std::string, wire::Container> seen;
  std::map<std::string, std::string> log_paths;

  void list(bool everything, std::vector<ListEntry> entries, std::int64_t at_s = 100) {
    table.begin_list(everything);
    for (auto& item : entries) table.listed(std::move(item));
    table.end_list(kNow + at_s * kSecond);
    settle();
  }
  void happens(const DockerEvent& what) { table.apply(what); }
  void settle() {
    while (table.waits_for_inspection()) {
      for (const auto& id : table.take_inspections(64)) {
        const auto found = engine.find(id);
        if (found != engine.end()) {
          table.inspected(found->second, kNow + 200 * kSecond);
        } else {
          table.inspect_failed(id, kNow + 200 * kSecond, false);
        }
      }
    }
    for (auto changes = table.take_changes(); !changes.empty(); changes = table.take_changes()) {
      std::string line = changes.containers.full ? "full" : "";
      if (changes.containers.full) seen.clear();
      for (auto& item : changes.containers.upserts) {
        line += " +" + item.facts.name + ":" + item.facts.state;
        seen[item.facts.id] = item.facts;
        log_paths[item.facts.id] = item.log_path;
      }
      for (const auto& id : changes.containers.removed) {
        line += " -" + seen[id].name;
        seen.erase(id);
      }
      if (!line.empty()) updates.push_back(line);
      for (auto& item : changes.events) {
        std::string text =
            item.kind.substr(10) + "@" + std::to_string(item.ts_ms - kNow / 1'000'000);
        for (const auto& attribute : item.attributes) {
          if (attribute.name == "exit_code") text += " code=" + attribute.value;
          if (attribute.name == "oom" && attribute.value == "true") text += " oom";
        }
        events.push_back(text);
        raw_events.push_back(item);
        CHECK(std::is_sorted(item.attributes.begin(), item.attributes.end()));
      }
    }
  }
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE_FIXTURE(Fixture, "what ran before us is reported, but did not start now") {
  engine[id_of(1)] = container(1, "running", 5);
  engine[id_of(2)] = container(2, "exited", 5, 7);
  list(true, {entry(container(1, "running", 0)), entry(container(2, "exited", 0))});
  CHECK(events.empty());
  CHECK(seen.size() == 2);
  CHECK(seen[id_of(1)].started_ms == container(1, "running", 5).facts.started_ms);
  CHECK(updates.size() == 1);
  CHECK(updates[0].substr(0, 4) == "full");
  updates.clear();
  list(false, {entry(container(1, "running", 0)), entry(container(2, "exited", 0))});
  CHECK(updates.empty());  // Nothing changed: nothing is said.
}

TEST_CASE_FIXTURE(Fixture, "a container's life as the stream tells it") {
  list(true, {});
  engine[id_of(1)] = container(1, "running", 1);
  happens(event(1, "create", 900));
  happens(event(1, "start", 1'010));
  settle();
  CHECK(events == Words{"start@1010"});
  CHECK(seen[id_of(1)].state == "running");
  happens(event(1, "pause", 1'500));
  engine[id_of(1)].facts.state = "paused";
  settle();
  CHECK(seen[id_of(1)].state == "paused");
  engine[id_of(1)] = container(1, "exited", 1, 9);
  engine[id_of(1)].facts.exit_code = 3;
  happens(event(1, "die", 9'020, 3));
  settle();
  CHECK(events == Words{"start@1010", "exit@9020 code=3"});
  CHECK(raw_events[1].severity == wire::Severity::kWarning);
  CHECK(raw_events[1].target == "container/" + id_of(1));
  CHECK(raw_events[1].message == "container c1 exited with code 3");
  happens(event(1, "destroy", 10'000));
  settle();
  CHECK(seen.empty());
  CHECK(table.size() == 0);
  CHECK(updates.back() == " -c1");
}

TEST_CASE_FIXTURE(Fixture,
                  "one that is gone before it can be inspected is still reported, then removed") {
  list(true, {});
  updates.clear();
  happens(event(1, "create", 0));
  happens(event(1, "start", 10));
  happens(event(1, "die", 50, 0));
  happens(event(1, "destroy", 60));
  settle();
  CHECK(events == Words{"start@10", "exit@50 code=0"});
  CHECK(updates == Words{" +c1:exited", " -c1"});
  CHECK(table.size() == 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "an exit names its signal and the out-of-memory kill, whoever tells of it") {
  list(true, {});
  // The stream told of the kill.
  engine[id_of(1)] = container(1, "exited", 1, 2);
  happens(event(1, "start", 1'000));
  happens(event(1, "oom", 1'900));
  happens(event(1, "die", 2'010, 137));
  settle();
  CHECK(events == Words{"start@1000", "oom@1900", "exit@2010 code=137 oom"});
  CHECK(raw_events[2].severity == wire::Severity::kError);
  CHECK(raw_events[2].message == "container c1 exited with code 137 (signal 9), out of memory");
  // Only the inspection knows.
  events.clear();
  engine[id_of(2)] = container(2, "exited", 1, 2);
  engine[id_of(2)].facts.oom_killed = true;
  engine[id_of(2)].facts.exit_code = 137;
  happens(event(2, "start", 1'000));
  happens(event(2, "die", 2'010, 137));
  settle();
  CHECK(events == Words{"start@1000", "oom@2010", "exit@2010 code=137 oom"});
  // The stream's word of it comes late: nothing new.
  happens(event(2, "oom", 1'990));
  settle();
  CHECK(events.size() == 3);
  // An exit by itself above 128 that is no signal.
  happens(event(3, "start", 1'000));
  happens(event(3, "die", 1'500, 255));
  engine[id_of(3)] = container(3, "exited", 1, 1);
  settle();
  CHECK(raw_events.back().message == "container c3 exited with code 255");
}

TEST_CASE_FIXTURE(Fixture, "every run of a crash loop is reported once") {
  list(true, {});
  for (int run = 0; run < 5; ++run) {
    const std::int64_t at = 1'000 + run * 300;
    engine[id_of(1)] = container(1, "running", 1);
    engine[id_of(1)].facts.started_ms = kNow / 1'000'000 + at - 2;
    engine[id_of(1)].facts.restart_count = static_cast<std::uint32_t>(run);
    happens(event(1, "start", at));
    // An inspection may show the end of a run before the stream tells, even an end that is older
    // than what the stream says is the start: the engine notes the start after the fact.
    if (run % 2 == 1) {
      engine[id_of(1)].facts.state = "restarting";
      engine[id_of(1)].facts.finished_ms = kNow / 1'000'000 + at - 1;
    }
    if (run != 2) settle();  // Inspected between, or not
    happens(event(1, "die", at + 100, 1));
    engine[id_of(1)].facts.state = "restarting";
    settle();
  }
  Words starts_and_exits;
  std::size_t restarts = 0;
  for (const auto& text : events) {
    if (text.substr(0, 7) == "restart") {
      ++restarts;
    } else {
      starts_and_exits.push_back(text);
    }
  }
  CHECK(starts_and_exits.size() == 10);
  CHECK(restarts == 4);
  CHECK(starts_and_exits[8] == "start@2200");
  CHECK(starts_and_exits[9] == "exit@2300 code=1");
}

TEST_CASE_FIXTURE(Fixture, "what happened while the stream was down is made up for") {
  engine[id_of(1)] = container(1, "running", 1);
  engine[id_of(2)] = container(2, "running", 1);
  engine[id_of(3)] = container(3, "running", 1);
  list(true, {entry(container(1, "running", 0)), entry(container(2, "running", 0)),
              entry(container(3, "running", 0))});
  REQUIRE(events.empty());
  // 1 exited, 2 was restarted, 3 was removed, 4 is new, 5 came and went.
  engine[id_of(1)] = container(1, "exited", 1, 30);
  engine[id_of(1)].facts.exit_code = 2;
  engine[id_of(2)] = container(2, "running", 40, 35);
  engine[id_of(4)] = container(4, "running", 50);
  engine[id_of(5)] = container(5, "exited", 60, 61);
  list(true,
       {entry(container(1, "exited", 0), 2), entry(container(2, "running", 0)),
        entry(container(4, "running", 0)), entry(container(5, "exited", 0))},
       100);
  std::sort(events.begin(), events.end());
  CHECK(events == Words{"exit@100000 code=unknown", "exit@30000 code=2", "exit@35000 code=unknown",
                        "exit@61000 code=0", "start@40000", "start@50000", "start@60000"});
  CHECK(seen.size() == 4);
  CHECK_FALSE(seen.contains(id_of(3)));
  // The stream remembers some of it as well.
  events.clear();
  happens(event(1, "die", 30'005, 2));
  happens(event(2, "die", 35'005, 0));
  happens(event(2, "start", 40'010));
  happens(event(3, "die", 45'000, 0));
  happens(event(3, "destroy", 45'010));
  happens(event(4, "start", 50'010));
  settle();
  CHECK(events.empty());
  CHECK(seen.size() == 4);
}

TEST_CASE_FIXTURE(Fixture, "what a listing shows before the stream tells it is reported once") {
  list(true, {});
  engine[id_of(1)] = container(1, "exited", 10, 11);
  list(false, {entry(container(1, "exited", 0))});
  CHECK(events == Words{"start@10000", "exit@11000 code=0"});
  // The engine may note the start after the end of a short run.
  happens(event(1, "create", 9'900));
  happens(event(1, "start", 11'020));
  happens(event(1, "die", 11'030, 0));
  settle();
  CHECK(events.size() == 2);
  happens(event(1, "start", 11'500));
  happens(event(1, "die", 11'600, 1));
  settle();
  CHECK(events.size() == 4);
}

TEST_CASE_FIXTURE(
    Fixture, "while the stream is up, one missing in a single listing may still be on its way") {
  engine[id_of(1)] = container(1, "running", 1);
  list(true, {entry(container(1, "running", 0))});
  list(false, {});
  CHECK(seen.size() == 1);
  list(false, {entry(container(1, "running", 0))});
  list(false, {});
  CHECK(seen.size() == 1);
  list(false, {});
  CHECK(seen.empty());
  CHECK(events == Words{"exit@100000 code=unknown"});
}

TEST_CASE_FIXTURE(Fixture, "when the inspection fails the list and the events must do") {
  list(true, {});
  happens(event(1, "start", 1'000));
  settle();
  CHECK(events == Words{"start@1000"});
  CHECK(seen[id_of(1)].state == "running");
  auto stopped = entry(container(1, "exited", 0), 7);
  stopped.container->facts.exit_code = 4;
  list(false, {stopped});
  CHECK(events == Words{"start@1000", "exit@200000 code=4"});
  CHECK(seen[id_of(1)].state == "exited");
}

TEST_CASE_FIXTURE(Fixture, "one whose inspection hangs is left alone for some listings") {
  list(true, {});
  happens(event(1, "start", 1'000));
  REQUIRE(table.take_inspections(9).size() == 1);
  table.inspect_failed(id_of(1), kNow, true);
  happens(event(1, "pause", 2'000));
  CHECK(table.take_inspections(9).empty());
  for (std::uint64_t i = 1; i < ContainerTable::kHungListings; ++i) {
    list(true, {entry(container(1, "running", 0))});
    CHECK(table.take_inspections(9).empty());
  }
  table.begin_list(true);
  table.listed(entry(container(1, "running", 0)));
  table.end_list(kNow);
  CHECK(table.take_inspections(9).size() == 1);
}

TEST_CASE_FIXTURE(Fixture, "late news of an unknown container, and exec events, change nothing") {
  list(true, {});
  updates.clear();
  for (const char* action : {"die", "destroy", "oom", "health_status", "pause"})
    happens(event(1, action, 1));
  settle();
  CHECK(table.size() == 0);
  happens(event(1, "create", 1));
  settle();
  updates.clear();
  happens(event(1, "exec_start", 2));
  happens(event(1, "top", 2));
  settle();
  CHECK(updates.empty());
  CHECK(events.empty());
}

TEST_CASE_FIXTURE(Fixture, "running containers are all inspected, of the stopped ones the newest") {
  std::vector<ListEntry> entries;
  for (int i = 0; i < 70; ++i) {
    auto stopped = entry(container(i, "exited", 0));
    stopped.container->facts.created_ms += i;
    entries.push_back(std::move(stopped));
  }
  for (int i = 70; i < 99; ++i) entries.push_back(entry(container(i, "running", 0)));
  table.begin_list(true);
  for (auto& item : entries) table.listed(std::move(item));
  table.end_list(kNow);
  auto ids = table.take_inspections(1'000);
  std::sort(ids.begin(), ids.end());
  CHECK(ids.size() == 29 + ContainerTable::kMaxStoppedInspections);
  CHECK(ids.front() == id_of(70 - static_cast<int>(ContainerTable::kMaxStoppedInspections)));
}

TEST_CASE("the number of containers is bounded and the rest counted") {
  ContainerTable table;
  table.begin_list(true);
  for (std::size_t i = 0; i <= ContainerTable::kMaxContainers; ++i) {
    ListEntry item;
    item.id = std::to_string(i);
    item.container.emplace();
    item.container->facts.id = item.id;
    item.container->facts.state = "exited";
    table.listed(std::move(item));
  }
  table.end_list(0);
  CHECK(table.size() == ContainerTable::kMaxContainers);
  CHECK(table.over_limit() == 1);
}

TEST_CASE_FIXTURE(Fixture, "rename, health and update") {
  engine[id_of(1)] = container(1, "running", 1);
  list(true, {entry(container(1, "running", 0))});
  auto renamed = event(1, "rename", 2'000);
  renamed.container.name = "other";
  engine[id_of(1)].facts.name = "other";
  happens(renamed);
  settle();
  CHECK(seen[id_of(1)].name == "other");
  auto sick = event(1, "health_status", 3'000);
  sick.detail = "unhealthy";
  engine[id_of(1)].facts.health = "unhealthy";
  happens(sick);
  settle();
  CHECK(seen[id_of(1)].health == "unhealthy");
  engine[id_of(1)].facts.memory_limit_bytes = 5;
  happens(event(1, "update", 4'000));
  settle();
  CHECK(seen[id_of(1)].memory_limit_bytes == 5);
  CHECK(events.empty());
}

TEST_CASE_FIXTURE(Fixture,
                  "a log path that is not the container's own is not passed on, and told once") {
  auto web = container(1, "running", 1);
  const auto own = "/var/lib/docker/containers/" + id_of(1) + "/" + id_of(1) + "-json.log";
  const auto looked_at = [&](const std::string& path) {
    web.log_path = path;
    engine[id_of(1)] = web;
    list(true, {entry(web)});
    return log_paths[id_of(1)];
  };
  CHECK(looked_at(own) == own);
  CHECK(raw_events.empty());
  CHECK(looked_at("/etc/shadow").empty());
  REQUIRE(raw_events.size() == 1);
  const auto& event = raw_events[0];
  CHECK(event.kind == "container.log_refused");
  CHECK(event.severity == wire::Severity::kWarning);
  CHECK(event.target == container_target(id_of(1)));
  CHECK(event.ts_ms == (kNow + 200 * kSecond) / 1'000'000);
  CHECK(event.message.find("/etc/shadow") != std::string::npos);
  CHECK(looked_at("/etc/shadow").empty());
  CHECK(raw_events.size() == 1);
  CHECK(looked_at("/root/\x1b[2J").empty());
  REQUIRE(raw_events.size() == 2);
  CHECK(raw_events[1].message.find('\x1b') == std::string::npos);
  CHECK(looked_at(own) == own);
}
