#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

TEST_CASE("services roll their members up; ended one-off containers are none") {
  Fixture f;
  const auto services = f.get("/v1/services?host=web1");
  CHECK(find(services, "services", "name", "frontend").at("health").as_string() == "healthy");
  const auto& worker = find(services, "services", "name", "worker");
  CHECK(worker.at("health").as_string() == "down");
  CHECK(worker.at("reason").as_string() == "shop-worker-1 is exited with code 137 (out of memory)");
  CHECK(find(services, "services", "name", "backup.service").at("health").as_string() == "down");
  CHECK(find(services, "services", "name", "ssh.service").at("kind").as_string() == "unit");
  CHECK(services.at("services").as_array().size() ==
        4);  // Neither the leftover nor the inactive unit
  CHECK(find(f.get("/v1/services?host=db1"), "services", "name", "db").at("health").as_string() ==
        "unknown");

  auto inventory = f.telemetry.inventory(f.web1).value().value();
  inventory.containers[0].health = "unhealthy";
  auto second = inventory.containers[0];
  second.name = "shop-frontend-2";
  second.health = "healthy";
  inventory.containers.push_back(second);
  f.telemetry.put_inventory(inventory, f.home);
  const auto again = f.get("/v1/services?host=web1");
  const auto& degraded = find(again, "services", "name", "frontend");
  CHECK(degraded.at("health").as_string() == "degraded");
  CHECK(degraded.at("reason").as_string() == "shop-frontend-1 is unhealthy");
  CHECK(degraded.at("running").as_int64() == 2);

  for (int i = 3; i <= 150; ++i) {
    second.name = "shop-frontend-" + std::to_string(i);
    second.health = i == 150 ? "unhealthy" : "healthy";
    inventory.containers.push_back(second);
  }
  f.telemetry.put_inventory(inventory, f.home);
  const auto crowd = f.get("/v1/services?host=web1");
  const auto& many = find(crowd, "services", "name", "frontend");
  CHECK(many.at("total").as_int64() == 150);
  REQUIRE(many.at("members").as_array().size() == 100);
  CHECK(many.at("members").as_array()[1].as_object().at("name").as_string() == "shop-frontend-150");
}

}  // namespace
}  // namespace observeai::controlplane::api
