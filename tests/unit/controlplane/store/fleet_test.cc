#include <atomic>
#include <thread>

#include "controlplane/store/agents.h"
#include "protocol/sql/database.h"
#include "tests/unit/controlplane/store/store_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::store_test;

namespace {

TenantId tenant_id(const std::string& name) {
  return TenantId::parse(name).value();
}

model::TokenRecord token_of(const std::string& id, std::uint32_t uses_allowed = 1) {
  model::TokenRecord token;
  token.id = id;
  token.secret_sha256 = "ab";
  token.tenant = tenant_id("acme");
  token.labels = {{"role", "web"}};
  token.cidrs = {"10.0.0.0/8", "::1/128"};
  token.host_pattern = "web-*";
  token.uses_allowed = uses_allowed;
  token.needs_approval = true;
  token.created_ms = 1;
  token.expires_ms = 1000;
  token.created_by = "admin";
  return token;
}

model::AgentRecord agent_of(const std::string& name, const std::string& spki) {
  model::AgentRecord agent;
  agent.id = agent_id(name);
  agent.tenant = tenant_id("acme");
  agent.shard = 63;
  agent.hostname = "Web 01";
  agent.machine_id_sha256 = "cd";
  agent.token_id = "t1";
  agent.spki_sha256 = spki;
  agent.certificate_pem = "PEM";
  agent.certificate_serial = "0a";
  agent.certificate_not_after_ms = 5;
  agent.sealing_public_key.fill(1);
  agent.result_public_key.fill(2);
  agent.labels = {{"role", "web"}};
  agent.enrolled_ms = 6;
  return agent;
}

}  // namespace

TEST_CASE("an agent is read back as it was enrolled, also after a restart") {
  StoreFixture f;
  REQUIRE(f.store->tokens().insert(token_of("t1")));
  REQUIRE(f.store->tokens().consume("t1", agent_of("web-01", "key-1"), 10));
  f.reopen();
  const auto found = f.store->agents().find(agent_id("web-01")).value();
  REQUIRE(found);
  const auto wanted = agent_of("web-01", "key-1");
  CHECK(found->tenant == wanted.tenant);
  CHECK(found->shard == 63);
  CHECK(found->state == model::AgentState::kPending);
  CHECK(found->hostname == "Web 01");
  CHECK(found->machine_id_sha256 == "cd");
  CHECK(found->token_id == "t1");
  CHECK(found->spki_sha256 == "key-1");
  CHECK(found->certificate_pem == "PEM");
  CHECK(found->certificate_serial == "0a");
  CHECK(found->certificate_not_after_ms == 5);
  CHECK(found->sealing_public_key == wanted.sealing_public_key);
  CHECK(found->result_public_key == wanted.result_public_key);
  CHECK(found->labels == wanted.labels);
  CHECK(found->enrolled_ms == 6);
  CHECK_FALSE(found->last_hello);
  CHECK_FALSE(f.store->agents().find(agent_id("other")).value());
}

TEST_CASE("an agent's life: confirm, renew, seen, revoke") {
  StoreFixture f;
  auto& agents = f.store->agents();
  REQUIRE(f.store->tokens().insert(token_of("t1", 2)));
  REQUIRE(f.store->tokens().consume("t1", agent_of("a", "key-1"), 10));
  const auto id = agent_id("a");
  REQUIRE(agents.confirm(id));
  REQUIRE(agents.confirm(id));
  CHECK(agents.find(id).value()->state == model::AgentState::kActive);
  REQUIRE(agents.update_certificate(id, "key-2", "PEM2", "0b", 99));
  CHECK(agents.find(id).value()->spki_sha256 == "key-2");
  CHECK(agents.find(id).value()->certificate_serial == "0b");

  wire::Hello hello;
  hello.agent = id;
  hello.epoch = epoch_of(3);
  hello.agent_version = "1.2.3";
  hello.next_seq.fill(1);
  hello.oldest_seq.fill(1);
  REQUIRE(agents.seen(id, 500, hello));
  REQUIRE(agents.seen(id, 900, std::nullopt));
  REQUIRE(f.store->maintenance());
  CHECK(agents.find(id).value()->last_seen_ms == 900);
  REQUIRE(agents.seen(id, 500, std::nullopt));  // The clock was ahead and is right again
  CHECK(agents.find(id).value()->last_seen_ms == 500);
  CHECK(agents.find(id).value()->last_hello->agent_version == "1.2.3");
  REQUIRE(f.store->maintenance());
  f.reopen();
  auto& again = f.store->agents();
  CHECK(again.list(TenantId()).value().at(0).last_seen_ms == 500);
  CHECK(again.find(id).value()->last_hello->epoch == epoch_of(3));

  REQUIRE(again.revoke(id, "stolen", 700));
  REQUIRE(again.revoke(id, "again", 800));
  CHECK(again.find(id).value()->state == model::AgentState::kRevoked);
  CHECK(again.find(id).value()->revoked_reason == "stolen");
  CHECK(again.find(id).value()->revoked_ms == 700);
  CHECK(again.confirm(id).error().code() == Errc::kDenied);

  const auto other = agent_id("none");
  CHECK(again.confirm(other).error().code() == Errc::kNotFound);
  CHECK(again.revoke(other, "", 1).error().code() == Errc::kNotFound);
  CHECK(again.update_certificate(other, "", "", "", 1).error().code() == Errc::kNotFound);
  CHECK(again.seen(other, 1, std::nullopt).error().code() == Errc::kNotFound);
  CHECK(again.list(tenant_id("acme")).value().size() == 1);
  CHECK(again.list(tenant_id("other")).value().empty());
}

TEST_CASE("a token: read back, counted, refused with the reason") {
  StoreFixture f;
  auto& tokens = f.store->tokens();
  REQUIRE(tokens.insert(token_of("t1")));
  CHECK(tokens.insert(token_of("t1")).error().code() == Errc::kInvalid);
  const auto found = tokens.find("t1").value();
  REQUIRE(found);
  CHECK(found->labels == token_of("t1").labels);
  CHECK(found->cidrs == token_of("t1").cidrs);
  CHECK(found->host_pattern == "web-*");
  CHECK(found->needs_approval);
  CHECK(found->expires_ms == 1000);
  CHECK_FALSE(tokens.find("t2").value());

  const auto refusal = [&](const std::string& token, const std::string& agent,
                           std::int64_t now_ms) {
    const auto refused = tokens.consume(token, agent_of(agent, "key-" + agent), now_ms);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::kDenied);
    return refused.error().message();
  };
  CHECK(refusal("t2", "a", 10).find("unknown") != std::string::npos);
  CHECK(refusal("t1", "a", 1000).find("expired") != std::string::npos);
  CHECK(tokens.find("t1").value()->uses == 0);
  REQUIRE(tokens.consume("t1", agent_of("a", "key-a"), 999));
  CHECK(refusal("t1", "b", 10).find("used up") != std::string::npos);
  REQUIRE(tokens.insert(token_of("t3", 5)));
  REQUIRE(tokens.revoke("t3", 20));
  REQUIRE(tokens.revoke("t3", 30));
  CHECK(tokens.find("t3").value()->revoked_ms == 20);
  CHECK(refusal("t3", "b", 10).find("revoked") != std::string::npos);
  CHECK(tokens.revoke("t9", 1).error().code() == Errc::kNotFound);
  CHECK(tokens.list(tenant_id("acme")).value().size() == 2);
  CHECK(tokens.list(tenant_id("x")).value().empty());
}

TEST_CASE(
    "a retry with the same key gets the same agent and counts nothing, also after renewal and "
    "expiry") {
  StoreFixture f;
  auto& tokens = f.store->tokens();
  REQUIRE(tokens.insert(token_of("t1")));
  REQUIRE(tokens.consume("t1", agent_of("a", "key-a"), 10));
  CHECK(tokens.consume("t1", agent_of("another-name", "key-a"), 11)->id == agent_id("a"));
  REQUIRE(f.store->agents().update_certificate(agent_id("a"), "key-new", "P", "s", 1));
  CHECK(tokens.consume("t1", agent_of("another-name", "key-a"), 99'999)->spki_sha256 == "key-new");
  CHECK(tokens.find("t1").value()->uses == 1);
  CHECK(f.store->agents().list(TenantId()).value().size() == 1);
}

TEST_CASE("an id that is taken is refused and costs no use") {
  StoreFixture f;
  REQUIRE(f.store->tokens().insert(token_of("t1", 5)));
  REQUIRE(f.store->tokens().consume("t1", agent_of("a", "key-1"), 10));
  CHECK(f.store->tokens().consume("t1", agent_of("a", "key-2"), 10).error().code() ==
        Errc::kInvalid);
  CHECK(f.store->tokens().find("t1").value()->uses == 1);
  CHECK(f.store->agents().find(agent_id("a")).value()->spki_sha256 == "key-1");
}

TEST_CASE("sixteen hosts race for a token of three uses: exactly three win") {
  StoreFixture f;
  REQUIRE(f.store->tokens().insert(token_of("t1", 3)));
  std::atomic<int> won = 0;
  std::atomic<int> denied = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&f, &won, &denied, i] {
        const auto name = "host-" + std::to_string(i);
        const auto outcome = f.store->tokens().consume("t1", agent_of(name, "key-" + name), 10);
        if (outcome) {
          ++won;
        } else if (outcome.error().code() == Errc::kDenied) {
          ++denied;
        }
      });
    }
  }
  CHECK(won == 3);
  CHECK(denied == 13);
  CHECK(f.store->agents().list(TenantId()).value().size() == 3);
  CHECK(f.store->tokens().find("t1").value()->uses == 3);
}

TEST_CASE("API keys and login codes") {
  StoreFixture f;
  auto& access = f.store->access();
  const model::ApiKeyRecord key{"k1", "hash", "admin", tenant_id("acme"), model::Role::kOperator, 1,
                                2,    0,      0};
  REQUIRE(access.insert_key(key));
  CHECK(access.insert_key(key).error().code() == Errc::kInvalid);
  REQUIRE(access.key_used("k1", 50));
  REQUIRE(access.key_used("k1", 40));
  REQUIRE(access.revoke_key("k1", 60));
  REQUIRE(access.revoke_key("k1", 70));
  const auto found = access.find_key("k1").value();
  REQUIRE(found);
  CHECK(found->user == "admin");
  CHECK(found->role == model::Role::kOperator);
  CHECK(found->last_used_ms == 50);
  CHECK(found->revoked_ms == 60);
  CHECK_FALSE(access.find_key("k2").value());
  CHECK(access.revoke_key("k2", 1).error().code() == Errc::kNotFound);
  CHECK(access.key_used("k2", 1).error().code() == Errc::kNotFound);
  CHECK(access.list_keys().value().size() == 1);

  REQUIRE(access.insert_login({"code", "admin", tenant_id("acme"), model::Role::kAdmin, 100, 0}));
  CHECK(access.use_login("unknown", 10).error().code() == Errc::kDenied);
  CHECK(access.use_login("code", 100).error().code() == Errc::kDenied);
  CHECK(access.use_login("code", 99)->used_ms == 99);
  CHECK(access.use_login("code", 99).error().code() == Errc::kDenied);
  REQUIRE(f.store->maintenance());  // The clock is far beyond: the code is forgotten.
  CHECK(access.use_login("code", 99).error().message().find("unknown") != std::string::npos);
}

TEST_CASE("the audit log goes on in order and cannot be changed, not even by SQL") {
  StoreFixture f;
  for (int i = 0; i < 5; ++i) {
    REQUIRE(f.store->audit().append(
        {0, i, "user:admin", "token.create", "t" + std::to_string(i), "{}"}));
  }
  const auto page = f.store->audit().list(2, 2).value();
  REQUIRE(page.size() == 2);
  CHECK(page[0].seq == 3);
  CHECK(page[0].object == "t2");
  CHECK(page[1].seq == 4);
  auto database = sql::Database::open(f.dir / "state.db", {}).value();
  CHECK_FALSE(database.run("DELETE FROM audit"));
  CHECK_FALSE(database.run("UPDATE audit SET actor='nobody'"));
  CHECK(f.store->audit().list(0, 100).value().size() == 5);
}

TEST_CASE("alerts merge by kind, agent and object until they are cleared") {
  StoreFixture f;
  auto& alerts = f.store->alerts();
  REQUIRE(alerts.raise({"agent.clone", agent_id("a"), "", "first", 100, 100, 0}));
  REQUIRE(alerts.raise({"agent.clone", agent_id("a"), "", "second", 200, 300, 4}));
  REQUIRE(alerts.raise({"agent.clone", agent_id("a"), "x", "other", 200, 200, 1}));
  REQUIRE(alerts.raise({"store.full", AgentId(), "", "no agent", 300, 300, 1}));
  auto open = alerts.open().value();
  REQUIRE(open.size() == 3);
  CHECK(open[0].message == "second");
  CHECK(open[0].first_ms == 100);
  CHECK(open[0].last_ms == 300);
  CHECK(open[0].count == 5);
  CHECK(open[2].agent.empty());
  REQUIRE(alerts.clear("agent.clone", agent_id("a"), ""));
  REQUIRE(alerts.clear("agent.clone", agent_id("a"), ""));
  CHECK(alerts.open().value().size() == 2);
}

TEST_CASE("a hello that comes while others are written is written the next time") {
  test::TempDir dir;
  auto state = controlplane::store::StateDb::open(dir / "state.db").value();
  controlplane::store::AgentStore agents(*state, [](const AgentId&, const wire::Hello&) {});
  model::AgentRecord record;
  record.id = agent_id("a");
  REQUIRE(state->write(
      [&](sql::Database& db) { return controlplane::store::insert_agent(db, record); }));
  wire::Hello hello;
  hello.agent = record.id;
  for (std::uint64_t round = 1; round <= 50; ++round) {
    std::atomic<bool> flushed = false;
    std::jthread flusher([&] {
      CHECK(agents.flush());
      flushed = true;
    });
    while (!flushed) {  // All in one millisecond, as far as the times tell
      ++hello.series_known;
      REQUIRE(agents.seen(record.id, 1, hello));
    }
    flusher.join();
    REQUIRE(agents.flush());
    controlplane::store::AgentStore afresh(*state, [](const AgentId&, const wire::Hello&) {});
    REQUIRE(afresh.find(record.id).value()->last_hello->series_known == hello.series_known);
  }
}
