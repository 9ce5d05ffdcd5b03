#include "controlplane/auth/access_service.h"

#include <atomic>
#include <thread>

#include <doctest/doctest.h>

#include "protocol/signing/sealing.h"
#include "tests/support/memory_access.h"
#include "tests/support/memory_repositories.h"

namespace observeai::controlplane {
namespace {

using namespace std::chrono_literals;
using model::Role;

struct Fixture {
  ManualClock clock;
  test::MemoryAccessRepository access;
  test::MemoryAuditLog audit;
  AccessService service{access, audit, clock};
  TenantId tenant = TenantId::parse("default").value();
  TenantId other = TenantId::parse("other").value();
  const std::string pin = std::string(64, 'a');

  NewApiKey key(Role role = Role::kViewer, std::int64_t expires_ms = 0) {
    return service.create_key("user:root", "ann", tenant, role, expires_ms).value();
  }
  std::vector<std::string> audited() {
    std::vector<std::string> actions;
    const auto entries = audit.list(0, 1000).value();
    for (const auto& entry : entries) actions.push_back(entry.action);
    return actions;
  }
  Errc refusal(std::string_view text, std::string_view ip = "10.0.0.9") {
    const auto identity = service.authenticate(text, ip);
    REQUIRE_FALSE(identity);
    return identity.error().code();
  }
};

TEST_CASE("a new key works and carries user, tenant and role; its secret is nowhere") {
  Fixture f;
  const auto key = f.key(Role::kOperator);
  const auto identity = f.service.authenticate(key.text, "10.0.0.1");
  REQUIRE(identity);
  CHECK(identity->user == "ann");
  CHECK(identity->tenant == f.tenant);
  CHECK(identity->role == Role::kOperator);
  CHECK(identity->key_id == key.record.id);
  CHECK(identity->actor() == "user:ann");

  const std::string secret = parse_api_key(key.text)->secret;
  CHECK(f.access.find_key(key.record.id).value()->secret_sha256 == signing::sha256_hex(secret));
  const auto entries = f.audit.list(0, 100).value();
  for (const auto& entry : entries) {
    CHECK(entry.detail.find(secret) == std::string::npos);
    CHECK(entry.object.find(secret) == std::string::npos);
  }
  CHECK(f.key().text != f.key().text);
}

TEST_CASE(
    "what outlives its request asks again: revoked at once, elsewhere within seconds, expired") {
  Fixture f;
  const auto key = f.key();
  CHECK(f.service.still_valid(key.record.id));
  REQUIRE(f.service.revoke_key("user:root", f.tenant, key.record.id));
  CHECK(f.service.still_valid(key.record.id).error().code() == Errc::kDenied);

  const auto other = f.key();
  CHECK(f.service.still_valid(other.record.id));
  const int finds = f.access.finds();
  CHECK(f.service.still_valid(other.record.id));
  CHECK(f.access.finds() == finds);  // Believed for a moment
  REQUIRE(f.access.revoke_key(other.record.id, 1));
  f.clock.advance(AccessService::kRecheck);
  CHECK(f.service.still_valid(other.record.id).error().code() == Errc::kDenied);

  const auto short_lived = f.key(Role::kViewer, f.clock.unix_ms() + 100);
  CHECK(f.service.still_valid(short_lived.record.id));
  f.clock.advance(100ms);
  CHECK(f.service.still_valid(short_lived.record.id).error().code() == Errc::kDenied);
  CHECK(f.service.still_valid("nobody").error().code() == Errc::kDenied);
}

TEST_CASE("wrong secret, unknown id and garbage are refused with the same words") {
  Fixture f;
  const auto key = f.key();
  auto parts = parse_api_key(key.text).value();
  parts.secret[0] = parts.secret[0] == 'A' ? 'B' : 'A';
  const auto wrong_secret = f.service.authenticate(format_api_key(parts), "10.0.0.1");
  parts = parse_api_key(key.text).value();
  parts.id = "ffffffffffff";
  const auto wrong_id = f.service.authenticate(format_api_key(parts), "10.0.0.2");
  const auto garbage = f.service.authenticate("garbage", "10.0.0.3");
  REQUIRE_FALSE(wrong_secret);
  REQUIRE_FALSE(wrong_id);
  REQUIRE_FALSE(garbage);
  CHECK(wrong_secret.error().code() == Errc::kDenied);
  CHECK(wrong_secret.error().message() == wrong_id.error().message());
  CHECK(wrong_secret.error().message() == garbage.error().message());
}

TEST_CASE("an expired key stops on the millisecond, cached or not") {
  Fixture f;
  const auto key = f.key(Role::kViewer, f.clock.unix_ms() + 1000);
  CHECK(f.service.authenticate(key.text, "10.0.0.1"));
  f.clock.advance(999ms);
  CHECK(f.service.authenticate(key.text, "10.0.0.1"));
  f.clock.advance(1ms);
  CHECK(f.refusal(key.text) == Errc::kDenied);
  CHECK_FALSE(f.service.create_key("x", "ann", f.tenant, Role::kViewer, f.clock.unix_ms()));
}

TEST_CASE("a revoked key stops at once here, and soon when revoked elsewhere") {
  Fixture f;
  const auto here = f.key();
  const auto elsewhere = f.key();
  CHECK(f.service.authenticate(here.text, "10.0.0.1"));
  CHECK(f.service.authenticate(elsewhere.text, "10.0.0.1"));
  REQUIRE(f.service.revoke_key("user:root", f.tenant, here.record.id));
  CHECK(f.refusal(here.text) == Errc::kDenied);
  REQUIRE(f.access.revoke_key(elsewhere.record.id, f.clock.unix_ms()));
  f.clock.advance(AccessService::kRecheck);
  CHECK(f.refusal(elsewhere.text) == Errc::kDenied);
}

TEST_CASE("a key of another tenant can be neither seen nor revoked") {
  Fixture f;
  const auto key = f.key();
  CHECK(f.service.list_keys(f.other)->empty());
  CHECK(f.service.list_keys(f.tenant)->size() == 1);
  const auto revoked = f.service.revoke_key("user:eve", f.other, key.record.id);
  REQUIRE_FALSE(revoked);
  CHECK(revoked.error().code() == Errc::kNotFound);
  CHECK(f.service.authenticate(key.text, "10.0.0.1"));
}

TEST_CASE("the store is asked once in the recheck time") {
  Fixture f;
  const auto key = f.key();
  const int before = f.access.finds();
  for (int i = 0; i < 50; ++i) REQUIRE(f.service.authenticate(key.text, "10.0.0.1"));
  CHECK(f.access.finds() == before + 1);
  f.clock.advance(AccessService::kRecheck);
  REQUIRE(f.service.authenticate(key.text, "10.0.0.1"));
  CHECK(f.access.finds() == before + 2);
}

TEST_CASE(
    "failed attempts are limited for each source; right keys and codes come in all the same") {
  Fixture f;
  const auto in_use = f.key();
  const auto fresh = f.key();
  REQUIRE(f.service.authenticate(in_use.text, "10.0.0.9"));
  for (std::uint32_t i = 0; i < AttemptLimiter::kFailuresAllowed; ++i) {
    CHECK(f.refusal("oak1_guess_" + std::string(43, 'A')) == Errc::kDenied);
  }
  CHECK(f.refusal("garbage") == Errc::kLimit);
  CHECK(f.service.exchange_login("code", "10.0.0.9").error().code() == Errc::kLimit);
  CHECK(f.service.authenticate(in_use.text, "10.0.0.9"));
  CHECK(f.service.authenticate(fresh.text, "10.0.0.9"));
  const auto login =
      f.service.create_login("system", "ann", f.tenant, Role::kViewer, "cp.local", 1, f.pin)
          .value();
  CHECK(f.service.exchange_login(login, "10.0.0.9"));
  CHECK(f.service.exchange_login(login, "10.0.0.9").error().code() == Errc::kLimit);  // Used
  CHECK(f.service.authenticate(fresh.text, "10.0.0.8"));
  f.clock.advance(AttemptLimiter::kWindow);
  CHECK(f.refusal("garbage") == Errc::kDenied);
  const auto actions = f.audited();
  CHECK(std::count(actions.begin(), actions.end(), "auth.block") == 1);
}

TEST_CASE("uses are audited once for each source, and the time of last use is kept") {
  Fixture f;
  const auto key = f.key();
  for (int i = 0; i < 3; ++i) {
    REQUIRE(f.service.authenticate(key.text, "10.0.0.1"));
    REQUIRE(f.service.authenticate(key.text, "10.0.0.2"));
  }
  const auto actions = f.audited();
  CHECK(std::count(actions.begin(), actions.end(), "key.use") == 2);
  CHECK(f.access.find_key(key.record.id).value()->last_used_ms == f.clock.unix_ms());
}

TEST_CASE("users have plain names") {
  Fixture f;
  for (const auto& user :
       {std::string(), std::string("a b"), std::string("a\n"), std::string(65, 'u')}) {
    CHECK_FALSE(f.service.create_key("x", user, f.tenant, Role::kViewer, 0));
  }
  CHECK(f.service.create_key("x", std::string(64, 'u'), f.tenant, Role::kViewer, 0));
}

TEST_CASE("a login text is exchanged once for a key of its user and role") {
  Fixture f;
  const auto text =
      f.service.create_login("system", "ann", f.tenant, Role::kAdmin, "cp.local", 8443, f.pin);
  REQUIRE(text);
  const auto login = parse_login(*text).value();
  const auto key = f.service.exchange_login(login.code, "10.0.0.1");
  REQUIRE(key);
  const auto identity = f.service.authenticate(key->text, "10.0.0.1");
  REQUIRE(identity);
  CHECK(identity->role == Role::kAdmin);
  CHECK(identity->expires_ms == f.clock.unix_ms() + AccessService::kLoginKeyLifetimeMs);
  const auto again = f.service.exchange_login(login.code, "10.0.0.1");
  REQUIRE_FALSE(again);
  CHECK(again.error().code() == Errc::kDenied);
  const auto actions = f.audited();
  CHECK(std::count(actions.begin(), actions.end(), "login.create") == 1);
  CHECK(std::count(actions.begin(), actions.end(), "login") == 1);
}

TEST_CASE("a login code lives for 15 minutes; the whole text is accepted too") {
  Fixture f;
  const auto make = [&] {
    return f.service.create_login("system", "ann", f.tenant, Role::kViewer, "h", 1, f.pin).value();
  };
  const auto in_time = make();
  const auto late = make();
  f.clock.advance(std::chrono::milliseconds(AccessService::kLoginCodeLifetimeMs - 1));
  CHECK(f.service.exchange_login(in_time, "10.0.0.1"));
  f.clock.advance(1ms);
  CHECK_FALSE(f.service.exchange_login(late, "10.0.0.1"));
  CHECK_FALSE(f.service.create_login("s", "ann", f.tenant, Role::kViewer, "h", 0, f.pin));
  CHECK_FALSE(f.service.create_login("s", "ann", f.tenant, Role::kViewer, "h", 1, "short"));
}

TEST_CASE("of many who race with one code exactly one gets a key") {
  Fixture f;
  const auto text =
      f.service.create_login("system", "ann", f.tenant, Role::kViewer, "h", 1, f.pin).value();
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      if (f.service.exchange_login(text, "10.0.1." + std::to_string(i))) ++won;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(won == 1);
  CHECK(f.service.list_keys(f.tenant)->size() == 1);
}

}  // namespace
}  // namespace observeai::controlplane
