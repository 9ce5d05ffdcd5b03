#include "controlplane/api/connection_places.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::api {
namespace {

TEST_CASE("an IPv6 network of one host counts as one source") {
  ConnectionPlaces places(10, 2);
  CHECK(places.take("2001:db8:1:2::1"));
  CHECK(places.take("2001:db8:1:2::2"));
  CHECK_FALSE(places.take("2001:db8:1:2:ffff::3"));
  CHECK(places.take("2001:db8:1:3::1"));
  CHECK(places.take("10.0.0.1"));
  CHECK(places.take("10.0.0.2"));
  places.leave("2001:db8:1:2::2");
  CHECK(places.take("2001:db8:1:2::4"));
}

TEST_CASE("places are bounded in all and come back") {
  ConnectionPlaces places(2, 2);
  CHECK(places.take("10.0.0.1"));
  CHECK(places.take("10.0.0.2"));
  CHECK_FALSE(places.take("10.0.0.3"));
  places.leave("10.0.0.1");
  CHECK(places.take("10.0.0.3"));
}

}  // namespace
}  // namespace observeai::controlplane::api
