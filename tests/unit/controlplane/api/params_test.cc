#include "controlplane/api/params.h"

#include <doctest/doctest.h>

namespace observeai::controlplane::api {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
const std::vector<std::string_view> kKnown = {"host", "since", "until",  "limit", "all",
                                              "step", "grep",  "stream", "label."};

Params parse(std::string_view query) {
  auto params = Params::parse(query, kKnown);
  REQUIRE(params);
  return *params;
}
Problem refused(std::string_view query) {
  auto params = Params::parse(query, kKnown);
  REQUIRE_FALSE(params);
  CHECK(params.error().status == 400);
  return params.error();
}

TEST_CASE("percent decoding is strict") {
  CHECK(percent_decode("a%20b+c%2F%c3%A9").value() == "a b+c/\xC3\xA9");
  for (const std::string bad : {"%", "%2", "%zz", "%ff", "%00", "a%C3"}) {
    CAPTURE(bad);
    CHECK_FALSE(percent_decode(bad));
  }
}

TEST_CASE("in the query a plus is a space, and %2B a plus") {
  CHECK(parse("grep=out+of%20memory").text("grep") == "out of memory");
  CHECK(parse("grep=1%2B1").text("grep") == "1+1");
  CHECK(parse("label.a+b=c+d").labels() == wire::Labels{{"a b", "c d"}});
}

TEST_CASE("parameters are read, empty ones count as not given") {
  const auto params = parse("host=web%201&all=true&limit=&&grep=a=b");
  CHECK(params.text("host") == "web 1");
  CHECK(params.boolean("all").value());
  CHECK_FALSE(params.has("limit"));
  CHECK(params.text("grep") == "a=b");
  CHECK(params.text("until") == "");
}

TEST_CASE("unknown and repeated parameters are refused, with the nearest known name") {
  const auto typo = refused("hots=web1");
  CHECK(typo.parameter == "hots");
  CHECK(typo.hint == "did you mean host?");
  CHECK(refused("xyzzy=1").hint.starts_with("known: host, since"));
  CHECK(refused("host=a&host=b").parameter == "host");
  CHECK(refused("label.=x").parameter == "label.");
  CHECK(Params::parse("a=1", {}).error().hint == "this endpoint takes no parameters");
  std::string many;
  for (std::size_t i = 0; i <= kMaxParameters; ++i) many += "label.l" + std::to_string(i) + "=1&";
  CHECK_FALSE(Params::parse(many, kKnown));
}

TEST_CASE("numbers have bounds and the error names the parameter") {
  CHECK(parse("limit=1").integer("limit", 1, 10, 5).value() == 1);
  CHECK(parse("limit=10").integer("limit", 1, 10, 5).value() == 10);
  CHECK(parse("").integer("limit", 1, 10, 5).value() == 5);
  for (const std::string bad : {"0", "11", "1.5", "x", "99999999999999999999"}) {
    const auto value = parse("limit=" + bad).integer("limit", 1, 10, 5);
    REQUIRE_FALSE(value);
    CHECK(value.error().parameter == "limit");
    CHECK(value.error().message == "limit must be a number from 1 to 10");
  }
  CHECK_FALSE(parse("all=yes").boolean("all"));
  CHECK_FALSE(parse("stream=sterr").stream());
  CHECK(parse("stream=stderr").stream().value() == wire::LogStream::kStderr);
}

TEST_CASE("times: milliseconds, spans before now, RFC 3339") {
  CHECK(parse("since=1700000000001").time("since", kNow, 0).value() == 1'700'000'000'001);
  CHECK(parse("since=15m").time("since", kNow, 0).value() == kNow - 15 * 60'000);
  CHECK(parse("since=1d").time("since", kNow, 0).value() == kNow - 24 * kHourMs);
  CHECK(parse("since=2023-11-14T22:13:20Z").time("since", kNow, 0).value() == kNow);
  CHECK(parse("").time("since", kNow, 42).value() == 42);
  for (const std::string bad : {"yesterday", "-5", "15", "999999999999999"}) {
    CAPTURE(bad);
    const auto value = parse("since=" + bad).time("since", kNow, 0);
    if (bad == "15")
      CHECK(value.value() == 15);  // Unix milliseconds, if an unlikely one
    else
      CHECK_FALSE(value);
  }
}

TEST_CASE("ranges default to a span before their end and must not be upside down") {
  const auto usual = parse("").range(kNow, kHourMs).value();
  CHECK(usual.since_ms == kNow - kHourMs);
  CHECK(usual.until_ms > kNow);
  const auto past = parse("until=2h").range(kNow, kHourMs).value();
  CHECK(past.until_ms == kNow - 2 * kHourMs);
  CHECK(past.since_ms == kNow - 3 * kHourMs);
  CHECK_FALSE(parse("since=1h&until=2h").range(kNow, kHourMs));
}

TEST_CASE("steps, searches and labels") {
  CHECK(parse("").step().value() == 0);
  CHECK(parse("step=60s").step().value() == 60'000);
  CHECK_FALSE(parse("step=999ms").step());
  CHECK(parse("grep=" + std::string(kMaxGrepBytes, 'x')).grep());
  CHECK_FALSE(parse("grep=" + std::string(kMaxGrepBytes + 1, 'x')).grep());
  const auto labels = parse("label.b=2&label.a=1").labels();
  CHECK(labels == wire::Labels{{"a", "1"}, {"b", "2"}});
}

}  // namespace
}  // namespace observeai::controlplane::api
