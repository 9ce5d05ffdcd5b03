#include <doctest/doctest.h>

#include "agent/discovery/inventory_tracker.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

ObservedContainer container(const std::string& id, const std::string& state) {
  ObservedContainer out;
  out.facts.id = id;
  out.facts.state = state;
  return out;
}
wire::SectionUpdate<ObservedContainer> update(std::vector<ObservedContainer> upserts,
                                              std::vector<std::string> removed = {}) {
  return {false, std::move(upserts), std::move(removed)};
}
wire::ProcessGroup group(const std::string& key, std::uint32_t count) {
  wire::ProcessGroup out;
  out.key = key;
  out.count = count;
  return out;
}
std::string words(const wire::SectionUpdate<wire::Container>& section) {
  std::string out = section.full ? "full" : "";
  for (const auto& item : section.upserts) out += " +" + item.id + ":" + item.state;
  for (const auto& id : section.removed) out += " -" + id;
  return out;
}

}  // namespace

TEST_CASE("only what changed is told, and only once") {
  InventoryTracker tracker;
  CHECK(tracker.take_delta(1).empty());
  tracker.apply_containers(update({container("a", "running"), container("b", "running")}));
  auto delta = tracker.take_delta(7);
  CHECK(delta.ts_ms == 7);
  CHECK(words(delta.containers) == " +a:running +b:running");
  CHECK(tracker.take_delta(8).empty());
  tracker.apply_containers(update({container("a", "running")}));
  CHECK(tracker.take_delta(9).empty());
  tracker.apply_containers(update({container("a", "exited")}, {"b"}));
  CHECK(words(tracker.take_delta(9).containers) == " +a:exited -b");
  tracker.apply_containers(update({}, {"b", "never"}));
  CHECK(tracker.take_delta(9).empty());
}

TEST_CASE("a container that came and went between two reports is told, then removed") {
  InventoryTracker tracker;
  tracker.apply_containers(update({container("a", "exited")}));
  tracker.apply_containers(update({}, {"a"}));
  CHECK(words(tracker.take_delta(1).containers) == " +a:exited");
  CHECK(words(tracker.take_delta(2).containers) == " -a");
  CHECK(tracker.take_delta(3).empty());
  // The same for a last state of one that was known,
  tracker.apply_containers(update({container("b", "running")}));
  tracker.take_delta(4);
  tracker.apply_containers(update({container("b", "exited")}));
  tracker.apply_containers(update({}, {"b"}));
  CHECK(words(tracker.take_delta(5).containers) == " +b:exited");
  CHECK(words(tracker.take_delta(6).containers) == " -b");
  // and one that came back meanwhile is not removed.
  tracker.apply_containers(update({container("c", "exited")}));
  tracker.apply_containers(update({}, {"c"}));
  tracker.apply_containers(update({container("c", "running")}));
  CHECK(words(tracker.take_delta(7).containers) == " +c:running");
  CHECK(tracker.take_delta(8).empty());
}

TEST_CASE("how many departed ones wait is bounded and the rest counted") {
  InventorySection<wire::Container> section;
  for (std::size_t i = 0; i < InventorySection<wire::Container>::kMaxDeparted + 2; ++i) {
    section.put(container(std::to_string(i), "exited").facts);
    section.erase(std::to_string(i));
  }
  CHECK(section.lost() == 2);
  CHECK(section.take_delta().upserts.size() == InventorySection<wire::Container>::kMaxDeparted);
  CHECK(section.take_delta().removed.size() == InventorySection<wire::Container>::kMaxDeparted);
  CHECK(section.take_delta().empty());
}

TEST_CASE("a full update of the containers removes what it lacks") {
  InventoryTracker tracker;
  auto full = update({container("a", "running"), container("b", "running")});
  full.full = true;
  tracker.apply_containers(full);
  tracker.take_delta(1);
  full = update({container("b", "running"), container("c", "running")});
  full.full = true;
  tracker.apply_containers(full);
  CHECK(words(tracker.take_delta(2).containers) == " +c:running -a");
}

TEST_CASE("the first whole picture of a section replaces what an earlier run reported") {
  InventoryTracker tracker;
  CHECK(tracker.take_delta(1).empty());  // Nothing is known yet: nothing is taken back
  tracker.apply_containers(update({container("a", "running")}));
  CHECK(words(tracker.take_delta(2).containers) == " +a:running");
  auto full = update({container("a", "running"), container("b", "running")});
  full.full = true;
  tracker.apply_containers(full);
  tracker.apply_containers(update({container("c", "running")}));
  CHECK(words(tracker.take_delta(3).containers) == "full +a:running +b:running +c:running");
  CHECK(tracker.take_delta(4).empty());
  tracker.set_units({});
  auto delta = tracker.take_delta(5);
  CHECK(delta.units.full);
  CHECK(delta.units.upserts.empty());
  CHECK(tracker.take_delta(6).empty());
}

TEST_CASE("snapshots of a section become deltas") {
  InventoryTracker tracker;
  tracker.set_processes({group("x", 1), group("y", 1)});
  const auto first = tracker.take_delta(1).processes;
  CHECK(first.full);
  CHECK(first.upserts.size() == 2);
  tracker.set_processes({group("x", 1), group("y", 2)});
  auto delta = tracker.take_delta(2);
  REQUIRE(delta.processes.upserts.size() == 1);
  CHECK(delta.processes.upserts[0].key == "y");
  tracker.set_processes({group("y", 2)});
  CHECK(tracker.take_delta(3).processes.removed == std::vector<std::string>{"x"});
  tracker.set_units({{"a.service", "", "active", "running", 1, 0}});
  tracker.set_ports({{"tcp/0.0.0.0/80", "tcp", "0.0.0.0", 80, 1, "nginx", ""}});
  delta = tracker.take_delta(4);
  CHECK(delta.units.upserts.size() == 1);
  CHECK(delta.ports.upserts.size() == 1);
  CHECK(delta.processes.empty());
}

TEST_CASE("the clock being corrected is no news about the host") {
  InventoryTracker tracker;
  wire::HostFacts facts;
  facts.boot_id = "b";
  facts.boot_time_ms = 1'000'000;
  tracker.set_host(facts);
  CHECK(tracker.take_delta(1).host == facts);
  facts.boot_time_ms += 1'000;
  tracker.set_host(facts);
  CHECK(tracker.take_delta(2).empty());
  facts.docker = "stopped";
  tracker.set_host(facts);
  auto delta = tracker.take_delta(3);
  REQUIRE(delta.host);
  CHECK(delta.host->docker == "stopped");
  CHECK(delta.host->boot_time_ms == 1'000'000);
  facts.boot_id = "c";
  tracker.set_host(facts);
  CHECK(tracker.take_delta(4).host->boot_time_ms == 1'001'000);
}

TEST_CASE("the whole is everything, in order, and leaves nothing pending") {
  InventoryTracker tracker;
  tracker.set_host({});
  tracker.apply_containers(
      update({container("b", "running"), container("a", "running"), container("z", "exited")}));
  tracker.apply_containers(update({}, {"z"}));
  CHECK(words(tracker.whole().containers) == "full +a:running +b:running");
  const auto whole = tracker.take_whole(5);
  CHECK(whole.ts_ms == 5);
  CHECK(whole.host);
  CHECK(whole.ports.full);
  CHECK(words(whole.containers) == "full +a:running +b:running");
  CHECK(tracker.take_delta(6).empty());
  tracker.apply_containers(update({}, {"a"}));
  CHECK(words(tracker.take_delta(7).containers) == " -a");
}
