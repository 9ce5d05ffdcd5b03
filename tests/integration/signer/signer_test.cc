// The real program: its socket, who may ask, and what it still knows when it was killed.
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>

#include <doctest/doctest.h>

#include "controlplane/signer/refusal.h"
#include "tests/integration/signer/signer_program.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {

constexpr uid_t kNobody = 65'534;

Batch batch_now(std::size_t size, std::uint64_t seq) {
  Batch batch;
  batch.size = size;
  batch.seq = seq;
  batch.now_ms = SignerProgram::now_ms();
  return batch;
}

std::string word(const Error& error) {
  return std::string(signer::word_of(error.message()));
}

}  // namespace

TEST_CASE(
    "the client asks for everything, in frames of bounded size, and finds the program again") {
  SignerProgram program;
  SignerClient client({program.socket()});
  CHECK(client.status().value().signer_key == program.acme.signer.public_key());
  wire::TimeStatement time;
  time.agent = AgentId::parse("host-1").value();
  time.challenge.fill(3);
  CHECK(word(client.sign_time(time).error()) == "no_root");
  REQUIRE(client.take_roots(std::vector{program.root()}));

  const auto batch = batch_now(2500, 1);
  auto asked = encoded(batch.commands({Batch::sign(batch.approval(), program.acme.ada)}));
  asked[1700] = "junk";
  const auto outcomes = client.sign_commands(asked).value();
  REQUIRE(outcomes.size() == asked.size());
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (i == 1700) {
      CHECK(word(outcomes[i].error()) == "malformed");
      continue;
    }
    REQUIRE(outcomes[i]);
    REQUIRE(wire::decode_envelope(*outcomes[i]).value().payload == asked[i]);
  }
  wire::AuditHead head;
  head.seq = 7;
  head.hash.fill(1);
  CHECK(client.sign_audit_head(head));
  CHECK(client.sign_time(time));
  REQUIRE(client.revoke_agent(time.agent));

  CHECK(program.kill(SIGTERM) == 0);
  CHECK(client.status().error().code() == Errc::kUnavailable);
  program.start();
  CHECK(word(client.sign_commands(asked).value()[0].error()) == "sequence");
  head.hash.fill(2);
  CHECK(word(client.sign_audit_head(head).error()) == "audit_rewritten");
  CHECK(word(client.sign_time(time).error()) == "revoked");
  CHECK(client.status().value().root_version == 1);
  CHECK(program.log().find("refused") != std::string::npos);
}

TEST_CASE("another user may not ask") {
  if (::geteuid() != 0) return;  // Only root can become somebody else
  SignerProgram program;
  const auto asks = [&](uid_t uid) {
    const pid_t child = ::fork();
    if (child == 0) {
      if (::setresuid(uid, uid, uid) != 0) ::_exit(3);
      SignerClient client({program.socket(), std::chrono::milliseconds(2000)});
      ::_exit(client.status() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  // The folder of the test is closed to others; the socket itself decides.
  REQUIRE(::chmod(program.socket().substr(0, program.socket().rfind('/')).c_str(), 0755) == 0);
  CHECK(asks(0) == 0);
  CHECK(asks(kNobody) == 1);
  CHECK(program.log().find("a process of user 65534 may not ask") != std::string::npos);
  SignerProgram other("client = \"65534\"\n");
  REQUIRE(::chmod(other.socket().substr(0, other.socket().rfind('/')).c_str(), 0755) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    if (::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(3);
    SignerClient client({other.socket(), std::chrono::milliseconds(2000)});
    ::_exit(client.status() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("killed again and again while it signs, it signs no sequence twice") {
  SignerProgram program(
      "[commands]\nagent_per_minute = 1000000\nagent_per_hour = 1000000\n"
      "tenant_per_minute = 1000000\ntenant_per_hour = 1000000\n");
  SignerClient setup({program.socket()});
  REQUIRE(setup.take_roots(std::vector{program.root()}));
  std::uint64_t highest_signed = 0;
  std::uint64_t asked = 0;
  for (int round = 0; round < 12; ++round) {
    std::atomic<bool> over{false};
    std::thread asker([&] {
      SignerClient client({program.socket(), std::chrono::milliseconds(2000)});
      while (!over) {
        const auto batch = batch_now(1, asked + 1);
        const auto outcome = client.sign_commands(encoded({batch.dry_run()}));
        ++asked;
        if (!outcome) return;
        REQUIRE_MESSAGE((*outcome)[0], (*outcome)[0].error().message());
        highest_signed = asked;
      }
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20 + 7 * round));
    program.kill(SIGKILL);
    over = true;
    asker.join();
    program.start();
    SignerClient client({program.socket()});
    // Everything that was handed out is refused for good. What was on its way may be refused too.
    const auto again =
        client.sign_commands(encoded({batch_now(1, highest_signed).dry_run()})).value();
    REQUIRE_FALSE(again[0]);
    CHECK(word(again[0].error()) == "sequence");
  }
  CHECK(highest_signed > 20);
}

TEST_CASE("connections that say nothing, too much or nonsense are ended, and the others served") {
  SignerProgram program;
  SignerClient client({program.socket()});
  REQUIRE(client.take_roots(std::vector{program.root()}));
  auto nonsense = signer::connect_to(program.socket()).value();
  const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::seconds(5); };
  REQUIRE(signer::send_all(nonsense.get(), std::string("\xFF\xFF\xFF\x7F", 4), soon()));
  std::string buffer;
  CHECK(signer::receive_some(nonsense.get(), buffer, soon()).error().code() == Errc::kUnavailable);
  std::vector<signer::Descriptor> idle;
  for (std::size_t i = 0; i < 40; ++i) {
    if (auto one = signer::connect_to(program.socket())) idle.push_back(std::move(*one));
  }
  CHECK(client.status());  // Its connection is one of the sixteen
  SignerClient late({program.socket(), std::chrono::milliseconds(2000)});
  CHECK_FALSE(late.status());
  idle.clear();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!late.status() && std::chrono::steady_clock::now() < end) {
  }
  CHECK(late.status());
}

TEST_CASE("a folder that others can look into is no place for keys") {
  SignerProgram program;
  program.kill(SIGTERM);
  const auto folder = program.socket().substr(0, program.socket().rfind('/')) + "/state";
  REQUIRE(::chmod(folder.c_str(), 0755) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(OBSERVEAI_SIGNER, OBSERVEAI_SIGNER, "run", "--config", program.config().c_str(),
            nullptr);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 1);
}
