#include "agent/executor/policy.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "protocol/actions/catalogue.h"
#include "protocol/base/files.h"
#include "protocol/wire/refusals.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::TempDir;

namespace {

Policy policy_of(const std::string& text) {
  const PolicyFile file{"10-site.toml", text};
  auto policy = parse_policy({&file, 1});
  REQUIRE_MESSAGE(policy, (policy ? "" : policy.error().message()));
  return std::move(*policy);
}

std::string problem_of(const std::string& text) {
  const PolicyFile file{"a.toml", text};
  const auto policy = parse_policy({&file, 1});
  REQUIRE(!policy);
  return policy.error().message();
}

std::string verdict_of(const Policy& policy, const std::string& action,
                       const wire::Parameters& parameters,
                       wire::CommandMode mode = wire::CommandMode::kExecute,
                       std::int64_t now_ms = 0) {
  const auto* manifest = actions::find(action);
  REQUIRE(manifest != nullptr);
  const auto verdict = judge(policy, *manifest, actions::target_of(*manifest, parameters),
                             actions::with_defaults(*manifest, parameters), mode, now_ms);
  return verdict.refused == nullptr ? "" : verdict.refused;
}

constexpr auto kDryRun = wire::CommandMode::kDryRun;

wire::Parameters container(const std::string& name) {
  return {{"container", name}};
}

constexpr const char* kSite = R"(
enabled = true
max_tier = 1
max_per_hour = 3
cooldown = "90s"
time_zone = "UTC"

[approvals]
tier1 = 2
tier2 = 3

[[allow]]
action = "docker.restart"
targets = ["container/web-*", "container/cache"]
cooldown = "10s"
[allow.parameters.stop_timeout_s]
max = 30

[[allow]]
action = "docker.stop"
targets = ["**"]
windows = ["Thu 00:00-00:01"]
max_per_hour = 1

[vacuum]
directories = ["/var/log/app"]

[cache.sessions]
address = "127.0.0.1:6379"
prefixes = ["session:"]

[runbook.flush]
path = "/usr/local/bin/flush"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
summary = "Flushes"
[[runbook.flush.parameter]]
name = "level"
integer = true
min = 1
max = 3
[[runbook.flush.parameter]]
name = "what"
choices = ["all", "some"]
required = false
)";

}  // namespace

TEST_CASE("without a file everything may be dry run and nothing executed") {
  const auto policy = *parse_policy({});
  CHECK(!policy.enabled);
  CHECK(verdict_of(policy, "docker.restart", container("web")) == "policy");
  CHECK(verdict_of(policy, "docker.restart", container("web"), kDryRun) == "");
  CHECK(verdict_of(policy, "collect.diagnostics", {}) == "policy");
}

TEST_CASE("a policy is read to the last key") {
  const auto policy = policy_of(kSite);
  CHECK(policy.enabled);
  CHECK(policy.max_tier == 1);
  CHECK(policy.max_per_hour == 3);
  CHECK(policy.cooldown == std::chrono::seconds(90));
  CHECK(policy.approvals == std::array<std::uint32_t, 3>{0, 2, 3});
  REQUIRE(policy.allow.size() == 2);
  CHECK(policy.allow[0].targets.size() == 2);
  CHECK(policy.allow[0].cooldown == std::chrono::seconds(10));
  CHECK(policy.allow[0].parameters.at("stop_timeout_s").max == 30);
  CHECK(policy.allow[1].max_per_hour == 1);
  CHECK(policy.lists.vacuum_directories == std::vector<std::string>{"/var/log/app"});
  CHECK(policy.lists.caches.at("sessions").prefixes == std::vector<std::string>{"session:"});
  const auto& runbook = policy.lists.runbooks.at("flush");
  REQUIRE(runbook.parameters.size() == 2);
  CHECK(runbook.parameters[0].integer);
  CHECK(runbook.parameters[0].max == 3);
  CHECK(runbook.parameters[1].choices == std::vector<std::string>{"all", "some"});
  CHECK(!runbook.parameters[1].required);
}

TEST_CASE("a command passes by one rule that fits it whole") {
  const auto policy = policy_of(kSite);
  CHECK(verdict_of(policy, "docker.restart", container("web-1")) == "");
  CHECK(verdict_of(policy, "docker.restart", container("cache")) == "");
  CHECK(verdict_of(policy, "docker.restart", container("cache2")) == "policy");
  CHECK(verdict_of(policy, "docker.restart", container("xweb-1")) == "policy");
  CHECK(verdict_of(policy, "docker.start", container("web-1")) == "policy");
  CHECK(verdict_of(policy, "docker.prune", {}) == "policy");  // Tier 2
  auto slow = container("web-1");
  slow["stop_timeout_s"] = std::int64_t{30};
  CHECK(verdict_of(policy, "docker.restart", slow) == "");
  slow["stop_timeout_s"] = std::int64_t{31};
  CHECK(verdict_of(policy, "docker.restart", slow) == "policy");
  // A dry run of what will never be allowed says so before anybody is asked.
  CHECK(verdict_of(policy, "docker.start", container("web-1"), kDryRun) == "policy");
  const auto* restart = actions::find("docker.restart");
  const wire::Parameters whole{{"stop_timeout_s", std::int64_t{10}}};
  CHECK(
      judge(policy, *restart, "container/cache", whole, wire::CommandMode::kExecute, 0).cooldown ==
      std::chrono::seconds(10));
  // What a rule limits is judged, not left to whoever acts.
  const auto unsaid =
      judge(policy, *restart, "container/cache", {}, wire::CommandMode::kExecute, 0);
  CHECK(unsaid.refused == std::string("policy"));
  CHECK(unsaid.message.find("stop_timeout_s must be said") != std::string::npos);
}

TEST_CASE("outside of its window a command is refused with another reason") {
  const auto policy = policy_of(kSite);
  constexpr auto kExecute = wire::CommandMode::kExecute;
  CHECK(verdict_of(policy, "docker.stop", container("web"), kExecute, 0) == "");  // A Thursday
  CHECK(verdict_of(policy, "docker.stop", container("web"), kExecute, 60'000) == "window");
}

TEST_CASE("a policy never asks for fewer persons than the catalogue") {
  CHECK(problem_of("[approvals]\ntier2 = 1") ==
        "a.toml:2: approvals.tier2 must be a whole number from 2 to 8");
  CHECK(problem_of("[approvals]\ntier1 = 0").find("approvals.tier1") != std::string::npos);
}

TEST_CASE("what is wrong in a policy is told with file, line and the nearest name") {
  CHECK(problem_of("enable = true") == "a.toml:1: enable is not known; did you mean \"enabled\"?");
  CHECK(problem_of("enabled = 1").find("must be true or false") != std::string::npos);
  CHECK(problem_of("\n[[allow]]\naction = \"docker.restrat\"\ntargets = [\"*\"]") ==
        "a.toml:3: allow[1].action is not in the catalogue; did you mean \"docker.restart\"?");
  for (const std::string text : {
           "max_tier = 3",
           "max_tier = -1",
           "cooldown = \"-1s\"",
           "cooldown = 10",
           "time_zone = \"CET\"",
           "allow = 1",
           "enabled = true\nenabled = true",
           "[",
           "[vacuum]\ndirectories = [\"var/log\"]",
           "[vacuum]\ndirectories = [\"/var/../etc\"]",
           "[vacuum]\ndirectories = [\"/\"]",
           "[vacuum]\nfolders = []",
           "[cache.a]\naddress = \"x\"",
           "[cache.\"-a\"]\naddress = \"x\"\nprefixes = [\"p\"]",
           "[runbook.a]\npath = \"flush\"\nsha256 = \"00\"",
           "[runbook.a]\npath = \"/bin/flush\"\nsha256 = \"00\"",
       }) {
    CAPTURE(text);
    CHECK(!problem_of(text).empty());
  }
  for (const char* rest : {
           "",
           "targets = []",
           "targets = [\"*\"]\nwindows = []",
           "targets = [\"*\"]\nwindows = [\"never\"]",
           "targets = [\"*\"]\n[allow.parameters.pid]\nmin = 1",
           "targets = [1]",
       }) {
    CAPTURE(rest);
    std::string text = "[[allow]]\naction = \"docker.restart\"\n";
    CHECK(!problem_of(text.append(rest)).empty());
  }
}

TEST_CASE("a key is set in one file only, and lists add up") {
  const std::vector<PolicyFile> twice = {{"a.toml", "enabled = true"},
                                         {"b.toml", "enabled = false"}};
  REQUIRE(!parse_policy(twice));
  CHECK(parse_policy(twice).error().message() == "b.toml:1: enabled is set in a.toml too");
  const std::string rule = "[[allow]]\naction = \"docker.stop\"\ntargets = [\"**\"]";
  const std::vector<PolicyFile> both = {{"a.toml", rule}, {"b.toml", rule}};
  CHECK(parse_policy(both)->allow.size() == 2);
  const std::string cache = "[cache.a]\naddress = \"x\"\nprefixes = [\"p\"]";
  const std::vector<PolicyFile> caches = {{"a.toml", cache}, {"b.toml", cache}};
  CHECK(!parse_policy(caches));
}

TEST_CASE("the hash is of names and bytes") {
  const auto hash = [](std::vector<PolicyFile> files) { return parse_policy(files)->hash; };
  const auto first = hash({{"a.toml", "enabled = true"}});
  CHECK(first == hash({{"a.toml", "enabled = true"}}));
  CHECK(first != hash({{"b.toml", "enabled = true"}}));
  CHECK(first != hash({{"a.toml", "enabled = true "}}));
  CHECK(first != hash({}));
  CHECK(hash({{"a.toml", "#b.toml"}}) != hash({{"a.toml", "#"}, {"b.toml", ""}}));
}

TEST_CASE("stars of a target") {
  CHECK(glob_matches("container/web-*", "container/web-"));
  CHECK(glob_matches("container/web-*", "container/web-12"));
  CHECK(!glob_matches("container/*", "container/a/b"));
  CHECK(glob_matches("**", "directory//var/log"));
  CHECK(glob_matches("directory//var/**/x", "directory//var/a/b/x"));
  CHECK(!glob_matches("directory//var/*/x", "directory//var/a/b/x"));
  CHECK(glob_matches("a*b*c", "axxbyyc"));
  CHECK(!glob_matches("a*b*c", "axxbyy"));
  CHECK(glob_matches("", ""));
  CHECK(!glob_matches("", "a"));
  CHECK(!glob_matches("a", ""));
  CHECK(glob_matches("a**", "a"));
  std::string stars(200, '*');
  stars.push_back('x');
  CHECK(!glob_matches(stars, std::string(2000, 'a')));
}

TEST_CASE("a folder is read by its owner's rules") {
  TempDir dir;
  const auto load = [&] { return load_policy(dir / "policy.d", ::geteuid()); };
  const std::string file = dir / "policy.d/a.toml";
  CHECK(!load()->enabled);  // No folder
  std::filesystem::create_directory(dir / "policy.d");
  ::chmod((dir / "policy.d").c_str(), 0755);
  REQUIRE(files::write_atomic(file, "enabled = true", 0644));
  REQUIRE(files::write_atomic(dir / "policy.d/README", "not = a policy", 0666));
  REQUIRE(files::write_atomic(dir / "policy.d/.a.toml", "nor this", 0666));
  CHECK(load()->enabled);
  ::chmod(file.c_str(), 0664);
  CHECK(load().error().code() == Errc::kDenied);
  ::chmod(file.c_str(), 0644);
  std::filesystem::rename(file, dir / "a.toml");
  REQUIRE(::symlink((dir / "a.toml").c_str(), file.c_str()) == 0);
  CHECK(load().error().code() == Errc::kDenied);
  ::unlink(file.c_str());
  REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
  CHECK(load().error().code() == Errc::kDenied);
  ::unlink(file.c_str());
  REQUIRE(files::write_atomic(file, "enabled = maybe", 0644));
  CHECK(load().error().code() == Errc::kInvalid);
  REQUIRE(files::write_atomic(file, std::string(kMaxPolicyFileBytes + 1, '#'), 0644));
  CHECK(load().error().code() == Errc::kLimit);
  ::unlink(file.c_str());
  ::chmod((dir / "policy.d").c_str(), 0775);
  CHECK(load().error().code() == Errc::kDenied);
}

TEST_CASE("the kill switch is a file beside the folder, of whatever kind") {
  TempDir dir;
  const std::string path = dir / "DISABLE_COMMANDS";
  CHECK(kill_switch_path("/etc/observeai/policy.d/") == "/etc/observeai/DISABLE_COMMANDS");
  CHECK(!is_disabled(dir / "policy.d"));
  REQUIRE(::symlink("/nowhere", path.c_str()) == 0);
  CHECK(is_disabled(dir / "policy.d"));
  ::unlink(path.c_str());
  CHECK(!is_disabled(dir / "policy.d"));
  REQUIRE(files::write_atomic(dir / "file", "", 0600));
  CHECK(is_disabled(dir / "file/policy.d"));  // It cannot be looked at
}

TEST_CASE("the policy that docs/operations.md shows is one") {
  const auto page = files::read(OBSERVEAI_OPERATIONS);
  REQUIRE(page);
  const auto from = page->find("    enabled = true ");
  const auto to = page->find("A file `/etc/observeai/DISABLE_COMMANDS`");
  REQUIRE(from < to);
  REQUIRE(to != std::string::npos);
  const auto policy = policy_of(page->substr(from, to - from));
  CHECK(policy.enabled);
  CHECK(policy.allow.size() == 2);
  CHECK(policy.lists.runbooks.size() == 1);
  CHECK(policy.lists.caches.size() == 1);
  CHECK(policy.lists.vacuum_directories.size() == 1);
}
