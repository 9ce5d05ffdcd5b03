#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;

namespace {

std::optional<wire::Meta> last_meta(DispatchFixture& f) {
  for (auto it = f.down.sent.rbegin(); it != f.down.sent.rend(); ++it) {
    if (must(topics::parse(it->topic)).channel != topics::Channel::kMeta) continue;
    const auto keys = must(signing::agent_session_keys(f.hosts[0].sealing, f.sealing.public_key));
    return must(wire::decode_meta(must(wire::open_meta(it->payload, f.hosts[0].id, keys.down))));
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a hello that lacks nothing is not answered") {
  DispatchFixture f;
  f.step();
  CHECK(f.down.sent.empty());
}

TEST_CASE("a hello is answered with the root metadata that its host does not have") {
  DispatchFixture f;
  f.hello(f.hosts[0]);
  f.roots.root.version = 3;
  f.step();
  const auto meta = last_meta(f);
  REQUIRE(meta);
  CHECK(meta->roots == std::vector<std::string>{"root 2", "root 3"});
  CHECK(meta->time == "");
}

TEST_CASE("a challenge is answered with the signed time of this moment") {
  DispatchFixture f;
  wire::Bytes16 challenge;
  challenge.fill(5);
  f.hello(f.hosts[0], challenge);
  f.step();
  const auto meta = last_meta(f);
  REQUIRE(meta);
  const auto time = must(wire::decode_time(must(wire::decode_envelope(meta->time)).payload));
  CHECK(time.agent == f.hosts[0].id);
  CHECK(time.challenge == challenge);
  CHECK(time.unix_ms == f.clock.unix_ms());
}

TEST_CASE("a signer that states no time does not keep root metadata from a host") {
  DispatchFixture f;
  wire::Bytes16 challenge;
  challenge.fill(5);
  f.hello(f.hosts[0], challenge);
  f.roots.root.version = 2;
  f.signer.states_no_time = true;
  f.step();
  const auto meta = last_meta(f);
  REQUIRE(meta);
  CHECK(meta->roots == std::vector<std::string>{"root 2"});
  CHECK(meta->time == "");
}

TEST_CASE("a command is valid from a minute before it was made: clocks differ") {
  DispatchFixture f;
  f.create(f.restart_web());
  f.settle();
  REQUIRE(f.hosts[0].received.size() == 1);
  const auto& command = f.hosts[0].received[0];
  CHECK(command.issued_ms == f.clock.unix_ms());
  CHECK(command.not_before_ms == f.clock.unix_ms() - 60'000);
}

TEST_CASE("a newer audit head goes down, and into commands") {
  DispatchFixture f;
  f.heads.head.head.seq = 12;
  f.heads.head.head.hash.fill(3);
  f.heads.head.envelope = must(f.signer.sign_audit_head(f.heads.head.head));
  f.hello(f.hosts[0]);
  f.create(f.restart_web());
  f.settle();
  const auto meta = last_meta(f);
  REQUIRE(meta);
  CHECK(meta->audit_head == f.heads.head.envelope);
  REQUIRE(f.hosts[0].received.size() == 1);
  CHECK(f.hosts[0].received[0].audit_seq == 12);
}

TEST_CASE("a host that knows more of the audit log than there is hears of the shorter one") {
  DispatchFixture f;
  f.heads.head.head.seq = 12;
  f.heads.head.head.hash.fill(3);
  f.heads.head.envelope = must(f.signer.sign_audit_head(f.heads.head.head));
  wire::Digest other;
  other.fill(4);
  SUBCASE("a higher number") {
    f.hello(f.hosts[0], {}, 20, other);
  }
  SUBCASE("the same number with another hash") {
    f.hello(f.hosts[0], {}, 12, other);
  }
  f.step();
  const auto meta = last_meta(f);
  REQUIRE(meta);
  CHECK(meta->audit_head == f.heads.head.envelope);
}

TEST_CASE("a head that the host knows is not told again") {
  DispatchFixture f;
  f.heads.head.head.seq = 12;
  f.heads.head.head.hash.fill(3);
  f.heads.head.envelope = must(f.signer.sign_audit_head(f.heads.head.head));
  f.hello(f.hosts[0], {}, 12, f.heads.head.head.hash);
  f.step();
  CHECK_FALSE(last_meta(f));
}

TEST_CASE(
    "root metadata that came into force after the hello goes before the command that names it") {
  DispatchFixture f;
  f.step();
  f.roots.root.version = 2;
  f.create(f.restart_web());
  f.settle();
  std::vector<topics::Channel> sent;
  for (const auto& message : f.down.sent)
    sent.push_back(must(topics::parse(message.topic)).channel);
  REQUIRE(sent.size() >= 2);
  CHECK(sent[0] == topics::Channel::kMeta);
  CHECK(sent[1] == topics::Channel::kCommand);
  CHECK(last_meta(f)->roots == std::vector<std::string>{"root 2"});
}

TEST_CASE("a policy that was edited after the hello and before the dry run did not change since") {
  DispatchFixture f;
  f.hosts[0].policy = 0xbb;
  const auto id = f.create(f.restart_web());
  f.settle();
  CHECK(f.state(id) == PlanState::kSimulated);
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 1);
}

TEST_CASE("a hello that was made after the dry run tells of a policy that changed since") {
  DispatchFixture f;
  const auto id = f.create(f.restart_web());
  f.settle();
  REQUIRE(f.state(id) == PlanState::kSimulated);
  f.hosts[0].policy = 0xbb;
  SUBCASE("by the executor that made the dry run") {}
  SUBCASE("by one that was started anew and forgot its numbers") {
    f.hosts[0].session = 2;
    f.hosts[0].received.clear();
  }
  f.hello(f.hosts[0]);
  f.approve(id);
  f.settle();
  CHECK(f.executions() == 0);
  CHECK(f.state(id) == PlanState::kApproved);
  CHECK(f.show(id).plan.detail.find("policy changed") != std::string::npos);
}
