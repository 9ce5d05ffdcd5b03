#include "agent/app/commands.h"

#include <doctest/doctest.h>

#include <filesystem>

#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

struct CommandLine {
  explicit CommandLine(std::vector<std::string> arguments) : words(std::move(arguments)) {
    for (auto& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
  }
  int run() { return run_agent_program(static_cast<int>(words.size()), argv.data()); }

  std::vector<std::string> words;
  std::vector<char*> argv;
};

}  // namespace

TEST_CASE("a token does not stay on the command line") {
  CommandLine line({"observeai-agent", "enroll", "oai1.id.secret", "-c", "/no/such/file"});
  CHECK(line.run() == kUsage);
  CHECK(line.words[2] == std::string(14, 'x'));
}

TEST_CASE("without a token nothing is made on this host") {
  const test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "agent.toml", "state_dir = \"" + (dir / "state") + "\"", 0600));
  CommandLine line({"observeai-agent", "enroll", "--quiet", "-c", dir / "agent.toml",
                    "--token-file", dir / "none"});
  CHECK(line.run() == kFailed);
  CHECK_FALSE(std::filesystem::exists(dir / "state"));
}

TEST_CASE("--version works without a command; a token comes from one place only") {
  CHECK(CommandLine({"observeai-agent", "--version"}).run() == kOk);
  CHECK(CommandLine({"observeai-agent", "--versoin"}).run() == kUsage);
  CHECK(CommandLine({"observeai-agent", "enroll", "oai1.x", "--token-file", "f"}).run() == kUsage);
}
