#include <doctest/doctest.h>

#include <atomic>
#include <thread>

#include "controlplane/enroll/agent_naming.h"
#include "protocol/base/text.h"
#include "protocol/pki/crl.h"
#include "tests/unit/controlplane/enroll/enroll_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {

TokenScope scope_of_acme() {
  TokenScope scope;
  scope.tenant = TenantId::parse("acme").value();
  return scope;
}

std::string refusal(ControlPlane& plane, const pki::EnrollRequest& request,
                    const std::string& remote = kRemote) {
  const auto answer = plane.service->enroll(request, remote);
  CHECK_FALSE(answer);
  return why(answer);
}

}  // namespace

TEST_CASE("a new token and its answer name the newest root metadata, also when it changed since") {
  ControlPlane plane;
  const auto before = plane.token(scope_of_acme());
  plane.roots.emplace_back("root metadata, version 2");
  const auto token = plane.token(scope_of_acme());
  CHECK(token.root_metadata_sha256 == signing::sha256_hex("root metadata, version 2"));
  CHECK(token.root_metadata_sha256 != before.root_metadata_sha256);
  Host host;
  CHECK(host.enroll(plane, token).value().root_metadata == "root metadata, version 2");
}

TEST_CASE("a token gives one host an identity") {
  ControlPlane plane;
  auto scope = scope_of_acme();
  scope.labels = {{"env", "prod"}};
  Host host;
  const auto token = plane.token(scope);
  CHECK(token.server_spki_sha256 == plane.authorities->https_spki_sha256());
  const auto answer = host.enroll(plane, token).value();
  CHECK(answer.tenant == "acme");
  CHECK(answer.agent_id.substr(0, 6) == "web-1-");
  CHECK(answer.shard == shard_of(host.id));
  CHECK(answer.brokers[0].host == "cp.example.com");
  CHECK(answer.controlplane_public_key == plane.authorities->sealing_pair().public_key);
  CHECK(signing::sha256_hex(answer.root_metadata) == token.root_metadata_sha256);
  CHECK(host.certificate.common_name == answer.agent_id);  // Not the "cp-ingest-0" it asked for
  CHECK(host.certificate.client_auth);
  CHECK_FALSE(host.certificate.server_auth);
  CHECK(host.certificate.not_after_ms == plane.clock.unix_ms() + 30 * kDayMs);
  CHECK(plane.authorities->verify_agent(host.certificate));

  const auto row = plane.store.agents.find(host.id)->value();
  CHECK(row.state == model::AgentState::kPending);
  CHECK(row.labels.at("env") == "prod");
  CHECK(row.spki_sha256 == host.key.spki_sha256());
  CHECK(row.sealing_public_key == host.sealing.public_key);
  CHECK(plane.audited("agent.enroll").size() == 1);
  CHECK(plane.audited("token.create").size() == 1);
}

TEST_CASE("the secret is stored as a hash and audited nowhere") {
  ControlPlane plane;
  const auto token = plane.token();
  const auto row = plane.store.tokens.find(token.id)->value();
  CHECK(row.secret_sha256 == signing::sha256_hex(text::as_text(token.secret)));
  const auto secret = text::to_base64url(token.secret);
  Host host;
  REQUIRE(host.enroll(plane, token));
  const auto entries = plane.store.audit.list(0, 100).value();
  CHECK(entries.size() >= 2);
  for (const auto& entry : entries) {
    CHECK_FALSE(has(entry.detail + entry.object + entry.actor, secret));
  }
}

TEST_CASE("a wrong id and a wrong secret get the same answer") {
  ControlPlane plane;
  const Host host;
  auto wrong_id = host.request(plane.token(), plane.clock.unix_ms());
  auto wrong_secret = wrong_id;
  wrong_id.token_id = "aaaaaaaaaa";
  wrong_secret.secret[31] ^= 1;
  const auto words = refusal(plane, wrong_id);
  CHECK(has(words, "unknown token"));
  CHECK(refusal(plane, wrong_secret) == words);
  // Nothing of the token's state shows to who has a wrong secret.
  REQUIRE(plane.service->revoke_token(wrong_secret.token_id, "user:admin"));
  CHECK(refusal(plane, wrong_secret) == words);
  CHECK(plane.audited("agent.enroll.refused").size() == 3);
  CHECK(plane.store.agents.list(TenantId())->empty());
}

TEST_CASE("an expired token is refused with its time") {
  ControlPlane plane;
  Host host;
  const auto token = plane.token();
  plane.clock.advance(std::chrono::minutes(60));
  CHECK(
      has(why(host.enroll(plane, token)), "token " + token.id + " expired at 2023-11-14T23:13:20"));
  CHECK(plane.store.tokens.find(token.id)->value().uses == 0);
}

TEST_CASE("a token works until its last second") {
  ControlPlane plane;
  Host host;
  const auto token = plane.token();
  plane.clock.advance(std::chrono::minutes(60) - std::chrono::seconds(1));
  CHECK(host.enroll(plane, token));
}

TEST_CASE("a used-up token says how many uses it had") {
  ControlPlane plane;
  const auto token = plane.token(2);
  Host first, second, third;
  CHECK(first.enroll(plane, token));
  CHECK(second.enroll(plane, token));
  CHECK(has(why(third.enroll(plane, token)), "is used up (2 uses allowed)"));
  CHECK(plane.store.agents.list(TenantId())->size() == 2);
}

TEST_CASE("a revoked token is refused") {
  ControlPlane plane;
  Host host;
  const auto token = plane.token();
  REQUIRE(plane.service->revoke_token(token.id, "user:admin"));
  CHECK(has(why(host.enroll(plane, token)), "token " + token.id + " was revoked at"));
  CHECK(plane.service->revoke_token("none", "user:admin").error().code() == Errc::kNotFound);
}

TEST_CASE("a token is bound to networks and host names") {
  ControlPlane plane;
  auto scope = scope_of_acme();
  scope.uses = 10;
  scope.cidrs = {"10.0.0.0/8", "2001:db8::/32"};
  scope.host_pattern = "web-*";
  const auto token = plane.token(scope);
  Host host;
  const auto request = host.request(token, plane.clock.unix_ms());
  CHECK(has(refusal(plane, request, "192.0.2.7"),
            "may not be used from 192.0.2.7, only from 10.0.0.0/8, 2001:db8::/32"));
  CHECK(has(refusal(plane, request, "not an address"), "may not be used from"));
  CHECK(plane.service->enroll(request, "10.1.2.3"));
  CHECK(plane.service->enroll(Host().request(token, plane.clock.unix_ms()), "2001:db8::9"));
  host.name = "db-1";
  CHECK(has(refusal(plane, host.request(token, plane.clock.unix_ms()), "10.1.2.3"),
            "is for hosts named \"web-*\", this one is named \"db-1\""));
}

TEST_CASE("a clock that is a day off is refused with directions, both ways") {
  ControlPlane plane;
  const auto token = plane.token();
  const auto now = plane.clock.unix_ms();
  const Host host;
  const auto ahead = refusal(plane, host.request(token, now + kDayMs));
  CHECK(has(ahead, "this host's clock is 24h 0m ahead of the control plane"));
  CHECK(has(ahead, "timedatectl"));
  CHECK(has(refusal(plane, host.request(token, now - kDayMs)),
            "this host's clock is 24h 0m behind the control plane"));
  CHECK(has(refusal(plane, host.request(token, now + 300'001)), "5m 0s ahead"));
  CHECK(plane.store.tokens.find(token.id)->value().uses == 0);
  CHECK(plane.service->enroll(host.request(token, now + 300'000), kRemote));
}

TEST_CASE("a retry with the same key gets the same certificate and costs nothing") {
  ControlPlane plane;
  Host host;
  const auto token = plane.token();
  const auto first = host.enroll(plane, token).value();
  plane.clock.advance(std::chrono::hours(2));  // Used up and expired meanwhile
  REQUIRE(plane.service->revoke_token(token.id, "user:admin"));
  const auto second = host.enroll(plane, token).value();
  CHECK(second.agent_id == first.agent_id);
  CHECK(second.certificate_pem == first.certificate_pem);
  CHECK(plane.store.tokens.find(token.id)->value().uses == 1);
  CHECK(plane.store.agents.list(TenantId())->size() == 1);
  CHECK(plane.audited("agent.enroll").size() == 1);
  CHECK(plane.audited("agent.enroll.retry").size() == 1);
}

TEST_CASE("a retry is refused when its agent was revoked, its keys differ or its time is over") {
  ControlPlane plane;
  Host host;
  const auto token = plane.token();
  REQUIRE(host.enroll(plane, token));
  SUBCASE("revoked") {
    REQUIRE(plane.service->revoke(host.id, "stolen", "user:admin"));
    CHECK(has(why(host.enroll(plane, token)), "was revoked: stolen"));
  }
  SUBCASE("other sealing key") {
    host.sealing = signing::generate_key_agreement_pair();
    CHECK(has(why(host.enroll(plane, token)), "with other sealing or result keys"));
  }
  SUBCASE("expired certificate") {
    plane.clock.advance(std::chrono::hours(24 * 31));
    CHECK(has(why(host.enroll(plane, token)), "its certificate has expired"));
  }
}

TEST_CASE("a hundred hosts race for three uses: three get in") {
  ControlPlane plane;
  const auto token = plane.token(3);
  constexpr int kHosts = 100;
  std::vector<pki::EnrollRequest> requests;
  for (int i = 0; i < kHosts; ++i) {
    requests.push_back(Host().request(token, plane.clock.unix_ms()));
  }
  std::atomic<int> accepted = 0;
  std::atomic<int> used_up = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 10; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < kHosts; i += 10) {
        const auto answer = plane.service->enroll(requests[static_cast<std::size_t>(i)], kRemote);
        if (answer) ++accepted;
        if (!answer && has(why(answer), "is used up")) ++used_up;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(accepted == 3);
  CHECK(used_up == 97);
  CHECK(plane.store.agents.list(TenantId())->size() == 3);
  CHECK(plane.store.tokens.find(token.id)->value().uses == 3);
}

TEST_CASE("bad fields are named, and cost no use") {
  ControlPlane plane;
  const auto token = plane.token();
  const Host host;
  const auto good = host.request(token, plane.clock.unix_ms());
  const auto with = [&](auto change) {
    auto request = good;
    change(request);
    return refusal(plane, request);
  };
  CHECK(has(with([](auto& r) { r.token_id = "../etc"; }), "\"token_id\""));
  CHECK(has(with([](auto& r) { r.hostname = "\xFF"; }), "\"hostname\""));
  CHECK(has(with([](auto& r) { r.hostname = std::string(254, 'a'); }), "\"hostname\""));
  const std::vector<std::string> controls{"web\x1b[2Jbad", "web\n1", std::string("web\0", 4),
                                          "web\x7f", "web\xc2\x9b"};
  for (const auto& bad : controls) {
    const auto words = with([&](auto& r) { r.hostname = bad; });
    CHECK(has(words, "\"hostname\" must be UTF-8 of at most 253 bytes without control characters"));
    CHECK(has(words, "hostnamectl set-hostname"));
    CHECK_FALSE(has(words, bad));
  }
  CHECK(has(with([](auto& r) { r.agent_version = "1\x1b]0;x\x07"; }), "\"agent_version\""));
  CHECK(has(with([](auto& r) { r.machine_id_sha256 = "abc"; }), "\"machine_id_sha256\""));
  CHECK(has(with([](auto& r) { r.agent_version = std::string(65, '1'); }), "\"agent_version\""));
  CHECK(has(with([](auto& r) { r.csr_pem = std::string(20'000, 'a'); }), "\"csr_pem\""));
  CHECK(has(with([](auto& r) { r.csr_pem = "hello"; }), "not a certificate request"));
  CHECK(has(with([](auto& r) { r.sealing_public_key.fill(0); }), "\"sealing_public_key\""));
  CHECK(has(with([](auto& r) { r.result_public_key.fill(0); }), "\"result_public_key\""));
  CHECK(plane.store.tokens.find(token.id)->value().uses == 0);
  CHECK(plane.service->enroll(good, kRemote));
}

TEST_CASE("a host name in any script is fine") {
  ControlPlane plane;
  const auto token = plane.token(2);
  Host host;
  host.name = "b\xc3\xbcro-\xe3\x83\x9b\xe3\x82\xb9\xe3\x83\x88";
  CHECK(host.enroll(plane, token));
  Host longest;
  longest.name = std::string(253, 'a');
  CHECK(longest.enroll(plane, token));
}

TEST_CASE("the same machine with another key is another agent, and an alert") {
  ControlPlane plane;
  Host host;
  host.machine_id = std::string(64, 'a');
  REQUIRE(host.enroll(plane, plane.token()));
  CHECK(plane.alerts("agent.clone") == 0);
  Host clone;
  clone.machine_id = host.machine_id;
  const auto token = plane.token();
  REQUIRE(clone.enroll(plane, token));
  REQUIRE(clone.enroll(plane, token));  // A retry is the same alert
  CHECK(clone.id != host.id);
  REQUIRE(plane.alerts("agent.clone") == 1);
  const auto alert = plane.store.alerts.open().value()[0];
  CHECK(alert.agent == clone.id);
  CHECK(has(alert.message, "possible clone"));
  CHECK(has(alert.message, host.id.value()));
  // The first is not touched, and its retry is not suspicious.
  CHECK(plane.store.agents.find(host.id)->value().spki_sha256 == host.key.spki_sha256());
}

TEST_CASE("a machine whose old identity was revoked enrolls without an alert; no id, no alert") {
  ControlPlane plane;
  Host host;
  host.machine_id = std::string(64, 'a');
  REQUIRE(host.enroll(plane, plane.token()));
  REQUIRE(plane.service->revoke(host.id, "reinstalled", "user:admin"));
  Host again;
  again.machine_id = host.machine_id;
  REQUIRE(again.enroll(plane, plane.token()));
  Host bare, also_bare;
  REQUIRE(bare.enroll(plane, plane.token()));
  REQUIRE(also_bare.enroll(plane, plane.token()));
  CHECK(plane.alerts("agent.clone") == 0);
}

TEST_CASE("confirming needs the enrolled key and makes the agent active once") {
  ControlPlane plane;
  Host host;
  REQUIRE(host.enroll(plane, plane.token()));
  Host thief = host;
  thief.key = pki::PrivateKey::generate().value();
  const auto words = why(thief.confirm(plane));
  CHECK(has(words, "no such agent, or the signature is not by its key"));
  thief.id = AgentId::parse("nobody").value();
  CHECK(why(thief.confirm(plane)) == words);
  CHECK(plane.store.agents.find(host.id)->value().state == model::AgentState::kPending);
  CHECK(host.confirm(plane)->active);
  CHECK(host.confirm(plane)->active);
  CHECK(plane.store.agents.find(host.id)->value().state == model::AgentState::kActive);
  CHECK(plane.audited("agent.confirm").size() == 1);

  // A recorded confirmation is worthless later.
  const auto then = plane.clock.unix_ms();
  const auto signature = host.key.sign(pki::confirm_statement(host.id.value(), then)).value();
  plane.clock.advance(std::chrono::minutes(6));
  CHECK(has(why(plane.service->confirm({host.id.value(), then, signature}, kRemote)),
            "this host's clock is 6m 0s behind"));
}

TEST_CASE("a token that needs approval leaves the agent pending until a person says so") {
  ControlPlane plane;
  auto scope = scope_of_acme();
  scope.needs_approval = true;
  Host host;
  REQUIRE(host.enroll(plane, plane.token(scope)));
  CHECK_FALSE(host.confirm(plane)->active);
  CHECK(plane.store.agents.find(host.id)->value().state == model::AgentState::kPending);
  CHECK(has(why(host.renew(plane, Host().key)), "is not active yet"));
  CHECK(plane.service->approve(host.id, "user:admin"));
  CHECK(host.confirm(plane)->active);
  CHECK(plane.service->approve(AgentId::parse("nobody").value(), "user:admin").error().code() ==
        Errc::kNotFound);
}

TEST_CASE("a source that asks too often is told when to come back; others are not affected") {
  ControlPlane plane({1, 3});
  const auto request = Host().request(plane.token(), plane.clock.unix_ms() + kDayMs);
  for (int i = 0; i < 3; ++i) CHECK(has(refusal(plane, request, "192.0.2.1"), "clock"));
  const auto limited = plane.service->enroll(request, "192.0.2.1");
  CHECK(limited.error().code() == Errc::kLimit);
  CHECK(has(why(limited), "too many requests for 192.0.2.1; try again in 1 s"));
  // One host's whole /64 is one source.
  const auto stranger = Host().request(pki::generate_token(), plane.clock.unix_ms());
  for (int i = 1; i <= 3; ++i) {
    CHECK(has(refusal(plane, stranger, "2001:db8::" + std::to_string(i)), "unknown token"));
  }
  CHECK(has(refusal(plane, stranger, "2001:db8::4"), "too many requests"));
  CHECK(has(refusal(plane, stranger, "2001:db8:0:1::4"), "unknown token"));
}

TEST_CASE("a token that is used too often is slowed down, from wherever") {
  ControlPlane plane({1, 3});
  const auto token = plane.token(100);
  for (int i = 0; i < 3; ++i) {
    CHECK(plane.service->enroll(Host().request(token, plane.clock.unix_ms()),
                                "10.0.0." + std::to_string(i)));
  }
  CHECK(has(refusal(plane, Host().request(token, plane.clock.unix_ms()), "10.0.0.9"),
            "too many requests for token " + token.id));
  plane.clock.advance(std::chrono::seconds(1));
  CHECK(plane.service->enroll(Host().request(token, plane.clock.unix_ms()), "10.0.0.9"));
}

TEST_CASE("refusals of strangers cannot fill the audit log; the gap is counted") {
  ControlPlane plane;
  const auto stranger = Host().request(pki::generate_token(), plane.clock.unix_ms());
  for (int i = 0; i < 500; ++i) CHECK_FALSE(plane.service->enroll(stranger, kRemote));
  CHECK(plane.audited("agent.enroll.refused").size() == 10);
  // Then one a minute, however many there are.
  for (int second = 0; second < 600; ++second) {
    plane.clock.advance(std::chrono::seconds(1));
    CHECK_FALSE(plane.service->enroll(stranger, kRemote));
  }
  const auto rows = plane.audited("agent.enroll.refused");
  CHECK(rows.size() == 20);
  CHECK(has(rows[10], "\"left_out_before\":\"549\""));
  CHECK(has(rows[11], "\"left_out_before\":\"59\""));
}

TEST_CASE(
    "a flood of strangers hides no refusal of who holds a secret, and the log says who is who") {
  ControlPlane plane;
  const auto stranger = Host().request(pki::generate_token(), plane.clock.unix_ms());
  for (int i = 0; i < 100; ++i) CHECK_FALSE(plane.service->enroll(stranger, kRemote));
  const auto token = plane.token();
  REQUIRE(plane.service->revoke_token(token.id, "user:admin"));
  for (int i = 0; i < 100; ++i) {
    CHECK_FALSE(plane.service->enroll(Host().request(token, plane.clock.unix_ms()), kRemote));
  }
  std::map<std::string, int> rows;
  const auto entries = plane.store.audit.list(0, 1000).value();
  for (const auto& entry : entries)
    if (entry.action == "agent.enroll.refused") ++rows[entry.actor];
  CHECK(rows == std::map<std::string, int>{{kStranger, 10}, {"token:" + token.id, 10}});
}

TEST_CASE("a token's scope is checked when it is made") {
  ControlPlane plane;
  const auto error = [&](auto change) {
    auto scope = scope_of_acme();
    change(scope);
    return why(plane.service->create_token(scope, "user:admin"));
  };
  CHECK(has(error([](auto& s) { s.tenant = TenantId(); }), "tenant"));
  CHECK(has(error([](auto& s) { s.uses = 0; }), "uses must be from 1"));
  CHECK(has(error([](auto& s) { s.uses = 10'001; }), "uses must be from 1"));
  CHECK(has(error([](auto& s) { s.lifetime_ms = kMaxTokenLifetimeMs + 1; }), "24 hours"));
  CHECK(has(error([](auto& s) { s.lifetime_ms = 0; }), "24 hours"));
  CHECK(has(error([](auto& s) { s.cidrs = {"10.0.0.1/8"}; }), "beyond its prefix"));
  CHECK(has(error([](auto& s) { s.labels = {{"", "x"}}; }), "label"));
  CHECK(error([](auto& s) { s.lifetime_ms = kMaxTokenLifetimeMs; }).empty());
}

TEST_CASE("revoking is final and on the list") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  CHECK(plane.service->revoke(host.id, "stolen", "user:admin"));
  CHECK(plane.service->revoke(host.id, "again", "user:admin"));
  CHECK(plane.store.agents.find(host.id)->value().revoked_reason == "stolen");
  CHECK(has(why(host.confirm(plane)), "was revoked: stolen"));
  CHECK(plane.service->approve(host.id, "user:admin").error().code() == Errc::kDenied);
  CHECK(plane.service->revoke(AgentId::parse("nobody").value(), "", "user:admin").error().code() ==
        Errc::kNotFound);
  const auto ca = pki::parse_certificate(plane.authorities->agent_ca_pem()).value();
  const auto list = pki::parse_revocation_list(plane.service->revocation_lists().value(), ca);
  REQUIRE(list->revoked.size() == 1);
  CHECK(list->revoked[0].serial == host.certificate.serial);
}
