#include "agent/enroll/identity.h"

#include <doctest/doctest.h>

#include "tests/unit/agent/enroll/host_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::test;

namespace {
struct EnrolledHost {
  EnrolledHost() : host(plane) { REQUIRE(host.run_with(plane.token()).active); }
  std::string file(const std::string& name) const { return host.store.folder() + "/" + name; }
  ControlPlane plane;
  TestHost host;
};
}  // namespace

TEST_CASE("a host that is not enrolled says so and what to do") {
  const TempDir dir;
  const auto error = IdentityStore(dir / "none").load().error();
  CHECK(error.code() == Errc::kNotFound);
  CHECK(has(error.message(), "this host is not enrolled"));
  CHECK(has(error.message(), "run: observeai-agent enroll"));
}

TEST_CASE("every file is for its owner alone") {
  EnrolledHost enrolled;
  struct stat info {};
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(enrolled.host.store.folder())) {
    REQUIRE(::stat(entry.path().c_str(), &info) == 0);
    CAPTURE(entry.path());
    CHECK((info.st_mode & 077) == 0);
  }
}

TEST_CASE("each part that is missing or damaged is named, with what to do") {
  for (const std::string name :
       {"tls.pem", "server-ca.pem", "sealing.key", "result.key", "root.metadata"}) {
    EnrolledHost enrolled;
    CAPTURE(name);
    const auto path = enrolled.file(name);
    const auto expect = [&] {
      const auto identity = enrolled.host.store.load();
      REQUIRE_FALSE(identity);
      CHECK(identity.error().code() == Errc::kCorrupt);
      CHECK(has(why(identity), path));
      CHECK(has(why(identity), "enroll again with a new token"));
    };
    if (name != "root.metadata") {
      REQUIRE(files::write_atomic(path, "garbage", 0600));
      expect();
      REQUIRE(files::write_atomic(path, "", 0600));
      expect();
    }
    if (name != "result.key") {
      std::filesystem::remove(path);
      expect();
    }
    const auto report = enrolled.host.run();
    CHECK(failed_step(report).name == "existing identity");
    CHECK(has(failed_step(report).next, "enroll --force"));
  }
}

TEST_CASE("once the executor has the result key, the identity is whole without it") {
  EnrolledHost enrolled;
  REQUIRE(enrolled.host.store.load()->result_key);
  REQUIRE(enrolled.host.store.forget_result_key());
  CHECK_FALSE(files::exists(enrolled.file("result.key")));
  const auto identity = enrolled.host.store.load();
  REQUIRE_MESSAGE(identity, why(identity));
  CHECK_FALSE(identity->result_key);
  REQUIRE(enrolled.host.store.forget_result_key());
  REQUIRE(enrolled.host.store.save(*identity));  // As a renewal would
  CHECK_FALSE(files::exists(enrolled.file("result.key")));
}

TEST_CASE("keys that others may read are refused with the command that mends it") {
  for (const std::string name : {"tls.pem", "sealing.key", "result.key"}) {
    EnrolledHost enrolled;
    const auto path = enrolled.file(name);
    REQUIRE(::chmod(path.c_str(), 0640) == 0);
    const auto identity = enrolled.host.store.load();
    CHECK(identity.error().code() == Errc::kDenied);
    CHECK(has(why(identity), "chmod 600 " + path));
  }
}

TEST_CASE("a damaged identity.json names the field") {
  EnrolledHost enrolled;
  const auto path = enrolled.file("identity.json");
  const auto good = files::read(path).value();
  const auto with = [&](const std::string& from, const std::string& to) {
    auto text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    REQUIRE(files::write_atomic(path, text.replace(at, from.size(), to), 0600));
    const auto identity = enrolled.host.store.load();
    REQUIRE_FALSE(identity);
    CHECK(identity.error().code() == Errc::kCorrupt);
    return why(identity);
  };
  CHECK(has(with("{", "["), "not a JSON object"));
  CHECK(has(with("\"version\":1", "\"version\":2"), "\"version\""));
  CHECK(has(with("\"agent_id\":\"web", "\"agent_id\":\"WEB"), "id must match"));
  CHECK(has(with("\"shard\":", "\"shard\":9"), "\"shard\""));
  CHECK(has(with("\"port\":8443", "\"port\":0"), "\"port\""));
  CHECK(has(with("\"spki_sha256\":\"", "\"spki_sha256\":\"0"), "\"server\""));
  CHECK(has(with("\"brokers\":[", "\"brokers\":[1,"), "\"brokers\""));
  CHECK(has(with("\"confirmed\":true", "\"confirmed\":1"), "\"confirmed\""));
  CHECK(has(with("\"controlplane_public_key\":\"", "\"controlplane_public_key\":\"0"),
            "\"controlplane_public_key\""));
  CHECK(has(with("\"agent_id\":\"web-1", "\"agent_id\":\"web-2"),
            "the certificate is not that of agent web-2"));
}

TEST_CASE("a key from elsewhere does not pass beside the certificate") {
  EnrolledHost enrolled;
  const auto identity = enrolled.host.store.load().value();
  const auto other = pki::PrivateKey::generate().value();
  REQUIRE(files::write_atomic(enrolled.file("tls.pem"), other.to_pem() + identity.certificate.pem,
                              0600));
  CHECK(has(why(enrolled.host.store.load()), "key and certificate do not belong together"));
}

TEST_CASE("what root enrolled belongs to the agent's user, and links lead nowhere") {
  if (::geteuid() != 0) return;  // Nobody else can give files away
  constexpr uid_t kUser = 4242;
  EnrolledHost enrolled;
  const TempDir state;
  const auto owner_of = [](const std::string& path) {
    struct stat info {};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    return info.st_uid;
  };
  REQUIRE(enrolled.host.store.give_to_owner_of(state.path()));
  CHECK(owner_of(enrolled.file("tls.pem")) == 0);  // Of root, as the folder is

  REQUIRE(::chown(state.path().c_str(), kUser, kUser) == 0);
  REQUIRE(enrolled.host.store.keys_for_enrollment("another"));
  REQUIRE(files::write_atomic(state / "of-root", "", 0600));
  REQUIRE(::link((state / "of-root").c_str(), enrolled.file("second-name").c_str()) == 0);
  REQUIRE(::symlink((state / "of-root").c_str(), enrolled.file("link").c_str()) == 0);
  REQUIRE(enrolled.host.store.give_to_owner_of(state.path()));
  for (const char* name : {"", "tls.pem", "identity.json", "next", "next/tls.key"})
    CHECK_MESSAGE(owner_of(enrolled.file(name)) == kUser, name);
  CHECK(owner_of(state / "of-root") == 0);
}
