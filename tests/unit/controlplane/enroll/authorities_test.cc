#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>

#include "protocol/base/files.h"
#include "protocol/pki/crl.h"
#include "tests/unit/controlplane/enroll/enroll_fixture.h"

using namespace observeai;
using namespace observeai::controlplane;
using namespace observeai::test;

namespace {

struct Folder {
  TempDir dir;
  ManualClock clock;
  Result<std::unique_ptr<CertificateAuthorities>> open(std::vector<std::string> extra = {}) {
    return CertificateAuthorities::open({dir / "pki", "cp-host", std::move(extra)}, clock);
  }
  pki::Certificate leaf(const std::string& name) const {
    return pki::parse_certificate(files::read(dir / ("pki/" + name + ".pem")).value()).value();
  }
  pki::Certificate ca(const std::string& name) const { return leaf(name + "-ca-g1"); }
};

}  // namespace

TEST_CASE("a first start makes everything, a second finds it") {
  Folder folder;
  const auto first = folder.open().value();
  const auto sealing = first->sealing_pair().public_key;
  const auto spki = first->https_spki_sha256();
  const auto again = folder.open().value();
  CHECK(again->sealing_pair().public_key == sealing);
  CHECK(again->https_spki_sha256() == spki);
  CHECK(again->client_ca_pem() == first->client_ca_pem());
  CHECK(again->server_ca_pem() == first->server_ca_pem());
  CHECK_FALSE(again->refresh().value());

  struct stat info {};
  for (const auto& entry : std::filesystem::directory_iterator(folder.dir / "pki")) {
    if (entry.path().extension() != ".key") continue;
    REQUIRE(::stat(entry.path().c_str(), &info) == 0);
    CAPTURE(entry.path());
    CHECK((info.st_mode & 0777) == 0600);
  }
  REQUIRE(::stat((folder.dir / "pki").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0700);
}

TEST_CASE("each leaf is good for its own use and under its own authority only") {
  Folder folder;
  REQUIRE(folder.open());
  const auto now = folder.clock.unix_ms();
  const std::array<pki::Certificate, 1> server{folder.ca("server")};
  const std::array<pki::Certificate, 1> service{folder.ca("service")};
  const std::array<pki::Certificate, 1> agent{folder.ca("agent")};
  for (const auto* name : {"broker", "https"}) {
    const auto leaf = folder.leaf(name);
    CHECK(pki::verify_certificate(leaf, server, pki::Purpose::kServer, now));
    CHECK_FALSE(pki::verify_certificate(leaf, server, pki::Purpose::kClient, now));
    CHECK_FALSE(pki::verify_certificate(leaf, agent, pki::Purpose::kServer, now));
    CHECK(leaf.dns_names == std::vector<std::string>{"localhost", "cp-host"});
  }
  const auto own = folder.leaf("service");
  CHECK(own.common_name == kServiceName);
  CHECK(pki::verify_certificate(own, service, pki::Purpose::kClient, now));
  CHECK_FALSE(pki::verify_certificate(own, service, pki::Purpose::kServer, now));
  CHECK_FALSE(pki::verify_certificate(own, agent, pki::Purpose::kClient, now));
}

TEST_CASE("leaves are reissued before they expire and when names change; the keys stay") {
  Folder folder;
  const auto authorities = folder.open().value();
  const auto spki = authorities->https_spki_sha256();
  const auto serial = folder.leaf("https").serial;
  folder.clock.advance(std::chrono::hours(24 * 200));
  CHECK_FALSE(authorities->refresh().value());
  folder.clock.advance(std::chrono::hours(24 * 80));
  CHECK(authorities->refresh().value());
  CHECK(folder.leaf("https").serial != serial);
  CHECK(folder.leaf("https").spki_sha256 == spki);

  const auto renamed = folder.open({"monitor.example.com", "10.0.0.5"}).value();
  CHECK(renamed->https_spki_sha256() == spki);
  CHECK(folder.leaf("https").dns_names.back() == "monitor.example.com");
  CHECK(folder.leaf("broker").ip_addresses.back() == "10.0.0.5");
  CHECK_FALSE(renamed->refresh().value());
}

TEST_CASE("damage is reported, never repaired by making new keys") {
  Folder folder;
  REQUIRE(folder.open());
  SUBCASE("a key of another authority") {
    const auto other = pki::PrivateKey::generate().value();
    REQUIRE(other.save(folder.dir / "pki/agent-ca-g1.key"));
    CHECK(has(why(folder.open()), "agent-ca-g1.pem is not the certificate of"));
  }
  SUBCASE("an empty certificate") {
    REQUIRE(files::write_atomic(folder.dir / "pki/server-ca-g1.pem", "", 0644));
    CHECK(folder.open().error().code() == Errc::kCorrupt);
  }
  SUBCASE("a key that others may read") {
    REQUIRE(::chmod((folder.dir / "pki/agent-ca-g1.key").c_str(), 0644) == 0);
    CHECK(has(why(folder.open()), "chmod 600"));
  }
  SUBCASE("a damaged sealing key") {
    REQUIRE(files::write_atomic(folder.dir / "pki/sealing.key", "x", 0600));
    CHECK_FALSE(folder.open());
  }
}

TEST_CASE("the lists cover both authorities and every certificate of a revoked agent") {
  Folder folder;
  const auto authorities = folder.open().value();
  const auto now = folder.clock.unix_ms();
  model::AgentRecord gone;
  gone.id = AgentId::parse("web-1").value();
  gone.certificate_serial = "0102";
  gone.revoked_ms = now;
  model::AgentRecord bare = gone;  // Never had a certificate
  bare.id = AgentId::parse("web-3").value();
  bare.certificate_serial.clear();
  REQUIRE(authorities->add_superseded({"0a0b", gone.id, now + 1000}));
  REQUIRE(authorities->add_superseded({"0c0d", AgentId::parse("web-2").value(), now + 1000}));
  const std::array<model::AgentRecord, 2> revoked{gone, bare};
  const auto text = authorities->revocation_lists(revoked).value();

  const auto list = pki::parse_revocation_list(text, folder.ca("agent")).value();
  REQUIRE(list.revoked.size() == 2);
  CHECK(list.revoked[0].serial == "0102");
  CHECK(list.revoked[1].serial == "0a0b");
  CHECK(list.next_update_ms == now + 30 * kDayMs);
  const auto second = text.substr(text.rfind("-----BEGIN X509 CRL-----"));
  CHECK(pki::parse_revocation_list(second, folder.ca("service"))->revoked.empty());
}
