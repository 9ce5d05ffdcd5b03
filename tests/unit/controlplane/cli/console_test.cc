// The command line itself: what is accepted where, and what a wrong one is answered.
#include "controlplane/cli/console.h"

#include <iostream>
#include <sstream>
#include <vector>

#include <doctest/doctest.h>

namespace observeai::controlplane::cli {
namespace {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// With a login file that does not exist: every command that was understood ends in kNotAllowed.
Outcome run(std::vector<std::string> words, const std::string& input = "") {
  if (!words.empty()) words.insert(words.begin(), {"--login-file", "/nonexistent/console.json"});
  words.insert(words.begin(), "observeai");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::ostringstream out;
  std::ostringstream err;
  std::istringstream in(input);
  auto* old_out = std::cout.rdbuf(out.rdbuf());
  auto* old_err = std::cerr.rdbuf(err.rdbuf());
  auto* old_in = std::cin.rdbuf(in.rdbuf());
  Outcome outcome;
  outcome.code = run_console(static_cast<int>(argv.size() - 1), argv.data());
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  std::cin.rdbuf(old_in);
  std::cin.clear();
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

TEST_CASE("alone it lists its commands") {
  const auto bare = run({});
  CHECK(bare.code == kUsage);
  for (const char* command : {"status", "containers", "login", "token"})
    CHECK(bare.out.find(command) != std::string::npos);
}

TEST_CASE("--json stands before the command or after it") {
  CHECK(run({"--json", "status"}).code == kNotAllowed);
  CHECK(run({"status", "--json"}).code == kNotAllowed);
  CHECK(run({"--json", "token", "list"}).code == kNotAllowed);
  CHECK(run({"--json"}).code == kUsage);
  const auto version = run({"--json", "version"});
  CHECK(version.code == kOk);
  CHECK(version.out.find("\"control_plane\": null") != std::string::npos);
}

TEST_CASE("a login text comes on standard input, out of other users' sight") {
  const auto wrong = run({"login", "-"}, "nonsense\n");
  CHECK(wrong.code == kUsage);
  CHECK(wrong.err.find("this is not a login text") != std::string::npos);
  CHECK(run({"--json", "login", "-"}, "").code == kUsage);
  CHECK(run({"login", "--json", "nonsense"}).code == kUsage);
  const auto help = run({"login", "--help"});
  CHECK(help.code == kOk);
  CHECK(help.out.find("process list") != std::string::npos);
}

}  // namespace
}  // namespace observeai::controlplane::cli
