#include "agent/enroll/renewer.h"

#include <doctest/doctest.h>

#include "tests/unit/agent/enroll/host_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::test;

namespace {

constexpr auto kDay = std::chrono::hours(24);

struct EnrolledHost {
  EnrolledHost() : host(plane) { REQUIRE(host.run_with(plane.token()).active); }
  Identity identity() const { return host.store.load().value(); }
  std::string serial_at_control_plane() {
    return plane.store.agents.find(identity().agent)->value().certificate_serial;
  }
  ControlPlane plane;
  TestHost host;
};

}  // namespace

TEST_CASE("renewal is due around half-life, at a time of the agent's own") {
  pki::Certificate certificate;
  certificate.not_before_ms = 1'700'000'000'000;
  certificate.not_after_ms = certificate.not_before_ms + 30 * kDayMs;
  std::set<std::int64_t> times;
  for (int i = 0; i < 1000; ++i) {
    const auto id = AgentId::parse("web-" + std::to_string(i)).value();
    const auto due = renewal_due_ms(certificate, id);
    CHECK(due == renewal_due_ms(certificate, id));
    const auto days = static_cast<double>(due - certificate.not_before_ms) / kDayMs;
    REQUIRE(days >= 13.5);
    REQUIRE(days <= 16.5);
    times.insert(due);
  }
  CHECK(times.size() > 900);
  CHECK(*times.rbegin() - *times.begin() > 2 * kDayMs);
}

TEST_CASE("is_due changes at that time") {
  EnrolledHost enrolled;
  const auto identity = enrolled.identity();
  const Renewer renewer(enrolled.host.store, enrolled.host.connect(), enrolled.host.clock);
  const auto due = renewal_due_ms(identity.certificate, identity.agent);
  enrolled.host.pass(std::chrono::milliseconds(due - enrolled.host.clock.unix_ms() - 1));
  CHECK_FALSE(renewer.is_due(identity));
  enrolled.host.pass(std::chrono::milliseconds(1));
  CHECK(renewer.is_due(identity));
}

TEST_CASE("renewal replaces key and certificate together and keeps the rest") {
  EnrolledHost enrolled;
  const auto before = enrolled.identity();
  enrolled.host.pass(15 * kDay);
  const auto renewed = enrolled.host.renew().value();
  const auto stored = enrolled.identity();
  CHECK(stored.certificate.serial == renewed.certificate.serial);
  CHECK(stored.certificate.serial == enrolled.serial_at_control_plane());
  CHECK(stored.certificate.serial != before.certificate.serial);
  CHECK(stored.tls_key.spki_sha256() != before.tls_key.spki_sha256());
  CHECK(stored.agent == before.agent);
  CHECK(stored.sealing.public_key == before.sealing.public_key);
  CHECK(stored.confirmed);
  // And again, with the key that is current then.
  enrolled.host.pass(15 * kDay);
  CHECK(enrolled.host.renew());
}

TEST_CASE("after a long absence: 31 and 179 days after expiry renew, 181 do not") {
  for (const int days : {31, 179}) {
    EnrolledHost enrolled;
    enrolled.host.pass((30 + days) * kDay);
    CAPTURE(days);
    CHECK(enrolled.host.renew());
    CHECK(enrolled.identity().certificate.not_after_ms > enrolled.host.clock.unix_ms());
  }
  EnrolledHost enrolled;
  enrolled.host.pass((30 + 181) * kDay);
  const auto refused = enrolled.host.renew();
  CHECK(refused.error().code() == Errc::kDenied);
  CHECK(has(why(refused), "expired 181 days ago"));
}

TEST_CASE("a revoked host learns that it is") {
  EnrolledHost enrolled;
  REQUIRE(enrolled.plane.service->revoke(enrolled.identity().agent, "stolen", "user:admin"));
  const auto refused = enrolled.host.renew();
  CHECK(refused.error().code() == Errc::kDenied);
  CHECK(has(why(refused), "was revoked"));
}

TEST_CASE("a wrong clock is explained") {
  EnrolledHost enrolled;
  enrolled.host.clock.jump_wall(kDay);
  CHECK(has(why(enrolled.host.renew()), "clock is 24h 0m ahead of the control plane"));
}

TEST_CASE("cut off or killed anywhere, the pair works and the next renewal finishes the same one") {
  for (const std::string fault :
       {"request", "answer", "next/renewal.key", "server-ca.pem", "identity.json", "tls.pem"}) {
    EnrolledHost enrolled;
    const auto before = enrolled.identity();
    enrolled.host.pass(15 * kDay);
    CAPTURE(fault);
    {
      std::optional<BlockedFile> blocked;
      if (fault == "request") {
        enrolled.host.network.lose_request = {"/v1/renew"};
      } else if (fault == "answer") {
        enrolled.host.network.lose_answer = {"/v1/renew"};
      } else {
        blocked.emplace(enrolled.host.store.folder() + "/" + fault);
      }
      CHECK_FALSE(enrolled.host.renew());
      CHECK(enrolled.identity().certificate.serial == before.certificate.serial);
    }
    enrolled.host.network.lose_request.clear();
    enrolled.host.network.lose_answer.clear();
    const auto at_server = enrolled.serial_at_control_plane();
    const bool reached = at_server != before.certificate.serial;
    CHECK(enrolled.host.renew());
    CHECK(enrolled.identity().certificate.serial == enrolled.serial_at_control_plane());
    if (reached) CHECK(enrolled.serial_at_control_plane() == at_server);
    CHECK(enrolled.plane.alerts("agent.clone") == 0);
  }
}

TEST_CASE("killed right after the swap, the next renewal makes a new key") {
  EnrolledHost enrolled;
  enrolled.host.pass(15 * kDay);
  const auto renewed = enrolled.host.renew().value();
  std::filesystem::create_directories(enrolled.host.store.folder() + "/next");
  REQUIRE(renewed.tls_key.save(enrolled.host.store.folder() + "/next/renewal.key"));
  enrolled.host.pass(15 * kDay);
  const auto again = enrolled.host.renew();
  REQUIRE_MESSAGE(again, why(again));
  CHECK(again->tls_key.spki_sha256() != renewed.tls_key.spki_sha256());
}

TEST_CASE("a damaged key for the next renewal is made anew") {
  EnrolledHost enrolled;
  std::filesystem::create_directories(enrolled.host.store.folder() + "/next");
  REQUIRE(files::write_atomic(enrolled.host.store.folder() + "/next/renewal.key", "torn", 0600));
  CHECK(enrolled.host.renew());
}

TEST_CASE("a copy of the host is noticed when both renew") {
  EnrolledHost enrolled;
  const auto copy = enrolled.identity();
  REQUIRE(enrolled.host.renew());
  const TempDir elsewhere;
  IdentityStore store(elsewhere / "identity");
  REQUIRE(store.save(copy));
  Renewer renewer(store, enrolled.host.connect(), enrolled.host.clock);
  CHECK(has(why(renewer.renew(copy)), "replaced by a renewal that this host did not make"));
  CHECK(enrolled.plane.alerts("agent.clone") == 1);
}

TEST_CASE("an answer that does not fit is not stored") {
  EnrolledHost enrolled;
  const auto before = enrolled.identity();
  enrolled.host.network.tamper = [&](const std::string&, http::Response& response) {
    auto answer = pki::decode_renew_response(response.body).value();
    answer.certificate_pem = before.certificate.pem;
    response.body = pki::encode(answer);
  };
  CHECK(has(why(enrolled.host.renew()), "not for this host's key"));
  CHECK(enrolled.identity().certificate.serial == before.certificate.serial);
}
