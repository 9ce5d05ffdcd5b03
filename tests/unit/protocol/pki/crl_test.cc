#include "protocol/pki/crl.h"

#include <doctest/doctest.h>

#include "tests/unit/protocol/pki/pki_fixture.h"

using namespace observeai;
using namespace observeai::pki;
using namespace observeai::test;

TEST_CASE("a revocation list says which serials and since when") {
  const auto ca = new_authority("ObserveAI agent CA G1");
  const auto one = new_client(ca, new_key());
  const auto two = new_client(ca, new_key());
  const std::vector<RevokedCertificate> revoked{{one.serial, kNow - kDay}, {two.serial, kNow}};
  const auto pem = make_revocation_list(ca, revoked, 7, validity_from(kNow, 30 * kDay)).value();
  const auto list = parse_revocation_list(pem, ca.certificate).value();
  CHECK(list.issuer == "ObserveAI agent CA G1");
  CHECK(list.this_update_ms == kNow - kBackdateMs);
  CHECK(list.next_update_ms == kNow + 30 * kDay);
  REQUIRE(list.revoked.size() == 2);
  for (const auto& entry : list.revoked) {
    CHECK(entry.revoked_ms == (entry.serial == one.serial ? kNow - kDay : kNow));
  }
}

TEST_CASE("an empty revocation list is a list") {
  const auto ca = new_authority("CA");
  const auto pem = make_revocation_list(ca, {}, 1, validity_from(kNow, kDay)).value();
  CHECK(parse_revocation_list(pem, ca.certificate)->revoked.empty());
}

TEST_CASE("a list by someone else or in pieces is refused") {
  const auto ca = new_authority("CA");
  const auto other = new_authority("CA");
  const auto pem = make_revocation_list(other, {}, 1, validity_from(kNow, kDay)).value();
  CHECK(parse_revocation_list(pem, ca.certificate).error().code() == Errc::kDenied);
  CHECK(parse_revocation_list(pem.substr(0, pem.size() / 2), ca.certificate).error().code() ==
        Errc::kCorrupt);
  const std::vector<RevokedCertificate> bad{{"not hex", 0}};
  CHECK_FALSE(make_revocation_list(ca, bad, 1, validity_from(kNow, kDay)));
}
