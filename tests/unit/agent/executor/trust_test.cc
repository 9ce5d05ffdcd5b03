#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "agent/executor/trust.h"
#include "protocol/base/files.h"
#include "tests/support/command_rig.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::CommandRig;
using observeai::test::TempDir;

namespace {

void enroll(const TempDir& dir, const CommandRig& rig) {
  const auto root = rig.sign_root(rig.root_metadata());
  const auto written = write_trust(
      dir / "trust", {rig.agent, rig.tenant, rig.result_key, root, signing::sha256_hex(root)});
  REQUIRE_MESSAGE(written, (written ? "" : written.error().message()));
}

Errc refused(const TempDir& dir) {
  const auto trust = Trust::open(dir / "trust", ::geteuid());
  REQUIRE(!trust);
  return trust.error().code();
}

}  // namespace

TEST_CASE("what was written at enrollment is read again") {
  TempDir dir;
  CommandRig rig;
  CHECK(refused(dir) == Errc::kNotFound);
  enroll(dir, rig);
  const auto trust = Trust::open(dir / "trust", ::geteuid());
  REQUIRE(trust);
  CHECK(trust->agent() == rig.agent);
  CHECK(trust->tenant() == rig.tenant);
  CHECK(trust->result_key().public_key() == rig.result_key.public_key());
  CHECK(trust->enrollment() == wire::enrollment_id(rig.result_key.public_key()));
  CHECK(trust->root() == rig.root_metadata());
}

TEST_CASE("a root that the token does not name is not pinned") {
  TempDir dir;
  CommandRig rig;
  const auto root = rig.sign_root(rig.root_metadata());
  auto other = rig.root_metadata();
  other.expires_ms += 1;
  CHECK(!write_trust(dir / "trust", {rig.agent, rig.tenant, rig.result_key, rig.sign_root(other),
                                     signing::sha256_hex(root)}));
  CHECK(refused(dir) == Errc::kNotFound);
}

TEST_CASE("roots are walked one by one, and the walk survives a start") {
  TempDir dir;
  CommandRig rig;
  enroll(dir, rig);
  {
    auto trust = *Trust::open(dir / "trust", ::geteuid());
    CHECK(!trust.take_root(rig.sign_root(rig.root_metadata(3))));  // Skips one
    REQUIRE(trust.take_root(rig.sign_root(rig.root_metadata(2))));
    REQUIRE(trust.take_root(rig.sign_root(rig.root_metadata(2))));  // In force already
    REQUIRE(trust.take_root(rig.sign_root(rig.root_metadata(3))));
    CHECK(!trust.take_root(rig.sign_root(rig.root_metadata(2))));  // Back
    CHECK(!trust.take_root("no envelope"));
    auto weak = rig.root_metadata(4);
    CHECK(!trust.take_root(test::sign(signing::kRootType, wire::encode_root(weak), {rig.root_a})));
    CHECK(trust.root().version == 3);
  }
  CHECK(Trust::open(dir / "trust", ::geteuid())->root().version == 3);
}

TEST_CASE("another enrollment forgets the roots of the one before") {
  TempDir dir;
  CommandRig rig;
  enroll(dir, rig);
  REQUIRE(Trust::open(dir / "trust", ::geteuid())->take_root(rig.sign_root(rig.root_metadata(2))));
  rig.agent = *AgentId::parse("agent-2");
  enroll(dir, rig);
  const auto trust = Trust::open(dir / "trust", ::geteuid());
  REQUIRE(trust);
  CHECK(trust->agent() == rig.agent);
  CHECK(trust->root().version == 1);
}

TEST_CASE("files that somebody else could have written are not believed") {
  TempDir dir;
  CommandRig rig;
  enroll(dir, rig);
  for (const char* name : {"trust.json", "result.key", "root.v1"}) {
    CAPTURE(name);
    const std::string path = dir / ("trust/" + std::string(name));
    ::chmod(path.c_str(), 0620);
    CHECK(refused(dir) == Errc::kDenied);
    ::chmod(path.c_str(), 0602);
    CHECK(refused(dir) == Errc::kDenied);
    ::chmod(path.c_str(), 0600);
    std::filesystem::rename(path, dir / "aside");
    REQUIRE(::symlink((dir / "aside").c_str(), path.c_str()) == 0);
    CHECK(refused(dir) == Errc::kDenied);
    ::unlink(path.c_str());
    std::filesystem::rename(dir / "aside", path);
    CHECK(Trust::open(dir / "trust", ::geteuid()));
  }
  ::chmod((dir / "trust").c_str(), 0770);
  CHECK(refused(dir) == Errc::kDenied);
  ::chmod((dir / "trust").c_str(), 0700);
  ::chmod(dir.path().c_str(), 0777);
  CHECK(refused(dir) == Errc::kDenied);
  ::chmod(dir.path().c_str(), 0700);
  std::filesystem::rename(dir / "trust", dir / "elsewhere");
  REQUIRE(::symlink((dir / "elsewhere").c_str(), (dir / "trust").c_str()) == 0);
  CHECK(refused(dir) == Errc::kDenied);
}

TEST_CASE("files of another user are not believed" * doctest::skip(::geteuid() != 0)) {
  TempDir dir;
  CommandRig rig;
  enroll(dir, rig);
  REQUIRE(::chown((dir / "trust/trust.json").c_str(), 1000, 1000) == 0);
  CHECK(refused(dir) == Errc::kDenied);
  CHECK(Trust::open(dir / "trust", 1000));  // Root's are fine for everybody
}

TEST_CASE("a changed root file is noticed") {
  TempDir dir;
  CommandRig rig;
  enroll(dir, rig);
  auto other = rig.root_metadata();
  other.signers[0].key = rig.stranger.public_key();
  REQUIRE(files::write_atomic(dir / "trust/root.v1", rig.sign_root(other), 0600));
  CHECK(refused(dir) == Errc::kDenied);
}
