#include "controlplane/auth/credentials.h"

#include <doctest/doctest.h>

#include "controlplane/auth/attempt_limiter.h"
#include "controlplane/auth/roles.h"

namespace observeai::controlplane {
namespace {

const std::string kSecret(43, 'A');
const std::string kPin(64, 'a');

TEST_CASE("an API key reads back; its secret may hold underscores and dashes") {
  const std::string secret = "__" + std::string(39, 'x') + "-A";
  const auto key = parse_api_key(format_api_key({"0a1b", secret}));
  REQUIRE(key);
  CHECK(key->id == "0a1b");
  CHECK(key->secret == secret);
}

TEST_CASE("what is not an API key is refused without repeating it") {
  const std::vector<std::string> wrong = {"",
                                          "oak1_",
                                          "oak1_id",
                                          "oak1_id_",
                                          "oak2_id_" + kSecret,
                                          "oak1__" + kSecret,
                                          "oak1_ID_" + kSecret,
                                          "oak1_id_" + kSecret + "A",
                                          "oak1_id_" + kSecret.substr(1),
                                          "oak1_id_" + kSecret.substr(1) + "=",
                                          "oak1_" + std::string(65, 'a') + "_" + kSecret,
                                          " oak1_id_" + kSecret};
  for (const auto& text : wrong) {
    CAPTURE(text);
    const auto key = parse_api_key(text);
    REQUIRE_FALSE(key);
    CHECK(key.error().code() == Errc::kInvalid);
    if (text.size() > 20) CHECK(key.error().message().find(text) == std::string::npos);
  }
}

TEST_CASE("a login text reads back for names, addresses and IPv6") {
  for (const std::string host : {"localhost", "cp.example.org", "10.0.0.1", "fd00::1"}) {
    CAPTURE(host);
    const auto login = parse_login(format_login({host, 8443, kSecret, kPin}));
    REQUIRE(login);
    CHECK(login->host == host);
    CHECK(login->port == 8443);
    CHECK(login->code == kSecret);
    CHECK(login->spki_sha256 == kPin);
  }
}

TEST_CASE("a damaged login text is refused") {
  const std::string good = format_login({"a.b", 1, kSecret, kPin});
  REQUIRE(parse_login(good));
  for (std::size_t cut = 0; cut < good.size(); ++cut) CHECK_FALSE(parse_login(good.substr(0, cut)));
  CHECK_FALSE(parse_login("oal1.host.0." + kSecret + "." + kPin));
  CHECK_FALSE(parse_login("oal1.host.65536." + kSecret + "." + kPin));
  CHECK_FALSE(parse_login("oal1..1." + kSecret + "." + kPin));
  CHECK_FALSE(parse_login("oal1.ho st.1." + kSecret + "." + kPin));
  CHECK_FALSE(parse_login("oal1." + std::string(254, 'h') + ".1." + kSecret + "." + kPin));
}

TEST_CASE("roles are ordered and named") {
  using model::Role;
  CHECK(allows(Role::kAdmin, Role::kViewer));
  CHECK(allows(Role::kOperator, Role::kOperator));
  CHECK_FALSE(allows(Role::kViewer, Role::kOperator));
  CHECK_FALSE(allows(Role::kOperator, Role::kAdmin));
  for (const auto role : {Role::kViewer, Role::kOperator, Role::kAdmin})
    CHECK(parse_role(to_string(role)) == role);
  CHECK_FALSE(parse_role("root"));
}

TEST_CASE("sources: IPv4 as it is, IPv6 by its network") {
  CHECK(source_of("10.1.2.3") == "10.1.2.3");
  CHECK(source_of("::ffff:10.1.2.3") == "10.1.2.3");
  CHECK(source_of("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64");
  CHECK(source_of("2001:db8:1:2::9") == source_of("2001:db8:1:2:ffff::1"));
  CHECK(source_of("2001:db8:1:3::9") != source_of("2001:db8:1:2::9"));
}

TEST_CASE("the limiter blocks at its bound, for its window, and stays bounded") {
  ManualClock clock;
  AttemptLimiter limiter(clock);
  for (std::uint32_t i = 1; i < AttemptLimiter::kFailuresAllowed; ++i) {
    CHECK_FALSE(limiter.failed("a"));
    CHECK_FALSE(limiter.blocked("a"));
  }
  CHECK(limiter.failed("a"));
  CHECK(limiter.blocked("a"));
  CHECK_FALSE(limiter.failed("a"));  // Says so once
  CHECK_FALSE(limiter.blocked("b"));
  clock.advance(AttemptLimiter::kWindow - std::chrono::milliseconds(1));
  CHECK(limiter.blocked("a"));
  clock.advance(std::chrono::milliseconds(1));
  CHECK_FALSE(limiter.blocked("a"));

  for (std::uint32_t i = 0; i < AttemptLimiter::kFailuresAllowed; ++i) limiter.failed("old");
  clock.advance(std::chrono::seconds(1));
  for (std::size_t i = 0; i < AttemptLimiter::kMaxSources - 1; ++i)
    limiter.failed(std::to_string(i));
  CHECK(limiter.blocked("old"));
  limiter.failed("one more");
  CHECK_FALSE(limiter.blocked("old"));  // The oldest made room
}

}  // namespace
}  // namespace observeai::controlplane
