#include "protocol/actions/manifest.h"

#include <doctest/doctest.h>

#include "protocol/actions/catalogue.h"
#include "protocol/wire/command_codec.h"

using namespace observeai;
using namespace observeai::actions;
using wire::Parameters;
using Text = std::string;

namespace {

const Manifest& restart() {
  return *find("docker.restart");
}

bool accepts(std::string_view action, const Parameters& parameters) {
  return bool(check_parameters(*find(action), parameters));
}

// One text parameter of this form.
bool has_form(Form form, const Text& text) {
  const ParameterSpec spec[] = {{"x", Kind::kText, form, true, 0, 1 << 20, "", ""}};
  const Manifest manifest{"test", 1, 0, false, "host", "", spec};
  return bool(check_parameters(manifest, {{"x", text}}));
}

}  // namespace

TEST_CASE("parameters are those of the schema, and say what is wrong by name") {
  CHECK(accepts("docker.restart", {{"container", Text("web")}}));
  CHECK(accepts("docker.restart",
                {{"container", Text("web")}, {"stop_timeout_s", std::int64_t{300}}}));

  const auto missing = check_parameters(restart(), {});
  CHECK(missing.error().code() == Errc::kInvalid);
  CHECK(missing.error().message().find("\"container\" is missing") != Text::npos);
  const auto typo =
      check_parameters(restart(), {{"container", Text("web")}, {"stop_timeout", std::int64_t{1}}});
  CHECK(typo.error().code() == Errc::kInvalid);
  CHECK(typo.error().message().find("do you mean \"stop_timeout_s\"?") != Text::npos);
  const auto range = check_parameters(
      restart(), {{"container", Text("web")}, {"stop_timeout_s", std::int64_t{301}}});
  CHECK(range.error().message().find("\"stop_timeout_s\" must be 0 to 300 s") != Text::npos);
  const auto hostile = check_parameters(restart(), {{"a\x1b[31m\n", Text("x")}});
  CHECK(hostile.error().message().find('\x1b') == Text::npos);
}

TEST_CASE("what is not said has its default, what is said stays") {
  const auto& clear = *find("cache.clear");
  const Parameters said{{"cache", Text("site")}, {"prefix", Text("a:")}};
  const auto whole = with_defaults(clear, said);
  CHECK(whole == Parameters{{"cache", Text("site")},
                            {"database", std::int64_t{0}},
                            {"max_keys", std::int64_t{100'000}},
                            {"prefix", Text("a:")}});
  CHECK(check_parameters(clear, whole));
  CHECK(with_defaults(clear, whole) == whole);
  auto other = said;
  other["database"] = std::int64_t{3};
  CHECK(with_defaults(clear, other).at("database") == wire::ParameterValue(std::int64_t{3}));
  CHECK(with_defaults(*find("docker.prune"), {}).at("build_cache") == wire::ParameterValue(false));
  CHECK(with_defaults(*find("collect.diagnostics"), {}).empty());
}

TEST_CASE("a value of another kind never passes, whatever it looks like") {
  CHECK_FALSE(accepts("docker.restart", {{"container", std::int64_t{5}}}));
  CHECK_FALSE(accepts("docker.restart", {{"container", true}}));
  CHECK_FALSE(
      accepts("docker.restart", {{"container", Text("web")}, {"stop_timeout_s", Text("5")}}));
  CHECK_FALSE(accepts("docker.restart", {{"container", Text("web")}, {"stop_timeout_s", true}}));
  CHECK_FALSE(accepts("docker.prune", {{"build_cache", std::int64_t{1}}}));
  CHECK_FALSE(accepts("docker.prune", {{"build_cache", Text("true")}}));
  CHECK(accepts("docker.prune", {{"build_cache", true}}));
}

TEST_CASE("ranges hold at their ends") {
  const auto pid = [](std::int64_t value) {
    return accepts("process.terminate", {{"pid", value}, {"start_ticks", std::int64_t{1}}});
  };
  CHECK(pid(2));
  CHECK(pid(4'194'304));
  CHECK_FALSE(pid(1));
  CHECK_FALSE(pid(4'194'305));
  CHECK_FALSE(pid(-2));
  CHECK_FALSE(pid(INT64_MIN));
  CHECK(accepts("docker.start", {{"container", Text(255, 'a')}}));
  CHECK_FALSE(accepts("docker.start", {{"container", Text(256, 'a')}}));
  CHECK_FALSE(accepts("docker.start", {{"container", Text()}}));
}

TEST_CASE("forms of texts") {
  for (const auto form : {Form::kName, Form::kContainer}) {
    CHECK(has_form(form, "nginx.service"));
    CHECK(has_form(form, "user@1000.service"));
    CHECK(has_form(form, "0"));
    CHECK(has_form(form, Text(64, 'a')));
    for (const auto* bad : {"", "-rf", ".hidden", "_x", "a/b", "../x", "a b", "a\nb", "a;b", "$(x)",
                            "a`b", "a\\x2d", "caf\xC3\xA9", "a'b", "a\"b", "a*", "a=b"}) {
      CAPTURE(bad);
      CHECK_FALSE(has_form(form, bad));
    }
    CHECK_FALSE(has_form(form, Text("a\0b", 3)));
  }
  for (const auto* good : {"/", "/var/log", "/a b/c", "/var/log/.x", "/a/...", "/\xC3\xA9"}) {
    CAPTURE(good);
    CHECK(has_form(Form::kPath, good));
  }
  for (const auto* bad : {"", "var/log", "//", "/var//log", "/var/log/", "/..", "/.", "/var/../etc",
                          "/var/./log", "/var/..", "/a\nb", "/a\xFF", "/a\xE2\x80\xAE"}) {
    CAPTURE(bad);
    CHECK_FALSE(has_form(Form::kPath, bad));
  }
  CHECK_FALSE(has_form(Form::kPath, Text("/a\0b", 4)));
  CHECK(has_form(Form::kPath, "/" + Text(4094, 'a')));
  CHECK_FALSE(has_form(Form::kPath, "/" + Text(4095, 'a')));
  for (const auto* good : {"sha256:abc", "reg.example:5000/a/b@sha256:00", "session:", "-x"}) {
    CAPTURE(good);
    CHECK(has_form(Form::kPrefix, good));
  }
  for (const auto* bad : {"a*", "a?", "[a", "a]", "a\\", "a b", "\xC3\xA9", "a\x7f"}) {
    CAPTURE(bad);
    CHECK_FALSE(has_form(Form::kPrefix, bad));
  }
  CHECK(has_form(Form::kPrefix, Text(256, 'a')));
  CHECK_FALSE(has_form(Form::kPrefix, Text(257, 'a')));
  CHECK(has_form(Form::kHash, Text(64, '0')));
  CHECK_FALSE(has_form(Form::kHash, Text(63, '0')));
  CHECK_FALSE(has_form(Form::kHash, Text(65, '0')));
  CHECK_FALSE(has_form(Form::kHash, Text(64, 'A')));
  CHECK(has_form(Form::kFree, "any thing \xE2\x82\xAC *?"));
  CHECK_FALSE(has_form(Form::kFree, "a\tb"));
  CHECK_FALSE(has_form(Form::kFree, "a\x1b[31m"));
  CHECK_FALSE(has_form(Form::kFree, "\xC3"));
  CHECK_FALSE(has_form(Form::kNone, "x"));
}

TEST_CASE("a runbook brings parameters of its own") {
  const Text kName = "runbook";
  CHECK(accepts(kName, {{"runbook", Text("rotate")}, {"count", std::int64_t{5}}, {"dry", true}}));
  CHECK(accepts(kName, {{"runbook", Text("rotate")}, {"x", Text(4096, 'a')}}));
  CHECK_FALSE(accepts(kName, {{"count", std::int64_t{5}}}));
  CHECK_FALSE(accepts(kName, {{"runbook", Text("../x")}}));
  CHECK_FALSE(accepts(kName, {{"runbook", std::int64_t{5}}}));
  CHECK_FALSE(accepts(kName, {{"runbook", Text("rotate")}, {"x", Text(4097, 'a')}}));
  CHECK_FALSE(accepts(kName, {{"runbook", Text("rotate")}, {"x", Text("a\nb")}}));
  CHECK_FALSE(accepts(kName, {{"runbook", Text("rotate")}, {"X", true}}));
  CHECK_FALSE(accepts(kName, {{"runbook", Text("rotate")}, {"", true}}));
  CHECK_FALSE(accepts(kName, {{"runbook", Text("rotate")}, {Text(65, 'x'), true}}));
}

TEST_CASE("targets are named after parameters") {
  CHECK(target_of(restart(), {{"container", Text("web")}}) == "container/web");
  CHECK(target_of(*find("process.terminate"), {{"pid", std::int64_t{77}}}) == "process/77");
  CHECK(target_of(*find("docker.prune"), {}) == "docker");
  // What is filled in is not looked at again.
  CHECK(target_of(restart(), {{"container", Text("{container}")}}) == "container/{container}");
}

TEST_CASE("values as people write them come back") {
  const auto& specs = find("docker.restart")->parameters;
  const auto& flag = find("docker.prune")->parameters[0];
  CHECK(std::get<Text>(parse_value(specs[0], "web").value()) == "web");
  CHECK(std::get<std::int64_t>(parse_value(specs[1], "60").value()) == 60);
  CHECK(std::get<bool>(parse_value(flag, "true").value()));
  CHECK_FALSE(std::get<bool>(parse_value(flag, "false").value()));
  for (const auto* bad : {"", "x", "60s", " 60", "301", "-1", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK(parse_value(specs[1], bad).error().code() == Errc::kInvalid);
  }
  CHECK(parse_value(specs[0], "-web").error().code() == Errc::kInvalid);
  CHECK(parse_value(flag, "1").error().code() == Errc::kInvalid);
  CHECK(format_value(Text("web")) == "web");
  CHECK(format_value(std::int64_t{-5}) == "-5");
  CHECK(format_value(true) == "true");
  CHECK(format_value(false) == "false");
}

TEST_CASE("each fact of a manifest is in its hash") {
  const ParameterSpec spec[] = {{"x", Kind::kText, Form::kName, true, 1, 9, "u", "h"}};
  const Manifest base{"n", 1, 1, false, "t", "s", spec};
  std::vector<Manifest> others(6, base);
  others[0].name = "m";
  others[1].version = 2;
  others[2].tier = 2;
  others[3].undo = true;
  others[4].target = "u";
  others[5].summary = "r";
  std::vector<ParameterSpec> specs(9, spec[0]);
  specs[0].name = "y";
  specs[1].kind = Kind::kFlag;
  specs[2].form = Form::kPath;
  specs[3].required = false;
  specs[4].min = 0;
  specs[5].max = 8;
  specs[6].unit = "v";
  specs[7].help = "g";
  specs[8].fallback = "f";
  for (const auto& changed : specs) {
    others.push_back(base);
    others.back().parameters = {&changed, 1};
  }
  others.push_back(base);
  others.back().parameters = {};
  for (const auto& other : others) CHECK(manifest_hash(other) != manifest_hash(base));
}
