#include "agent/enroll/enroller.h"

#include <doctest/doctest.h>

#include "tests/unit/agent/enroll/host_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::test;

TEST_CASE("a host with a token becomes an active agent in twelve explained steps") {
  ControlPlane plane;
  TestHost host(plane);
  std::vector<std::string> seen;
  host.options.token.argument = pki::format_token(plane.token());
  const auto report = host.run([&](const Step& step) { seen.push_back(step.name); });
  CHECK_FALSE(report.error);
  CHECK(report.active);
  REQUIRE(report.steps.size() == 12);
  CHECK(seen.size() == 12);
  for (const auto& step : report.steps) {
    CAPTURE(step.name);
    CHECK(step.state == StepState::kOk);
    CHECK_FALSE(step.detail.empty());
  }
  check_one_agent(host);
  const auto identity = host.store.load().value();
  CHECK(identity.agent == report.agent);
  CHECK(identity.tenant.value() == "acme");
  CHECK(identity.server.host == "cp.example.com");
  CHECK(identity.server.spki_sha256 == plane.authorities->https_spki_sha256());
  CHECK(identity.brokers[0].port == 8883);
  CHECK(identity.root_metadata == "root metadata, version 1");
  CHECK(identity.controlplane_public_key == plane.authorities->sealing_pair().public_key);
  const auto row = plane.store.agents.find(identity.agent)->value();
  CHECK(row.machine_id_sha256 == std::string(64, 'c'));
}

TEST_CASE("a token comes from the command line, then the environment, then the file") {
  ControlPlane plane;
  TestHost host(plane);
  const auto good = pki::format_token(plane.token());
  const auto detail = [&] { return host.run().steps[1].detail; };
  SUBCASE("file") {
    REQUIRE(files::write_atomic(host.options.token.file, good + "\n", 0600));
    CHECK(detail() == "from " + host.options.token.file);
    check_one_agent(host);
  }
  SUBCASE("a file that everybody can read works, with a warning") {
    REQUIRE(files::write_atomic(host.options.token.file, good, 0644));
    CHECK(has(detail(), "every user of this host can read it"));
    check_one_agent(host);
  }
  SUBCASE("a file that was named, before the environment") {
    REQUIRE(files::write_atomic(host.dir / "named", good, 0600));
    host.options.token.named_file = host.dir / "named";
    host.options.token.environment = "oai1.bad";
    CHECK(detail() == "from " + (host.dir / "named"));
    check_one_agent(host);
  }
  SUBCASE("a file that was named and is not there is no reason to look elsewhere") {
    host.options.token.named_file = host.dir / "named";
    host.options.token.environment = good;
    CHECK(has(detail(), host.dir / "named"));
    CHECK_FALSE(files::exists(host.store.folder()));
  }
  SUBCASE("environment before file") {
    REQUIRE(files::write_atomic(host.options.token.file, "oai1.bad", 0600));
    host.options.token.environment = good;
    CHECK(detail() == "from the environment");
    check_one_agent(host);
  }
  SUBCASE("command line before environment") {
    host.options.token.environment = "oai1.bad";
    host.options.token.argument = good;
    CHECK(has(detail(), "from the command line (every user of this host could see it"));
    check_one_agent(host);
  }
  SUBCASE("none") {
    const auto step = failed_step(host.run());
    CHECK(step.name == "read the token");
    CHECK(has(step.detail, "OBSERVEAI_ENROLL_TOKEN is not set and there is no "));
    CHECK(has(step.next, "observeai token create"));
    CHECK(has(step.next, "--token-file FILE"));
    CHECK_FALSE(has(step.next, "--token,"));
  }
}

TEST_CASE("a token that is not whole fails before anything is sent") {
  ControlPlane plane;
  TestHost host(plane);
  const auto token = pki::format_token(plane.token());
  host.options.token.argument = token.substr(0, 60);
  const auto report = host.run();
  CHECK(failed_step(report).name == "token format");
  CHECK(has(failed_step(report).next, "copy the whole token"));
  CHECK(report.error->code() == Errc::kInvalid);
  CHECK(host.network.requests.empty());
  for (const auto& step : report.steps) CHECK_FALSE(has(step.detail, token.substr(20, 20)));
  CHECK(report.steps.back().state == StepState::kSkipped);
  CHECK(report.steps.back().detail == "not tried");
}

TEST_CASE("no address and no network are told apart") {
  ControlPlane plane;
  TestHost host(plane);
  host.network.up = false;
  auto step = failed_step(host.run_with(plane.token()));
  CHECK(step.name == "reach the control plane");
  CHECK(step.detail == "cp.example.com:8443: connection refused");
  CHECK(has(step.next, "firewalls"));
  host.options.server_host.clear();
  step = failed_step(host.run_with(plane.token()));
  CHECK(step.name == "reach the control plane");
  CHECK(has(step.detail, "address is not set"));
}

TEST_CASE("what answers but is no control plane of ours is named") {
  ControlPlane plane;
  TestHost host(plane);
  host.network.tamper = [](const std::string&, http::Response& response) {
    response = {502, {}, "<html>Bad gateway</html>"};
  };
  CHECK(has(failed_step(host.run_with(plane.token())).detail, "Bad gateway"));
  host.network.tamper = [](const std::string&, http::Response& response) { response.body = "{}"; };
  CHECK(has(failed_step(host.run_with(plane.token())).detail, "not an ObserveAI control plane?"));
}

TEST_CASE("a token for another server never leaves the host") {
  ControlPlane plane;
  ControlPlane other;
  TestHost host(plane);
  const auto step = failed_step(host.run_with(other.token()));
  CHECK(step.name == "server key");
  CHECK(has(step.detail, other.authorities->https_spki_sha256()));
  CHECK(has(step.detail, plane.authorities->https_spki_sha256()));
  CHECK(has(step.next, "token is for another control plane"));
  CHECK(host.network.requests.empty());
}

TEST_CASE("a clock that is a day off is found before the token is spent") {
  ControlPlane plane;
  for (const int days : {1, -1}) {
    TestHost host(plane);
    host.clock.jump_wall(std::chrono::hours(24 * days));
    const auto step = failed_step(host.run_with(plane.token()));
    CHECK(step.name == "clock");
    CHECK(has(step.detail, days > 0 ? "clock is 24h 0m ahead of the control plane"
                                    : "clock is 24h 0m behind the control plane"));
    CHECK(has(step.next, "timedatectl"));
    CHECK(host.sent("/v1/enroll") == 0);
  }
}

TEST_CASE("the control plane's reason for a refusal reaches the person at the host") {
  ControlPlane plane;
  TestHost host(plane);
  const auto refusal = [&](const pki::EnrollmentToken& token) {
    const auto step = failed_step(host.run_with(token));
    CHECK(step.name == "token accepted");
    CHECK_FALSE(host.store.load());
    return step.detail;
  };
  auto wrong = plane.token();
  wrong.secret[0] ^= 1;
  CHECK(has(refusal(wrong), "unknown token"));

  const auto revoked = plane.token();
  REQUIRE(plane.service->revoke_token(revoked.id, "user:admin"));
  CHECK(has(refusal(revoked), "was revoked at"));

  const auto used = plane.token();
  REQUIRE(Host().enroll(plane, used));
  CHECK(has(refusal(used), "is used up (1 use allowed)"));

  const auto expired = plane.token();
  host.pass(std::chrono::hours(2));
  CHECK(has(refusal(expired), "expired at"));
}

TEST_CASE("root metadata other than the token's is not stored") {
  ControlPlane plane;
  TestHost host(plane);
  auto token = plane.token();
  token.root_metadata_sha256 = std::string(64, 'd');
  const auto step = failed_step(host.run_with(token));
  CHECK(step.name == "root metadata");
  CHECK(has(step.detail, token.root_metadata_sha256));
  CHECK(has(step.next, "make a new token"));
  CHECK(host.store.load().error().code() == Errc::kNotFound);
}

TEST_CASE("an answer that does not fit this host is not stored") {
  ControlPlane plane;
  ControlPlane other;
  TestHost host(plane);
  const auto key = pki::PrivateKey::generate().value();
  std::function<void(pki::EnrollResponse&)> change;
  host.network.tamper = [&](const std::string& path, http::Response& response) {
    if (path != "/v1/enroll") return;
    auto answer = pki::decode_enroll_response(response.body).value();
    change(answer);
    response.body = pki::encode(answer);
  };
  const auto failure = [&](std::function<void(pki::EnrollResponse&)> how) {
    change = std::move(how);
    const auto step = failed_step(host.run_with(plane.token()));
    CHECK_FALSE(host.store.load());
    return step.name + ": " + step.detail;
  };
  CHECK(has(failure([&](auto& r) {
              const auto request = pki::make_request(key, "x").value();
              const auto id = AgentId::parse(r.agent_id).value();
              r.certificate_pem = plane.authorities->issue_agent(request, id, kDayMs)->pem;
            }),
            "certificate: the certificate received is not for this host's key"));
  CHECK(
      has(failure([](auto& r) { r.agent_id = "web-2"; }), "certificate: the certificate received"));
  CHECK(has(failure([&](auto& r) { r.agent_ca_pem = other.authorities->agent_ca_pem(); }),
            "certificate: certificate is not valid"));
  CHECK(has(failure([](auto& r) { r.server_ca_pem = "none"; }), "certificate: not a bundle"));
  CHECK(has(failure([](auto& r) { r.server_ca_pem = r.certificate_pem; }),
            "certificate: the server bundle received holds what is no authority"));
  CHECK(has(failure([](auto& r) { r.controlplane_public_key.fill(0); }), "store the identity"));
  CHECK(has(failure([](auto& r) { r.tenant = "../x"; }), "store the identity"));
}

TEST_CASE("a token that needs approval leaves the host waiting; later runs ask again") {
  ControlPlane plane;
  controlplane::TokenScope scope;
  scope.tenant = TenantId::parse("acme").value();
  scope.needs_approval = true;
  TestHost host(plane);
  auto report = host.run_with(plane.token(scope));
  CHECK_FALSE(report.error);
  CHECK_FALSE(report.active);
  CHECK(has(report.steps.back().detail, "waits for a person's approval"));
  CHECK_FALSE(host.store.load()->confirmed);
  REQUIRE(plane.service->approve(*report.agent, "user:admin"));
  report = host.run();
  CHECK(report.active);
  check_one_agent(host);
}

TEST_CASE("a host that is enrolled needs no token and sends nothing") {
  ControlPlane plane;
  TestHost host(plane);
  REQUIRE_FALSE(host.run_with(plane.token()).error);
  host.network.requests.clear();
  host.options.token.argument.clear();
  const auto report = host.run();
  CHECK_FALSE(report.error);
  CHECK(report.active);
  CHECK(has(report.steps[0].detail, "this host is enrolled as web-1-"));
  CHECK(report.steps[1].detail == "not needed");
  CHECK(host.network.requests.empty());
}

TEST_CASE("force replaces the identity with another one") {
  ControlPlane plane;
  TestHost host(plane);
  const auto first = host.run_with(plane.token());
  const auto old_key = host.store.load()->tls_key.spki_sha256();
  host.options.force = true;
  SUBCASE("a refusal leaves the identity alone") {
    auto wrong = plane.token();
    wrong.secret[0] ^= 1;
    CHECK(host.run_with(wrong).error);
    CHECK(host.store.load()->agent == first.agent);
  }
  SUBCASE("success") {
    const auto second = host.run_with(plane.token());
    CHECK(second.active);
    CHECK(second.agent != first.agent);
    CHECK(host.store.load()->tls_key.spki_sha256() != old_key);
    CHECK(plane.alerts("agent.clone") == 1);
  }
}

TEST_CASE("the machine id is read without its line end; a host without one has none") {
  const TempDir dir;
  REQUIRE(files::write_atomic(dir / "machine-id", "0123456789abcdef0123456789abcdef\n", 0644));
  CHECK(read_machine_id_sha256(dir / "machine-id") ==
        signing::sha256_hex("0123456789abcdef0123456789abcdef"));
  CHECK(read_machine_id_sha256(dir / "none").empty());
  REQUIRE(files::write_atomic(dir / "machine-id", "\n", 0644));
  CHECK(read_machine_id_sha256(dir / "machine-id").empty());
}
