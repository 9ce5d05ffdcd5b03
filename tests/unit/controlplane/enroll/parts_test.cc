// Token scope, naming, rate limit, the list of superseded certificates.
#include <doctest/doctest.h>

#include <set>

#include "controlplane/enroll/agent_naming.h"
#include "controlplane/enroll/rate_limiter.h"
#include "controlplane/enroll/superseded_certificates.h"
#include "controlplane/enroll/token_scope.h"
#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::controlplane;

namespace {
bool inside(const char* network, const char* address) {
  return contains(parse_network(network).value(), parse_address(address).value());
}
}  // namespace

TEST_CASE("networks hold the addresses they should, of both families") {
  CHECK(inside("10.0.0.0/8", "10.255.0.1"));
  CHECK_FALSE(inside("10.0.0.0/8", "11.0.0.0"));
  CHECK(inside("192.0.2.128/25", "192.0.2.128"));
  CHECK_FALSE(inside("192.0.2.128/25", "192.0.2.127"));
  CHECK(inside("192.0.2.7", "192.0.2.7"));
  CHECK(inside("192.0.2.7/32", "::ffff:192.0.2.7"));
  CHECK_FALSE(inside("192.0.2.7", "192.0.2.6"));
  CHECK(inside("0.0.0.0/0", "255.255.255.255"));
  CHECK(inside("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(inside("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(inside("fe80::/10", "fe80::1%eth0"));
  CHECK(inside("::/0", "2001:db8::1"));
  CHECK_FALSE(inside("::/0", "192.0.2.7"));
  CHECK_FALSE(inside("0.0.0.0/0", "2001:db8::1"));
}

TEST_CASE("what is not a network is refused") {
  for (const auto* bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "::/129",
                          "host", "10.0.0.0/8/8", "10.0.0.0/ 8", "1.2.3.4.5"}) {
    CAPTURE(bad);
    CHECK(parse_network(bad).error().code() == Errc::kInvalid);
  }
  CHECK(parse_network("10.0.0.1/8").error().message().find("beyond its prefix") !=
        std::string::npos);
  CHECK(parse_network("2001:db8::1/64").error().code() == Errc::kInvalid);
}

TEST_CASE("host patterns") {
  CHECK(matches_host("web-*", "web-1"));
  CHECK(matches_host("web-*", "WEB-1.example.com"));
  CHECK(matches_host("*", ""));
  CHECK(matches_host("*.example.com", "a.b.example.com"));
  CHECK(matches_host("db-?", "db-1"));
  CHECK(matches_host("a*b*c", "aXXbYYbZc"));
  CHECK_FALSE(matches_host("web-*", "db-1"));
  CHECK_FALSE(matches_host("db-?", "db-12"));
  CHECK_FALSE(matches_host("web", "web-1"));
  CHECK_FALSE(matches_host("a.c", "abc"));
  CHECK_FALSE(matches_host("", "a"));
  // Would take ages if it backtracked over every star.
  std::string stars;
  for (int i = 0; i < 100; ++i) stars += "*a";
  CHECK_FALSE(matches_host(stars + "b", std::string(250, 'a')));
}

TEST_CASE("agent ids fit the grammar whatever the host is called") {
  const auto id = make_agent_id("Web_01.Example.com").value();
  CHECK(id.substr(0, id.size() - 8) == "web-01-example-com-");
  const std::vector<std::string> names{"",         "---",      "cp",      "CP-1",
                                       "\xFF\xFE", "\xC3\xA4", "a b/c+#", std::string(500, 'x')};
  for (const auto& name : names) {
    const auto made = make_agent_id(name).value();
    CAPTURE(made);
    CHECK(is_valid_id(made));
    CHECK(made.substr(0, 3) != "cp-");
    CHECK(made.size() <= 54);
  }
  CHECK(make_agent_id("cp").value().substr(0, 8) == "host-cp-");
  CHECK(make_agent_id("a") != make_agent_id("a"));
}

TEST_CASE("shards are stable and spread") {
  CHECK(shard_of(AgentId::parse("web-1").value()) == shard_of(AgentId::parse("web-1").value()));
  std::array<int, kShardCount> counts{};
  for (int i = 0; i < 6400; ++i) {
    const auto shard = shard_of(AgentId::parse("web-" + std::to_string(i)).value());
    REQUIRE(shard < kShardCount);
    ++counts[shard];
  }
  for (const int count : counts) CHECK((count > 50 && count < 160));
}

TEST_CASE("a bucket gives its burst, then its rate") {
  ManualClock clock;
  RateLimiter limiter({10, 3}, clock);
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limiter.try_take("a"));
  CHECK(limiter.try_take("a")->count() == 100);
  CHECK_FALSE(limiter.try_take("b"));
  clock.advance(std::chrono::milliseconds(101));
  CHECK_FALSE(limiter.try_take("a"));
  CHECK(limiter.try_take("a"));
  clock.advance(std::chrono::hours(1));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(limiter.try_take("a"));
  CHECK(limiter.try_take("a"));
}

TEST_CASE("a flood of sources shares one bucket once there are too many, and ends") {
  ManualClock clock;
  RateLimiter limiter({1, 1}, clock);
  for (std::size_t i = 0; i < RateLimiter::kMaxKeys; ++i) {
    REQUIRE_FALSE(limiter.try_take(std::to_string(i)));
  }
  CHECK_FALSE(limiter.try_take("one more"));
  CHECK(limiter.try_take("another"));
  clock.advance(std::chrono::seconds(2));
  CHECK_FALSE(limiter.try_take("another"));
  CHECK_FALSE(limiter.try_take("and another"));
}

TEST_CASE("superseded certificates survive a restart until they expire") {
  const test::TempDir dir;
  const auto path = dir / "superseded";
  const auto agent = AgentId::parse("web-1").value();
  {
    const auto list = SupersededCertificates::open(path, 1000).value();
    CHECK(list->add({"0a", agent, 5000}));
    CHECK(list->add({"0b", agent, 9000}));
    CHECK(list->unexpired(1000).size() == 2);
    CHECK(list->unexpired(5000).size() == 1);
  }
  // The last line was cut by a crash.
  auto text = files::read(path).value() + "0c web";
  REQUIRE(files::write_atomic(path, text, 0600));
  const auto list = SupersededCertificates::open(path, 6000).value();
  REQUIRE(list->unexpired(6000).size() == 1);
  CHECK(list->unexpired(6000)[0].serial == "0b");
  CHECK(list->add({"0d", agent, 9000}));
  CHECK(SupersededCertificates::open(path, 6000).value()->unexpired(6000).size() == 2);
}
