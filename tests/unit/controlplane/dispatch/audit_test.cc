// What plans and hosts leave in the audit log.
#include "tests/unit/controlplane/dispatch/dispatch_fixture.h"

using namespace observeai;
using namespace observeai::controlplane::dispatch_test;

namespace {

std::vector<model::AuditEntry> entries(DispatchFixture& f, const std::string& kind) {
  std::vector<model::AuditEntry> out;
  for (auto& entry : must(f.store->audit().list(0, 1'000))) {
    if (entry.action == kind) out.push_back(std::move(entry));
  }
  return out;
}

bool says(const model::AuditEntry& entry, const std::string& text) {
  return entry.detail.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("a signer that refuses is in the audit log, with host and reason") {
  DispatchFixture f(2);
  std::string id;
  SUBCASE("a dry run") {
    f.signer.refuses = true;
    id = f.create(f.restart_web());
    f.settle();
  }
  SUBCASE("a command") {
    id = f.create(f.restart_web());
    f.settle();
    CHECK(entries(f, "signer.refuse").empty());
    f.signer.refuses = true;
    f.approve(id);
    f.settle();
  }
  const auto refused = entries(f, "signer.refuse");
  REQUIRE(refused.size() == 1);
  CHECK(refused[0].object == id);
  CHECK(says(refused[0], "web-1: out of delegation"));
}

TEST_CASE("a signer that states no time for a host is in the audit log, once a day") {
  DispatchFixture f;
  wire::Bytes16 challenge{};
  const auto ask = [&] {
    ++challenge[0];
    f.hello(f.hosts[0], challenge);
    f.settle();
    return entries(f, "signer.refuse").size();
  };
  f.signer.states_no_time = true;
  CHECK(ask() == 1);
  CHECK(ask() == 1);
  const auto refused = entries(f, "signer.refuse");
  CHECK(refused[0].object == "web-1");
  CHECK(says(refused[0], "time: clock: it jumped"));
  for (int i = 0; i < 100; ++i) {  // As one that asks more often than the signer's rate allows
    f.signer.states_no_time = i % 2 == 0;
    CHECK(ask() == 1);
  }
  f.signer.states_no_time = true;
  f.clock.advance(std::chrono::hours(24));
  CHECK(ask() == 2);
}

TEST_CASE("a signer that is away is no refusal") {
  DispatchFixture f;
  f.signer.is_away = true;
  f.create(f.restart_web());
  f.settle();
  CHECK(entries(f, "signer.refuse").empty());
}

TEST_CASE("a host whose policy or kill switch changes is in the audit log") {
  DispatchFixture f;
  auto& host = f.hosts[0];
  const auto hello = [&](std::uint8_t policy, const char* state) {
    host.policy = policy;
    host.executor_state = state;
    f.hello(host);
    f.step();
    return entries(f, "host.policy").size();
  };
  CHECK(hello(0xaa, "ready") == 0);  // As it began
  CHECK(hello(0xbb, "ready") == 1);
  CHECK(hello(0xbb, "ready") == 1);
  f.clock.advance(std::chrono::minutes(5));
  CHECK(hello(0xbb, "disabled") == 2);
  // What changes while the control plane is down is noticed by the next one.
  f.clock.advance(std::chrono::minutes(5));
  f.restart();
  CHECK(hello(0xcc, "ready") == 3);
  const auto told = entries(f, "host.policy");
  CHECK(told[0].actor == "agent:web-1");
  CHECK(says(told[0], "policy aaaaaaaaaaaa -> bbbbbbbbbbbb"));
  CHECK_FALSE(says(told[0], "executor"));
  CHECK(says(told[1], "executor ready -> disabled"));
  CHECK(says(told[2], "policy bbbbbbbbbbbb -> cccccccccccc; executor disabled -> ready"));
}

TEST_CASE("a host that changes its word all the time writes one entry a minute") {
  DispatchFixture f;
  f.step();
  for (int second = 0; second < 119; ++second) {
    f.hosts[0].policy = static_cast<std::uint8_t>(second);
    f.hello(f.hosts[0]);
    f.step();
    f.clock.advance(std::chrono::seconds(1));
  }
  CHECK(entries(f, "host.policy").size() == 2);
}
