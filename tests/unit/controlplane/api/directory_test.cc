#include "controlplane/api/directory.h"

#include "tests/unit/controlplane/api/api_fixture.h"

namespace observeai::controlplane::api {
namespace {

struct Names : Fixture {
  Directory directory() { return {repositories.agents, telemetry, home}; }
  ResolvedTarget target(const std::string& text, const std::string& host = "") {
    auto resolved = directory().target(text, host);
    INFO(text);
    REQUIRE(resolved);
    return *resolved;
  }
  Problem wrong(const std::string& text, const std::string& host = "") {
    auto resolved = directory().target(text, host);
    INFO(text);
    REQUIRE_FALSE(resolved);
    return resolved.error();
  }
};

TEST_CASE("hosts are found by id, start of an id and name, inside the tenant") {
  Names f;
  CHECK(f.directory().host("web1-aaaaaaaa")->id == f.web1);
  CHECK(f.directory().host("web1")->id == f.web1);  // The stranger's namesake does not count
  CHECK(f.directory().host("db1-")->id == f.db1);
  const auto unknown = f.directory().host("webb1");
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().status == 404);
  CHECK(unknown.error().hint == "did you mean web1?");
  CHECK_FALSE(f.directory().host("web1-dddddddd"));
  CHECK_FALSE(f.directory().exact_agent("web1-dddddddd"));
  CHECK_FALSE(f.directory().exact_agent("web1"));
  CHECK(f.directory().exact_agent("web1-aaaaaaaa")->id == f.web1);
}

TEST_CASE("two hosts of one name are candidates, unless one is revoked") {
  Names f;
  model::AgentRecord twin = f.repositories.agents.find(f.web1).value().value();
  twin.id = agent_id("web1-eeeeeeee");
  f.repositories.agents.put(twin);
  const auto both = f.directory().host("web1");
  REQUIRE_FALSE(both);
  CHECK(both.error().status == 409);
  REQUIRE(both.error().candidates.size() == 2);
  CHECK(both.error().candidates[0].agent_id == "web1-aaaaaaaa");
  twin.state = model::AgentState::kRevoked;
  f.repositories.agents.put(twin);
  CHECK(f.directory().host("web1")->id == f.web1);
}

TEST_CASE("containers by name, whole id, start of an id, with and without their kind") {
  Names f;
  const std::string target = "container/" + container_id('a');
  for (const auto& text :
       {std::string("shop-frontend-1"), container_id('a'), std::string("aaaa"), target,
        std::string("container/shop-frontend-1"), std::string("container/aaaa")}) {
    CAPTURE(text);
    CHECK(f.target(text).target == target);
    CHECK(f.target(text).agent == f.web1);
    CHECK(f.target(text, "web1").target == target);
  }
  CHECK(f.wrong("aaa").status == 404);  // Too short for the start of an id
  CHECK(f.wrong("shop-frontend-1", "db1").status == 404);
}

TEST_CASE("files and pods are in no inventory: they are taken as they are named") {
  Names f;
  CHECK(f.target("file/var/log/syslog").target == "file/var/log/syslog");
  CHECK(f.target("pod/shop/cart-1/app", "web1").target == "pod/shop/cart-1/app");
  CHECK(f.target("pod/shop/cart-1/app", "web1").agent == f.web1);
  CHECK(f.wrong("file/var/log/syslog", "nohost").status == 404);
}

TEST_CASE("units by name, with and without .service; a container's name goes first") {
  Names f;
  for (const std::string text : {"ssh.service", "unit/ssh.service", "ssh"})
    CHECK(f.target(text).target == "unit/ssh.service");
  auto inventory = f.telemetry.inventory(f.web1).value().value();
  inventory.containers[0].name = "ssh";
  f.telemetry.put_inventory(inventory, f.home);
  CHECK(f.target("ssh").target == "container/" + container_id('a'));
  CHECK(f.target("ssh.service").target == "unit/ssh.service");
}

TEST_CASE("units that no inventory lists are found by their logs") {
  Names f;
  CHECK(f.wrong("unit/gone.service").status == 404);
  model::LedgerRow row;
  row.agent = f.web1;
  row.entry.source = "log/unit/gone.service";
  row.entry.lane = wire::Lane::kLogs;
  f.telemetry.put_ledger(row);
  for (const std::string text : {"unit/gone.service", "gone.service", "gone"}) {
    CHECK(f.target(text).target == "unit/gone.service");
    CHECK(f.target(text).agent == f.web1);
  }
  CHECK(f.wrong("gone", "db1").status == 404);
  row.agent = f.db1;
  f.telemetry.put_ledger(row);
  CHECK(f.wrong("gone").candidates.size() == 2);
  CHECK(f.target("gone", "db1").agent == f.db1);
}

TEST_CASE("the host, processes, everything, and containers that are gone") {
  Names f;
  CHECK(f.target("host").agent.empty());
  CHECK(f.target("host", "db1").agent == f.db1);
  CHECK(f.target("").target == "");
  CHECK(f.target("process/unit/ssh.service/sshd").agent == f.web1);
  const std::string gone(64, '9');
  CHECK(f.target(gone).target == "container/" + gone);
  CHECK(f.target("container/" + gone, "web1").agent == f.web1);
}

TEST_CASE("ambiguous targets are candidates; unknown ones have the nearest name") {
  Names f;
  auto inventory = f.telemetry.inventory(f.web1).value().value();
  inventory.containers[2].name = "twin";
  f.telemetry.put_inventory(inventory, f.home);
  const auto twins = f.wrong("twin");
  CHECK(twins.status == 409);
  REQUIRE(twins.candidates.size() == 2);
  CHECK(twins.candidates[0].hostname == "db1");
  CHECK(twins.candidates[1].target == "container/" + container_id('c'));
  CHECK(f.target("twin", "db1").agent == f.db1);

  const auto typo = f.wrong("shop-fronted-1");
  CHECK(typo.status == 404);
  CHECK(typo.parameter == "target");
  CHECK(typo.hint == "did you mean shop-frontend-1?");
  CHECK(f.wrong("unit/shh.service").hint == "did you mean unit/ssh.service?");
}

TEST_CASE("where nothing else fits: a service or a part of a name, running containers first") {
  Names f;
  CHECK(f.target("frontend").target == "container/" + container_id('a'));
  CHECK(f.target("fron").target == "container/" + container_id('a'));
  CHECK(f.target("container/frontend").target == "container/" + container_id('a'));
  CHECK(f.target("worker").target == "container/" + container_id('b'));  // Ended, but the only one
  CHECK(f.target("shop").target == "container/" + container_id('a'));    // The worker has ended
  CHECK(f.wrong("fr").status == 404);
  auto inventory = f.telemetry.inventory(f.web1).value().value();
  inventory.containers[1].state = "running";
  f.telemetry.put_inventory(inventory, f.home);
  CHECK(f.wrong("shop").candidates.size() == 2);
  CHECK(f.target("post").agent == f.db1);
}

TEST_CASE("another tenant's containers cannot be named") {
  Names f;
  for (const std::string text : {"secret-app", "secret", "ffff"}) {
    const auto problem = f.wrong(text);
    CHECK(problem.status == 404);
    CHECK(problem.hint.find("secret") == std::string::npos);
  }
  Directory theirs(f.repositories.agents, f.telemetry, f.away);
  CHECK(theirs.target("secret-app", "")->agent == f.stranger);
}

}  // namespace
}  // namespace observeai::controlplane::api
