#include <doctest/doctest.h>

#include "agent/executor/docker_prune_plan.h"

using namespace observeai;
using namespace observeai::agent::executor;

namespace {

std::string ids(const std::vector<Stored>& all, const std::set<std::string>& in_use = {},
                std::int64_t before_s = 100, std::size_t limit = 100) {
  std::string out;
  for (const auto& one : removable(all, in_use, before_s, limit)) out += one.id;
  return out;
}

}  // namespace

TEST_CASE("children go before their parents, and nothing goes from under a child that stays") {
  const Stored a{"a", "", 1, 0, true};
  const Stored b{"b", "a", 1, 0, true};
  const Stored c{"c", "b", 1, 0, true};
  CHECK(ids({a, b, c}) == "cba");
  CHECK(ids({a, b, c}, {}, 100, 2) == "cb");
  CHECK(ids({a, b, c}, {"c"}) == "");
  CHECK(ids({a, b, c}, {"b"}) == "c");
  Stored named = c;
  named.unclaimed = false;
  CHECK(ids({a, b, named}) == "");
  Stored young = c;
  young.used_s = 101;
  CHECK(ids({a, b, young}) == "");
  young.used_s = 100;
  CHECK(ids({a, b, young}) == "cba");
  // Two children of one parent; each other's parents: neither.
  CHECK(ids({a, b, {"d", "a", 1, 0, true}}) == "bda");
  CHECK(ids({{"x", "y", 1, 0, true}, {"y", "x", 1, 0, true}}) == "");
  CHECK(ids({{"x", "x", 1, 0, true}}) == "");
}

TEST_CASE("an image with any name has an owner") {
  const std::string id = R"("Id":"sha256:)" + std::string(64, 'a') + "\"";
  const auto unclaimed = [&](const std::string& more) {
    const auto images = parse_images("[{" + id + R"(,"Created":5)" + more + "}]");
    REQUIRE(images);
    return images->front().unclaimed;
  };
  CHECK(unclaimed(""));
  CHECK(unclaimed(R"(,"RepoTags":null,"RepoDigests":[])"));
  CHECK(unclaimed(R"(,"RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"])"));
  CHECK_FALSE(unclaimed(R"(,"RepoTags":["web:1"])"));
  CHECK_FALSE(unclaimed(R"(,"RepoDigests":["web@sha256:x"])"));
  CHECK_FALSE(unclaimed(R"(,"Created":0)"));
  CHECK_FALSE(parse_images(R"([{"Id":"sha256:short"}])"));
  CHECK_FALSE(parse_images(R"({})"));
}

TEST_CASE("records of the build cache") {
  const auto records = parse_build_cache(
      R"({"BuildCache":[
        {"ID":"abc","Parent":"def","InUse":false,"Shared":false,"Size":7,
         "CreatedAt":"1970-01-01T00:00:09Z","LastUsedAt":"1970-01-01T00:01:00Z"},
        {"ID":"def","InUse":true,"CreatedAt":"1970-01-01T00:00:09Z"},
        {"ID":"ghi","Shared":true,"CreatedAt":"1970-01-01T00:00:09Z"},
        {"ID":"jkl","CreatedAt":"never"}]})");
  REQUIRE(records);
  REQUIRE(records->size() == 4);
  CHECK((*records)[0].used_s == 60);
  CHECK((*records)[0].bytes == 7);
  CHECK((*records)[0].unclaimed);
  for (int i = 1; i < 4; ++i) CHECK_FALSE((*records)[static_cast<std::size_t>(i)].unclaimed);
  CHECK(ids(*records) == "abc");
  CHECK_FALSE(parse_build_cache(R"({"BuildCache":[{"ID":"a.*"}]})"));
  CHECK(parse_build_cache("{}")->empty());
}
