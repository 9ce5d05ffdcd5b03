#include "agent/app/executor_handover.h"

#include "agent/executor/trust.h"
#include "tests/support/test_root.h"
#include "tests/unit/agent/enroll/host_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::test;

namespace {

struct EnrolledHost {
  ControlPlane plane;
  TestHost host{plane};
  TestRoot root;
  TempDir dir;
  std::string trust = dir / "executor/trust";

  EnrolledHost() {
    REQUIRE(host.run_with(plane.token()).active);
    pin(root.envelope(1));
  }
  void pin(const std::string& envelope) {
    auto identity = host.store.load().value();
    identity.root_metadata = envelope;
    REQUIRE(host.store.save(identity));
  }
  Identity identity() const { return host.store.load().value(); }
};

}  // namespace

TEST_CASE("what the executor trusts is written, and the result key leaves the agent") {
  EnrolledHost f;
  const auto before = f.identity();
  REQUIRE(before.result_key);
  CHECK(hand_over_to_executor(f.trust, f.host.store).value());
  const auto trust = executor::Trust::open(f.trust, ::geteuid());
  REQUIRE(trust);
  CHECK(trust->agent() == before.agent);
  CHECK(trust->tenant() == before.tenant);
  CHECK(trust->result_key().public_key() == before.result_key->public_key());
  CHECK(trust->root().version == 1);
  CHECK_FALSE(f.identity().result_key);

  // There is nothing left to hand over, and what is there stays.
  CHECK_FALSE(hand_over_to_executor(f.trust, f.host.store).value());
  CHECK(executor::Trust::open(f.trust, ::geteuid()));
}

TEST_CASE("a hand-over that fails changes nothing of the agent's, and can be repeated") {
  EnrolledHost f;
  const auto key = f.identity().result_key->public_key();
  std::string folder = f.trust;
  SUBCASE("no folder can be made there") {
    REQUIRE(files::write_atomic(f.dir / "file", "", 0600));
    folder = f.dir / "file/trust";
  }
  SUBCASE("a folder stands where the last file belongs") {
    std::filesystem::create_directories(f.trust + "/trust.json/full");
  }
  SUBCASE("the pinned root metadata is none") {
    f.pin("rubbish");
  }
  CHECK_FALSE(hand_over_to_executor(folder, f.host.store));
  CHECK_FALSE(executor::Trust::open(folder, ::geteuid()));
  REQUIRE(f.identity().result_key);
  CHECK(f.identity().result_key->public_key() == key);

  f.pin(f.root.envelope(1));
  std::filesystem::remove_all(f.trust);
  CHECK(hand_over_to_executor(f.trust, f.host.store).value());
  CHECK(executor::Trust::open(f.trust, ::geteuid())->result_key().public_key() == key);
}
