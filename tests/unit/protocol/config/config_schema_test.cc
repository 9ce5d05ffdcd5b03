#include <doctest/doctest.h>

#include "protocol/config/config_schema.h"

using namespace observeai;
using std::chrono::milliseconds;

namespace {

struct Sample {
  std::string name = "a \"quoted\" name";
  bool on = true;
  std::uint64_t size = 5;
  milliseconds wait{1500};
  std::vector<std::string> list{"x", "y"};
  bool operator==(const Sample&) const = default;
};

void describe(Sample& c, config::Schema& schema) {
  schema.field("name", c.name, config::not_empty, "who");
  schema.section("limits", "bounds");
  schema.field("on", c.on, "whether");
  schema.field("size", c.size, 1, 10, "how much");
  schema.field("wait", c.wait, milliseconds(10), milliseconds(60'000), "how long");
  schema.field("list", c.list, "which");
}

std::string problem(std::string_view text) {
  Sample sample;
  const auto result = config::read_toml(text, "test.toml", sample);
  return result ? "" : result.error().message();
}

}  // namespace

TEST_CASE("what is printed reads back as the same values") {
  Sample changed{"b", false, 9, milliseconds(20'000), {}};
  Sample read;
  REQUIRE(config::read_toml(config::print_toml(changed), "x", read));
  CHECK(read == changed);
  REQUIRE(config::read_toml(config::print_toml(Sample{}), "x", read));
  CHECK(read == Sample{});
}

TEST_CASE("an empty file keeps every default") {
  Sample read;
  REQUIRE(config::read_toml("", "x", read));
  CHECK(read == Sample{});
}

TEST_CASE("errors name file, line, key and the remedy") {
  CHECK(problem("nmae = \"x\"") == "test.toml:1: unknown key \"nmae\"; did you mean \"name\"?");
  CHECK(problem("[limits]\nsise = 3") ==
        "test.toml:2: unknown key \"sise\" in [limits]; did you mean \"size\"?");
  CHECK(problem("[limit]\n") == "test.toml:1: unknown key \"limit\"; did you mean \"limits\"?");
  CHECK(problem("name = 3") == "test.toml:1: name must be a text in quotes, got a whole number: 3");
  CHECK(problem("\nname = \"\"") == "test.toml:2: name: must not be empty");
  CHECK(problem("[limits]\nsize = 11").find("limits.size must be a whole number from 1 to 10") !=
        std::string::npos);
  CHECK(problem("[limits]\nsize = -1").find("from 1 to 10") != std::string::npos);
  CHECK(problem("[limits]\nwait = 5").find("must be a duration in quotes") != std::string::npos);
  CHECK(problem("[limits]\nwait = \"2m\"").find("limits.wait must be") != std::string::npos);
  CHECK(problem("[limits]\non = \"yes\"").find("true or false") != std::string::npos);
  CHECK(problem("[limits]\nlist = [1]").find("list of texts") != std::string::npos);
  CHECK(problem("limits = 1").find("limits must be a table") != std::string::npos);
  CHECK(problem("name = ").find("test.toml:1: not valid TOML") == 0);
}
