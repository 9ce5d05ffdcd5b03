#include "protocol/actions/catalogue.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/wire/command_codec.h"

using namespace observeai;
using namespace observeai::actions;

namespace {

const std::string kGolden = std::string(OBSERVEAI_GOLDEN) + "/actions/manifests.txt";

// The hash and the canonical text of one manifest, an empty line behind.
std::string block(const Manifest& manifest) {
  return "sha256=" + text::to_hex(manifest_hash(manifest)) + "\n" + canonical_text(manifest) + "\n";
}

std::string value_of(const std::string& block, const std::string& name) {
  const auto at = block.find("\n" + name + "=");
  if (at == std::string::npos) return "";
  const auto begin = at + name.size() + 2;
  return block.substr(begin, block.find('\n', begin) - begin);
}

std::map<std::string, std::string> by_name(const std::string& all) {
  std::map<std::string, std::string> out;
  std::size_t at = 0;
  while (at < all.size()) {
    const auto end = all.find("\n\n", at);
    const auto length = end == std::string::npos ? all.size() - at : end + 2 - at;
    const auto one = all.substr(at, length);
    out[value_of(one, "name")] = one;
    at += length;
  }
  return out;
}

}  // namespace

// OBSERVEAI_UPDATE_GOLDEN=1 writes the file anew, unless a manifest changed without a higher version.
TEST_CASE("a manifest that changes gets a higher version") {
  const auto golden = files::read(kGolden);
  const auto before = by_name(golden ? *golden : "");
  std::string all;
  for (const auto& manifest : catalogue()) {
    const auto now = block(manifest);
    all += now;
    const auto found = before.find(std::string(manifest.name));
    if (found == before.end() || found->second == now) continue;
    CAPTURE(manifest.name);
    REQUIRE_MESSAGE(manifest.version > std::stoul(value_of(found->second, "version")),
                    "the manifest changed and its version did not go up");
  }
  const char* update = std::getenv("OBSERVEAI_UPDATE_GOLDEN");
  if (update != nullptr && std::string_view(update) == "1") {
    REQUIRE(files::write_atomic(kGolden, all, 0644));
  } else {
    REQUIRE(golden);
    CHECK(*golden == all);
  }
}

TEST_CASE("the catalogue keeps its own rules") {
  std::set<std::string_view> names;
  for (const auto& manifest : catalogue()) {
    CAPTURE(manifest.name);
    CHECK(names.insert(manifest.name).second);
    CHECK(find(manifest.name) == &manifest);
    CHECK(manifest.version >= 1);
    CHECK(manifest.tier <= wire::kMaxTier);
    CHECK(manifest.parameters.size() <= wire::kMaxParameters);
    CHECK(canonical_text(manifest).find('\r') == std::string::npos);
    std::string_view last;
    wire::Parameters required;
    for (const auto& spec : manifest.parameters) {
      CAPTURE(spec.name);
      CHECK(spec.name > last);
      last = spec.name;
      CHECK((spec.kind == Kind::kText) == (spec.form != Form::kNone));
      CHECK(spec.min <= spec.max);
      if (spec.kind == Kind::kText) CHECK(spec.max <= std::int64_t{wire::kMaxParameterBytes});
      if (spec.required) required[std::string(spec.name)] = std::string("<set>");
      if (spec.fallback.empty()) continue;
      CHECK_FALSE(spec.required);
      const auto fallback = parse_value(spec, spec.fallback);
      REQUIRE(fallback);
      CHECK(format_value(*fallback) == spec.fallback);
      // Who reads the help reads it too.
      CHECK(spec.help.find("(" + std::string(spec.fallback) + ")") != std::string_view::npos);
    }
    // What a target is named after is always there.
    const auto target = target_of(manifest, required);
    CHECK(target.find_first_of("{}") == std::string::npos);
    CHECK_FALSE(target.ends_with('/'));
  }
  CHECK(find("") == nullptr);
  CHECK(find("docker.Restart") == nullptr);
  CHECK(find("docker.restart ") == nullptr);
}
