#include "agent/app/agent.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

#include "tests/support/temp_dir.h"
#include "tests/support/test_root.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

// A host that is enrolled at a control plane that does not answer.
Identity identity_of_a_host(const std::string& agent) {
  return Identity{AgentId::parse(agent).value(),
                  TenantId::parse("home").value(),
                  0,
                  {"127.0.0.1", 1, std::string(64, 'a')},
                  {{"127.0.0.1", 1}},
                  pki::PrivateKey::generate().value(),
                  pki::Certificate(),
                  "",
                  signing::generate_key_agreement_pair(),
                  signing::generate_key_agreement_pair().public_key,
                  signing::SigningKeyPair::generate(),
                  test::TestRoot().envelope(1),
                  true};
}

std::unique_ptr<Agent> agent_in(const test::TempDir& dir, const std::string& id = "agent-1") {
  AgentConfig config;
  config.state_dir = dir.path();
  config.docker_socket = dir / "docker.sock";
  config.spool_min_free_mib = 1;
  config.executor_socket = dir / "executor.sock";
  auto agent = Agent::create(config, IdentityStore(dir / "identity"), identity_of_a_host(id));
  if (!agent) FAIL(agent.error().message());
  return std::move(*agent);
}

// SIGTERM for this process as soon as somebody waits for it.
void terminate_when_running() {
  struct sigaction now {};
  do {
    std::this_thread::yield();
    ::sigaction(SIGTERM, nullptr, &now);
  } while (now.sa_handler == SIG_DFL);
  ::kill(::getpid(), SIGTERM);
}

}  // namespace

// What these two show, a sanitizer sees: nothing of the agent outlives what it refers to.
TEST_CASE("an agent that never ran is taken apart") {
  const test::TempDir dir;
  agent_in(dir).reset();
}

TEST_CASE("an agent that ran ends on SIGTERM and is taken apart") {
  const test::TempDir dir;
  auto agent = agent_in(dir);
  std::thread stopper(terminate_when_running);
  CHECK(agent->run());
  stopper.join();
  agent.reset();
  CHECK(std::filesystem::exists(dir / "spool/manifest"));
}

TEST_CASE("what an earlier identity left is put aside, not sent under another name") {
  const test::TempDir dir;
  const auto aside = [&] { return std::filesystem::exists(dir / "spool/spool.aside-1/manifest"); };
  agent_in(dir, "agent-1").reset();
  agent_in(dir, "agent-1").reset();
  CHECK_FALSE(aside());
  agent_in(dir, "agent-2").reset();
  CHECK(aside());
  agent_in(dir, "agent-2").reset();
  CHECK_FALSE(std::filesystem::exists(dir / "spool/spool.aside-2"));
}
