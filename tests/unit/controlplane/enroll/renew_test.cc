#include <doctest/doctest.h>

#include <set>

#include "protocol/base/files.h"
#include "protocol/pki/crl.h"
#include "tests/unit/controlplane/enroll/enroll_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {
void pass_days(ControlPlane& plane, int days) {
  plane.clock.advance(std::chrono::hours(24 * days));
}
pki::PrivateKey new_key() {
  return pki::PrivateKey::generate().value();
}
}  // namespace

TEST_CASE("at half-life a new key gets a new certificate for the same agent") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  pass_days(plane, 15);
  const auto next = new_key();
  const auto answer = host.renew(plane, next).value();
  const auto certificate = pki::parse_certificate(answer.certificate_pem).value();
  CHECK(certificate.common_name == host.id.value());
  CHECK(certificate.spki_sha256 == next.spki_sha256());
  CHECK(certificate.serial != host.certificate.serial);
  CHECK(certificate.not_after_ms == plane.clock.unix_ms() + 30 * kDayMs);
  const auto row = plane.store.agents.find(host.id)->value();
  CHECK(row.certificate_serial == certificate.serial);
  CHECK(row.spki_sha256 == next.spki_sha256());
  CHECK(row.state == model::AgentState::kActive);
  CHECK(plane.audited("agent.renew").size() == 1);
}

TEST_CASE("a renewal whose answer was lost is repeated with the same key") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  const auto next = new_key();
  const auto first = host.renew(plane, next).value();
  plane.clock.advance(std::chrono::minutes(10));
  const auto second = host.renew(plane, next).value();
  CHECK(second.certificate_pem == first.certificate_pem);
  CHECK(plane.alerts("agent.clone") == 0);
  // So late that the lost certificate has expired as well: a fresh one.
  pass_days(plane, 40);
  const auto late = pki::parse_certificate(host.renew(plane, next)->certificate_pem).value();
  CHECK(late.not_after_ms == plane.clock.unix_ms() + 30 * kDayMs);
}

TEST_CASE("an expired certificate renews 31, 179 and 180 days after its end, but not after 181") {
  for (const int days_after_expiry : {1, 31, 179, 180}) {
    ControlPlane plane;
    const auto host = enrolled(plane);
    pass_days(plane, 30 + days_after_expiry);
    CAPTURE(days_after_expiry);
    CHECK(host.renew(plane, new_key()));
  }
  ControlPlane plane;
  const auto host = enrolled(plane);
  pass_days(plane, 30 + 181);
  const auto words = why(host.renew(plane, new_key()));
  CHECK(has(words, "the certificate expired 181 days ago; renewal is possible for 180 days"));
  CHECK(has(words, "enroll this host again"));
}

TEST_CASE("a revoked agent never renews, nor does an unknown one") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  REQUIRE(plane.service->revoke(host.id, "stolen", "user:admin"));
  CHECK(has(why(host.renew(plane, new_key())), "was revoked at"));
  pass_days(plane, 31);
  CHECK(has(why(host.renew(plane, new_key())), "stolen"));

  // Its certificate is genuine, but the registry has no row: a database restored from before.
  Host ghost = host;
  ghost.id = AgentId::parse("ghost").value();
  ghost.certificate =
      plane.authorities
          ->issue_agent(pki::make_request(ghost.key, "x").value(), ghost.id, 30 * kDayMs)
          .value();
  CHECK(has(why(ghost.renew(plane, new_key())), "agent ghost is not known here"));
  CHECK(plane.audited("agent.renew.refused").size() == 3);
}

TEST_CASE("only the holder of the certificate's key renews it") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  auto thief = host;
  thief.key = new_key();
  CHECK(has(why(thief.renew(plane, new_key())), "signature is not by the key"));

  const auto now = plane.clock.unix_ms();
  auto request = host.renewal(new_key(), now);
  request.csr_pem = pki::make_request(new_key(), "x").value();  // Another request was signed
  CHECK(has(why(plane.service->renew(request, kRemote)), "signature is not by the key"));
  request = host.renewal(new_key(), now);
  request.timestamp_ms += 1;
  CHECK(has(why(plane.service->renew(request, kRemote)), "signature is not by the key"));
  request = host.renewal(new_key(), now);
  request.agent_id = "web-2";
  CHECK(has(why(plane.service->renew(request, kRemote)), "not that of agent web-2"));
  request.agent_id = "../x";
  CHECK(plane.service->renew(request, kRemote).error().code() == Errc::kInvalid);
}

TEST_CASE("certificates of other authorities do not renew") {
  ControlPlane plane;
  ControlPlane foreign;
  const auto host = enrolled(foreign);
  CHECK(has(why(host.renew(plane, new_key())), "not issued by this control plane"));
  // Nor does the control plane's own client certificate, nor a server's.
  for (const auto* leaf : {"service", "https"}) {
    Host own = enrolled(plane);
    own.key = pki::PrivateKey::load(plane.authorities->key_path(leaf)).value();
    own.certificate =
        pki::parse_certificate(files::read(plane.authorities->certificate_path(leaf)).value())
            .value();
    CHECK(has(why(own.renew(plane, new_key())), "not issued by this control plane"));
  }
}

TEST_CASE("a recorded renewal is useless after five minutes, and a wrong clock is explained") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  const auto request = host.renewal(new_key(), plane.clock.unix_ms());
  plane.clock.advance(std::chrono::minutes(5));
  CHECK(plane.service->renew(request, kRemote));
  plane.clock.advance(std::chrono::seconds(1));
  CHECK(has(why(plane.service->renew(request, kRemote)), "this host's clock is 5m 1s behind"));
  const auto ahead = host.renewal(new_key(), plane.clock.unix_ms() + kDayMs);
  CHECK(has(why(plane.service->renew(ahead, kRemote)), "24h 0m ahead"));
}

TEST_CASE("renewal asks for a new key") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  CHECK(has(why(host.renew(plane, host.key)), "renewal needs a new key"));
}

TEST_CASE("a replaced key renews no more: two machines share an identity") {
  ControlPlane plane;
  const auto host = enrolled(plane);
  REQUIRE(host.renew(plane, new_key()));
  const auto words = why(host.renew(plane, new_key()));
  CHECK(has(words, "replaced by a renewal that this host did not make"));
  CHECK(plane.alerts("agent.clone") == 1);
}

TEST_CASE("revoking reaches the certificates from before a renewal") {
  ControlPlane plane;
  auto host = enrolled(plane);
  pass_days(plane, 15);
  const auto next = new_key();
  const auto renewed = pki::parse_certificate(host.renew(plane, next)->certificate_pem).value();
  REQUIRE(plane.service->revoke(host.id, "stolen", "user:admin"));
  const auto ca = pki::parse_certificate(plane.authorities->agent_ca_pem()).value();
  const auto list =
      pki::parse_revocation_list(plane.service->revocation_lists().value(), ca).value();
  std::set<std::string> serials;
  for (const auto& entry : list.revoked) serials.insert(entry.serial);
  CHECK(serials == std::set<std::string>{host.certificate.serial, renewed.serial});
}
