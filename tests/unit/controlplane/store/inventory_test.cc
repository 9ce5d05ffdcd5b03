#include "controlplane/store/inventory_cache.h"
#include "protocol/sql/database.h"
#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

wire::Container container_of(const std::string& id, const std::string& state) {
  wire::Container container;
  container.id = id;
  container.name = "name-" + id;
  container.state = state;
  container.labels = {{"a", "b"}};
  container.ports.push_back({"tcp", 80, 8080, "0.0.0.0"});
  return container;
}

wire::InventoryUpdate whole_inventory() {
  wire::InventoryUpdate update;
  update.ts_ms = 100;
  update.host = wire::HostFacts{};
  update.host->hostname = "web-01";
  update.containers.full = true;
  update.containers.upserts = {container_of("c2", "running"), container_of("c1", "running")};
  update.processes.full = true;
  wire::ProcessGroup group;
  group.key = "unit/nginx";
  group.pids = {3, 4};
  update.processes.upserts = {group};
  update.units.full = true;
  wire::SystemdUnit unit;
  unit.name = "nginx.service";
  update.units.upserts = {unit};
  update.ports.full = true;
  wire::ListeningPort port;
  port.key = "tcp/0.0.0.0/80";
  update.ports.upserts = {port};
  return update;
}

wire::Batch batch_with(const Origin& origin, std::uint64_t seq,
                       const wire::InventoryUpdate& update) {
  wire::ControlBatch control;
  control.inventory.push_back(update);
  return control_batch(origin, seq, control);
}

// c1 stops, c3 comes, c2 goes.
wire::InventoryUpdate delta() {
  wire::InventoryUpdate update;
  update.ts_ms = 200;
  update.containers.upserts = {container_of("c1", "exited"), container_of("c3", "running")};
  update.containers.removed = {"c2", "never seen"};
  return update;
}

std::vector<std::string> containers_of(StoreFixture& f, const Origin& origin) {
  std::vector<std::string> out;
  const auto inventory = f.store->reader().inventory(origin.agent).value();
  if (!inventory) return out;
  for (const auto& container : inventory->containers)
    out.push_back(container.id + " " + container.state);
  return out;
}

}  // namespace

TEST_CASE("the whole inventory, then deltas; the digest is that of the whole") {
  StoreFixture f;
  const Origin origin;
  CHECK_FALSE(f.store->reader().inventory(origin.agent).value());
  CHECK(f.store->writer().inventory_digest(origin.agent).value().empty());

  auto whole = whole_inventory();
  REQUIRE(f.commit(batch_with(origin, 1, whole)) == CommitOutcome::kStored);
  CHECK(f.store->writer().inventory_digest(origin.agent).value() == wire::inventory_digest(whole));
  const auto inventory = f.store->reader().inventory(origin.agent).value();
  REQUIRE(inventory);
  CHECK(inventory->host == *whole.host);
  CHECK(inventory->updated_ms == 100);
  CHECK(inventory->containers ==
        std::vector<wire::Container>{container_of("c1", "running"), container_of("c2", "running")});
  CHECK(inventory->processes == whole.processes.upserts);
  CHECK(inventory->units == whole.units.upserts);
  CHECK(inventory->ports == whole.ports.upserts);

  REQUIRE(f.commit(batch_with(origin, 2, delta())) == CommitOutcome::kStored);
  whole.containers.upserts = {container_of("c1", "exited"), container_of("c3", "running")};
  CHECK(f.store->writer().inventory_digest(origin.agent).value() == wire::inventory_digest(whole));
  f.reopen();
  CHECK(containers_of(f, origin) == std::vector<std::string>{"c1 exited", "c3 running"});
  CHECK(f.store->writer().inventory_digest(origin.agent).value() == wire::inventory_digest(whole));
  CHECK(f.store->reader().inventory(origin.agent).value()->updated_ms == 200);
}

TEST_CASE("a full section replaces the section and leaves the others") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(batch_with(origin, 1, whole_inventory())) == CommitOutcome::kStored);
  wire::InventoryUpdate empty;
  empty.containers.full = true;
  REQUIRE(f.commit(batch_with(origin, 2, empty)) == CommitOutcome::kStored);
  CHECK(containers_of(f, origin).empty());
  CHECK(f.store->reader().inventory(origin.agent).value()->units.size() == 1);
}

TEST_CASE("deltas that overtake each other are applied in their order, also over a restart") {
  StoreFixture f;
  const Origin origin;
  wire::InventoryUpdate later;
  later.containers.removed = {"c3"};
  REQUIRE(f.commit(batch_with(origin, 3, later)) == CommitOutcome::kStored);
  REQUIRE(f.commit(batch_with(origin, 2, delta())) == CommitOutcome::kStored);
  CHECK(containers_of(f, origin).empty());
  f.reopen();
  REQUIRE(f.commit(batch_with(origin, 1, whole_inventory())) == CommitOutcome::kStored);
  CHECK(containers_of(f, origin) == std::vector<std::string>{"c1 exited"});
}

TEST_CASE("waiting deltas are applied when the agent says that the ones before are gone") {
  StoreFixture f;
  REQUIRE(f.store->tokens().insert({"t", "", TenantId(), {}, {}, "", 1, 0, false, 0, 1000, 0, ""}));
  model::AgentRecord agent;
  const Origin origin;
  agent.id = origin.agent;
  REQUIRE(f.store->tokens().consume("t", agent, 1));
  REQUIRE(f.commit(batch_with(origin, 5, whole_inventory())) == CommitOutcome::kStored);
  CHECK(containers_of(f, origin).empty());

  wire::Hello hello;
  hello.agent = origin.agent;
  hello.epoch = origin.epoch;
  hello.next_seq = {6, 1, 1, 1};
  hello.oldest_seq = {5, 1, 1, 1};
  REQUIRE(f.store->agents().seen(origin.agent, 1, hello));
  CHECK(f.store->writer().contiguous(origin.agent, origin.epoch).value()[0] == 5);
  CHECK(containers_of(f, origin).size() == 2);
  const auto alerts = f.store->alerts().open().value();
  REQUIRE(alerts.size() == 1);
  CHECK(alerts[0].kind == "ingest.lost");
  CHECK(alerts[0].count == 4);
  // An old hello again changes nothing; the cursor survives a restart.
  hello.oldest_seq = {1, 1, 1, 1};
  REQUIRE(f.store->agents().seen(origin.agent, 2, hello));
  f.reopen();
  CHECK(f.store->writer().contiguous(origin.agent, origin.epoch).value()[0] == 5);
  CHECK(f.store->alerts().open().value().size() == 1);
}

TEST_CASE("the inventories of a tenant") {
  StoreFixture f;
  const auto acme = TenantId::parse("acme").value();
  REQUIRE(f.store->tokens().insert({"t", "", acme, {}, {}, "", 1, 0, false, 0, 1000, 0, ""}));
  model::AgentRecord agent;
  agent.id = agent_id("a");
  agent.tenant = acme;
  REQUIRE(f.store->tokens().consume("t", agent, 1));
  for (const auto* name : {"a", "b"}) {
    REQUIRE(f.commit(batch_with({agent_id(name), epoch_of(1)}, 1, whole_inventory())) ==
            CommitOutcome::kStored);
  }
  CHECK(f.store->reader().inventories(TenantId()).value().size() == 2);
  const auto of_tenant = f.store->reader().inventories(acme).value();
  REQUIRE(of_tenant.size() == 1);
  CHECK(of_tenant[0].agent == agent_id("a"));
}

TEST_CASE(
    "counts and names of targets come from the index; rows from before it are named at the start") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.store->tokens().insert({"t", "", TenantId(), {}, {}, "", 9, 0, false, 0, 1000, 0, ""}));
  model::AgentRecord agent;
  agent.id = origin.agent;
  agent.tenant = TenantId::parse("one").value();
  agent.spki_sha256 = "k";
  REQUIRE(f.store->tokens().consume("t", agent, 1));
  wire::ControlBatch control;
  wire::InventoryUpdate update;
  update.ts_ms = 5;
  wire::Container web;
  web.id = "aaa1";
  web.name = "shop-web-1";
  web.service = "web";
  web.state = "running";
  wire::Container job = web;
  job.id = "bbb2";
  job.name = "shop-job-1";
  job.service = "job";
  job.state = "exited";
  update.containers.upserts = {web, job};
  wire::SystemdUnit unit;
  unit.name = "ssh.service";
  update.units.upserts = {unit};
  control.inventory.push_back(update);
  REQUIRE(f.commit(control_batch(origin, 1, control)) == CommitOutcome::kStored);
  for (int round = 0; round < 2; ++round) {
    auto& reader = f.store->reader();
    for (const auto& tenant : {agent.tenant, TenantId()}) {
      const auto counts = reader.inventory_counts(tenant).value();
      REQUIRE(counts.size() == 1);
      CHECK(counts[0].agent == origin.agent);
      CHECK(counts[0].containers == 2);
      CHECK(counts[0].containers_running == 1);
      CHECK(counts[0].units == 1);
      CHECK(counts[0].updated_ms == 5);
      CHECK(reader.target_names(tenant, "").value().size() == 3);
    }
    CHECK(reader.inventory_counts(TenantId::parse("other").value()).value().empty());
    CHECK(reader.target_names(TenantId::parse("other").value(), "").value().empty());
    const auto named = reader.target_names(TenantId(), "shop-w").value();
    REQUIRE(named.size() == 1);
    CHECK(named[0].target == "container/aaa1");
    CHECK(named[0].name == "shop-web-1");
    CHECK(named[0].service == "web");
    CHECK(named[0].is_running);
    CHECK(reader.target_names(TenantId(), "bbb").value().size() == 1);  // By id
    CHECK(reader.target_names(TenantId(), "ssh").value().at(0).target == "unit/ssh.service");
    CHECK(reader.target_names(TenantId(), "%").value().empty());
    f.store.reset();
    {
      auto database = sql::Database::open(f.dir / "state.db", {}).value();
      REQUIRE(database.execute("UPDATE inventory SET name=NULL, service='', running=0"));
    }
    f.reopen();
  }
}

TEST_CASE("an inventory that was read before is read anew after each change, also a late one") {
  StoreFixture f;
  const Origin origin;
  REQUIRE(f.commit(batch_with(origin, 1, whole_inventory())) == CommitOutcome::kStored);
  const auto before = containers_of(f, origin);
  CHECK(containers_of(f, origin) == before);
  // Number 3 waits for number 2, and is applied by it.
  REQUIRE(f.commit(batch_with(origin, 3, delta())) == CommitOutcome::kStored);
  CHECK(containers_of(f, origin) == before);
  REQUIRE(f.commit(series_batch(origin, 2, 1, 1)) == CommitOutcome::kStored);
  const auto after = containers_of(f, origin);
  CHECK(after != before);
  CHECK(f.store->writer().inventory_digest(origin.agent).value() !=
        wire::inventory_digest(whole_inventory()));
  f.reopen();
  CHECK(containers_of(f, origin) == after);
}

TEST_CASE("the cache keeps nothing that was read before a change, and no more than it may") {
  using controlplane::store::InventoryCache;
  const auto inventory_of = [](const std::string& name, std::size_t units) {
    model::HostInventory inventory;
    inventory.agent = agent_id(name);
    inventory.units.resize(units);
    return std::make_shared<const model::HostInventory>(std::move(inventory));
  };
  InventoryCache cache(100'000);
  std::uint64_t version = 0;
  CHECK(cache.find(agent_id("a"), version) == nullptr);
  cache.changed(agent_id("a"));  // Between reading and keeping
  cache.put(agent_id("a"), version, inventory_of("a", 1));
  CHECK(cache.find(agent_id("a"), version) == nullptr);
  cache.put(agent_id("a"), version, inventory_of("a", 1));
  CHECK(cache.find(agent_id("a"), version) != nullptr);

  CHECK(cache.find(agent_id("b"), version) == nullptr);
  cache.put(agent_id("b"), version, inventory_of("b", 1'000));
  CHECK(cache.find(agent_id("b"), version) == nullptr);
  CHECK(cache.find(agent_id("a"), version) != nullptr);
  CHECK(cache.bytes() <= 100'000);
  cache.changed(agent_id("a"));
  CHECK(cache.find(agent_id("a"), version) == nullptr);
  CHECK(cache.bytes() == 0);
}
