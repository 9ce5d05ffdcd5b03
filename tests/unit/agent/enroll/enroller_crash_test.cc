// Killed or cut off anywhere, then run again: one agent, one use of the token.
#include <doctest/doctest.h>

#include "tests/unit/agent/enroll/host_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::test;

namespace {
struct Killed {};
constexpr std::size_t kSteps = 12;
}  // namespace

TEST_CASE("killed after each step") {
  for (std::size_t kill_after = 1; kill_after <= kSteps; ++kill_after) {
    ControlPlane plane;
    TestHost host(plane);
    const auto token = plane.token();
    host.options.token.argument = pki::format_token(token);
    std::size_t done = 0;
    CAPTURE(kill_after);
    CHECK_THROWS_AS(host.run([&](const Step&) {
      if (++done == kill_after) throw Killed();
    }),
                    Killed);
    host.pass(std::chrono::minutes(1));
    const auto report = host.run();
    CHECK_FALSE(report.error);
    CHECK(report.active);
    check_one_agent(host);
    CHECK(plane.store.tokens.find(token.id)->value().uses == 1);
  }
}

TEST_CASE("killed after each step of replacing an identity") {
  for (std::size_t kill_after = 1; kill_after <= kSteps; ++kill_after) {
    ControlPlane plane;
    TestHost host(plane);
    const auto first = host.run_with(plane.token());
    const auto token = plane.token();
    host.options.force = true;
    host.options.token.argument = pki::format_token(token);
    std::size_t done = 0;
    CAPTURE(kill_after);
    CHECK_THROWS_AS(host.run([&](const Step&) {
      if (++done == kill_after) throw Killed();
    }),
                    Killed);
    // Never half of one and half of the other.
    const auto between = host.store.load();
    REQUIRE(between);
    CHECK((between->agent == *first.agent) == (kill_after < 11));
    // Once the new identity is stored, forcing again would be another enrollment.
    host.options.force = kill_after < 11;
    CHECK(host.run().active);
    CHECK(host.store.load()->agent != *first.agent);
    CHECK(plane.store.agents.list(TenantId())->size() == 2);
    CHECK(plane.store.tokens.find(token.id)->value().uses == 1);
  }
}

TEST_CASE("requests and answers lost on the way") {
  for (const std::string path : {"/v1/health", "/v1/enroll", "/v1/enroll/confirm"}) {
    for (const bool answer_lost : {false, true}) {
      ControlPlane plane;
      TestHost host(plane);
      const auto token = plane.token();
      (answer_lost ? host.network.lose_answer : host.network.lose_request).insert(path);
      CAPTURE(path);
      CAPTURE(answer_lost);
      const auto report = host.run_with(token);
      REQUIRE(report.error);
      CHECK(report.error->code() == Errc::kTimeout);
      host.network.lose_answer.clear();
      host.network.lose_request.clear();
      // A day later even a token that has expired meanwhile serves the key it was spent for.
      if (path == "/v1/enroll" && answer_lost) host.pass(std::chrono::hours(24));
      CHECK(host.run().active);
      check_one_agent(host);
      CHECK(plane.store.tokens.find(token.id)->value().uses == 1);
    }
  }
}

TEST_CASE("each file of the identity in turn cannot be written") {
  for (const std::string file : {"tls.pem", "server-ca.pem", "sealing.key", "result.key",
                                 "root.metadata", "identity.json"}) {
    ControlPlane plane;
    TestHost host(plane);
    const auto token = plane.token();
    host.options.token.argument = pki::format_token(token);
    CAPTURE(file);
    {
      const BlockedFile blocked(host.store.folder() + "/" + file);
      CHECK(failed_step(host.run()).name == "store the identity");
      CHECK(host.store.load().error().code() == Errc::kNotFound);
    }
    CHECK(host.run().active);
    check_one_agent(host);
    CHECK(plane.store.tokens.find(token.id)->value().uses == 1);
  }
}

TEST_CASE("half-made keys are made anew") {
  ControlPlane plane;
  TestHost host(plane);
  const auto token = plane.token();
  // A crash between the second and the third key.
  REQUIRE(host.store.keys_for_enrollment(token.id));
  std::filesystem::remove(host.store.folder() + "/next/token-id");
  std::filesystem::remove(host.store.folder() + "/next/result.key");
  CHECK(host.run_with(token).active);
  check_one_agent(host);
}

TEST_CASE("the same token finds the same keys, another token new ones") {
  ControlPlane plane;
  TestHost host(plane);
  const auto first = host.store.keys_for_enrollment("aaaaaaaaaa").value();
  const auto again = host.store.keys_for_enrollment("aaaaaaaaaa").value();
  CHECK(again.tls.spki_sha256() == first.tls.spki_sha256());
  CHECK(again.sealing.public_key == first.sealing.public_key);
  CHECK(again.result.public_key() == first.result.public_key());
  const auto other = host.store.keys_for_enrollment("bbbbbbbbbb").value();
  CHECK(other.tls.spki_sha256() != first.tls.spki_sha256());
  CHECK(other.sealing.public_key != first.sealing.public_key);
}
