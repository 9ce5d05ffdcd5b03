#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "attack_rig.h"
#include "protocol/base/text.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;
namespace fs = std::filesystem;

TEST_CASE_FIXTURE(AttackRig, "no policy") {
  const auto command = approved_mark();
  fs::remove(policy_file());
  refused(command, "policy");
  const auto intent = mark_intent();
  fs::remove_all(path("etc/policy.d"));
  auto blind = intent;
  blind.state.fill(1);
  blind.diff.fill(1);
  refused(approved(blind), "policy");
}

TEST_CASE_FIXTURE(AttackRig, "a policy that cannot be parsed, or has a key that nobody knows") {
  const auto command = approved_mark();
  write_policy(site_policy() + "[");
  refused(command, "policy_unreadable");
  const auto again = keys.execute(*wire::decode_intent(command.intent));
  write_policy(site_policy("enabled = true\nmax_teir = 2\n"));
  refused(addressed(again), "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a policy file of another user" * doctest::skip(::geteuid() != 0)) {
  const auto command = approved_mark();
  REQUIRE(::chown(policy_file().c_str(), 65534, 65534) == 0);
  refused(command, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a policy folder of another user" * doctest::skip(::geteuid() != 0)) {
  const auto command = approved_mark();
  REQUIRE(::chown(path("etc/policy.d").c_str(), 65534, 65534) == 0);
  refused(command, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a policy file that its group may write") {
  const auto command = approved_mark();
  ::chmod(policy_file().c_str(), 0664);
  refused(command, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a policy folder, or the one above it, that others may write") {
  const auto command = approved_mark();
  ::chmod(path("etc/policy.d").c_str(), 0777);
  refused(command, "policy_unreadable");
  ::chmod(path("etc/policy.d").c_str(), 0755);
  const auto again = approved(*wire::decode_intent(command.intent));
  ::chmod(path("etc").c_str(), 0777);
  refused(again, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a symbolic link as policy file") {
  const auto command = approved_mark();
  fs::rename(policy_file(), path("elsewhere.toml"));
  fs::create_symlink(path("elsewhere.toml"), policy_file());
  refused(command, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a symbolic link as policy folder") {
  const auto command = approved_mark();
  fs::rename(path("etc/policy.d"), path("elsewhere"));
  fs::create_directory_symlink(path("elsewhere"), path("etc/policy.d"));
  refused(command, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a pipe as policy file: it is not waited for") {
  const auto command = approved_mark();
  fs::remove(policy_file());
  REQUIRE(::mkfifo(policy_file().c_str(), 0644) == 0);
  refused(command, "policy_unreadable");
}

TEST_CASE_FIXTURE(AttackRig, "a policy that does not enable commands") {
  const auto command = approved_mark();
  write_policy(site_policy("max_tier = 2\n"));
  refused(command, "policy");
}

TEST_CASE_FIXTURE(AttackRig, "an action above the tier that the policy allows") {
  const auto command = approved_mark();
  write_policy(site_policy("enabled = true\nmax_tier = 1\n"));
  refused(command, "policy");
}

TEST_CASE_FIXTURE(AttackRig, "a target that the policy does not name") {
  const auto command = approved_mark();
  write_policy(site_policy("", "[[allow]]\naction = \"runbook\"\ntargets = [\"runbook/m\"]\n"));
  refused(command, "policy");
}

TEST_CASE_FIXTURE(AttackRig, "a command outside of the policy's hours") {
  const auto command = approved_mark();  // 2027-01-15T08:00:00Z, a Friday
  write_policy(site_policy("",
                           "[[allow]]\naction = \"runbook\"\ntargets = [\"**\"]\n"
                           "windows = [\"Sat,Sun 00:00-24:00\", \"Fri 09:00-10:00\"]\n"));
  refused(command, "window");
}

TEST_CASE_FIXTURE(AttackRig, "more commands in an hour than the policy allows") {
  write_policy(site_policy("enabled = true\nmax_tier = 2\ncooldown = \"0s\"\nmax_per_hour = 2\n"));
  const auto intent = looked_at(mark_intent());
  executed(approved(intent));
  executed(approved(intent));
  refused(approved(intent), "rate");
}

TEST_CASE_FIXTURE(AttackRig, "the same target again before its cool-down is over") {
  write_policy(site_policy("enabled = true\nmax_tier = 2\ncooldown = \"1h\"\n"));
  const auto intent = looked_at(mark_intent());
  executed(approved(intent));
  refused(approved(intent), "cooldown");
  restart();
  refused(approved(intent), "cooldown");
}

TEST_CASE_FIXTURE(AttackRig, "a policy that asks for more persons than approved") {
  const auto command = approved_mark();
  write_policy("[approvals]\ntier2 = 3\n");
  write_policy(site_policy("enabled = true\nmax_tier = 2\n[approvals]\ntier2 = 3\n"));
  refused(command, "approval_missing");
}

TEST_CASE_FIXTURE(AttackRig, "a policy that changed since the plan was simulated") {
  auto command = approved_mark();
  const auto hash = text::from_hex(status().policy_hash);
  REQUIRE(hash);
  std::copy(hash->begin(), hash->end(), command.policy.begin());
  write_policy(site_policy() + "# changed\n");
  refused(command, "policy");
}

TEST_CASE_FIXTURE(AttackRig, "the kill switch, whatever kind of file it is") {
  const auto intent = looked_at(mark_intent());
  const std::string off = path("etc/DISABLE_COMMANDS");
  std::ofstream(off).close();
  refused(approved(intent), "disabled");
  CHECK(status().state == "disabled");
  looked_at(mark_intent());  // Looking is allowed
  fs::remove(off);
  fs::create_symlink("/nowhere", off);
  refused(approved(intent), "disabled");
  fs::remove(off);
  fs::create_directory(off);
  refused(approved(intent), "disabled");
  fs::remove(off);
  executed(approved(intent));
}

TEST_CASE_FIXTURE(AttackRig, "an action that is in nobody's catalogue") {
  auto root = keys.root_metadata(2);
  root.signers[0].delegation.actions.emplace_back("shell.run");
  REQUIRE(offer_roots({keys.sign_root(root)}).kind == FrameKind::kDone);
  auto intent = keys.intent("shell.run", {{"command", std::string("touch " + path("marker"))}});
  intent.tier = 1;
  intent.state.fill(1);
  intent.diff.fill(1);
  refused(approved(intent), "unknown_action");
}

namespace {

// A rule of the owner about `parameter`, and commands that leave it out or give it.
struct Limited {
  const char* action;
  const char* target;
  const char* parameter;
  const char* range;
  wire::Parameters parameters;
  std::int64_t allowed;
};

std::string rule_of(const Limited& one) {
  return std::string("[[allow]]\naction = \"") + one.action + "\"\ntargets = [\"" + one.target +
         "\"]\n[allow.parameters." + one.parameter + "]\n" + one.range + "\n";
}

}  // namespace

TEST_CASE_FIXTURE(AttackRig,
                  "a parameter that the policy limits is left out, for its default to pass") {
  const std::string none = "no-such-thing";
  const Limited rows[] = {
      {"docker.prune", "docker", "older_than_h", "min = 168", {}, 168},
      {"docker.stop", "container/**", "stop_timeout_s", "min = 60", {{"container", none}}, 60},
      {"docker.restart", "container/**", "stop_timeout_s", "min = 60", {{"container", none}}, 60},
      {"process.terminate",
       "process/**",
       "kill_after_s",
       "max = 0",
       {{"pid", std::int64_t{4'194'304}}, {"start_ticks", std::int64_t{1}}},
       0},
      {"cache.clear",
       "cache/**",
       "database",
       "min = 3\nmax = 3",
       {{"cache", none}, {"prefix", std::string("a:")}},
       3},
      {"cache.clear",
       "cache/**",
       "max_keys",
       "max = 1000",
       {{"cache", none}, {"prefix", std::string("a:")}},
       1000},
  };
  for (const auto& row : rows) {
    CAPTURE(row.action);
    CAPTURE(row.parameter);
    write_policy(site_policy("", rule_of(row)));
    auto intent = keys.intent(row.action, row.parameters);
    intent.state.fill(1);
    intent.diff.fill(1);
    refused(approved(intent), "policy");
    refused(addressed(keys.dry_run(keys.intent(row.action, row.parameters))), "policy");
    // Said, and within the range: whatever else is missing here, it is not the rule.
    intent.parameters[row.parameter] = row.allowed;
    const auto result = deliver(sign(approved(intent)));
    CHECK_MESSAGE(result.message.find(row.parameter) == std::string::npos, result.message);
  }
}

TEST_CASE_FIXTURE(AttackRig,
                  "an optional parameter of a runbook that the policy limits is left out") {
  write_program("choose", "echo began >> '" + path("marker") + "'\n");
  const std::string rule =
      "[[allow]]\naction = \"runbook\"\ntargets = [\"runbook/*\"]\n"
      "[allow.parameters.what]\nchoices = [\"two\"]\n";
  auto policy = site_policy("", rule);
  const std::string choices = "choices = [\"one\", \"two\"]\n";
  policy.insert(policy.find(choices) + choices.size(), "required = false\n");
  write_policy(policy);
  auto intent = keys.intent("runbook", {{"runbook", std::string("choose")}});
  refused(addressed(keys.dry_run(intent)), "policy");
  const auto blindly = [](wire::Intent unseen) {
    unseen.state.fill(1);
    unseen.diff.fill(1);
    return unseen;
  };
  refused(approved(blindly(intent)), "policy");
  intent.parameters["what"] = std::string("one");
  refused(approved(blindly(intent)), "policy");
  intent.parameters["what"] = std::string("two");
  executed(approved(looked_at(intent)));
}
