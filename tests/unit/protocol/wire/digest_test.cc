#include <doctest/doctest.h>

#include <algorithm>

#include "protocol/wire/batch_codec.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {
template <class T>
void reverse(SectionUpdate<T>& section) {
  std::reverse(section.upserts.begin(), section.upserts.end());
}
}  // namespace

TEST_CASE("the digest does not depend on order, time, `full` or `removed`") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    auto inventory = test::Generator(seed).inventory();
    const auto digest = inventory_digest(inventory);
    CHECK(digest.size() == 64);
    inventory.ts_ms += 1;
    inventory.containers.full = !inventory.containers.full;
    inventory.units.removed.push_back("gone");
    reverse(inventory.containers);
    reverse(inventory.processes);
    reverse(inventory.units);
    reverse(inventory.ports);
    CHECK(inventory_digest(inventory) == digest);
  }
}

TEST_CASE("the digest depends on every entry and on the section it is in") {
  InventoryUpdate empty;
  const auto none = inventory_digest(empty);
  auto with_host = empty;
  with_host.host = HostFacts{};
  CHECK(inventory_digest(with_host) != none);

  auto one = empty;
  one.containers.upserts.resize(1);
  auto two = empty;
  two.processes.upserts.resize(1);
  CHECK(inventory_digest(one) != none);
  CHECK(inventory_digest(one) != inventory_digest(two));

  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    test::Generator random(seed);
    InventoryUpdate inventory;
    inventory.containers.upserts = {random.container()};
    const auto digest = inventory_digest(inventory);
    inventory.containers.upserts[0].state += '!';
    CHECK(inventory_digest(inventory) != digest);
    inventory.containers.upserts[0].state.pop_back();
    inventory.containers.upserts[0].restart_count ^= 1;
    CHECK(inventory_digest(inventory) != digest);
  }
}

TEST_CASE("entries that share a key do not make the digest depend on order") {
  InventoryUpdate inventory;
  inventory.units.upserts = {
      {.name = "a.service", .description = "x", .active_state = "", .sub_state = ""},
      {.name = "a.service", .description = "y", .active_state = "", .sub_state = ""}};
  const auto digest = inventory_digest(inventory);
  reverse(inventory.units);
  CHECK(inventory_digest(inventory) == digest);
}

TEST_CASE("the digest survives the wire") {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    ControlBatch batch;
    batch.inventory = {test::Generator(seed).inventory()};
    const auto decoded = decode_control(encode_control(batch).value(), Codec::kZstd).value();
    CHECK(inventory_digest(decoded.inventory[0]) == inventory_digest(batch.inventory[0]));
  }
}
