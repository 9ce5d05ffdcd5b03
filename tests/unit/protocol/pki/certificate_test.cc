#include "protocol/pki/certificate.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "protocol/base/files.h"
#include "protocol/pki/private_key.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/protocol/pki/pki_fixture.h"

using namespace observeai;
using namespace observeai::pki;
using namespace observeai::test;

namespace {
std::array<Certificate, 1> only(const Authority& authority) {
  return {authority.certificate};
}
}  // namespace

TEST_CASE("a key survives its file, which only the owner may read") {
  const TempDir dir;
  const auto path = dir / "tls.key";
  const auto key = load_or_create_key(path).value();
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(load_or_create_key(path)->spki_sha256() == key.spki_sha256());
  CHECK(new_key().spki_sha256() != key.spki_sha256());
  CHECK(key.spki_sha256().size() == 64);

  REQUIRE(::chmod(path.c_str(), 0640) == 0);
  const auto open_key = PrivateKey::load(path);
  CHECK(open_key.error().code() == Errc::kDenied);
  CHECK(open_key.error().message().find("chmod 600 " + path) != std::string::npos);
}

TEST_CASE("what is not a P-256 key is refused") {
  const TempDir dir;
  CHECK(PrivateKey::from_pem("").error().code() == Errc::kCorrupt);
  CHECK(PrivateKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
            .error()
            .code() == Errc::kCorrupt);
  CHECK(PrivateKey::from_pem(std::string(70'000, 'a')).error().code() == Errc::kLimit);
  // P-384, made by `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384`.
  const auto other = files::read(OBSERVEAI_TEST_DATA "/pki/p384.key");
  REQUIRE(other);
  CHECK(PrivateKey::from_pem(*other).error().code() == Errc::kInvalid);
  CHECK(PrivateKey::load(dir / "none").error().code() == Errc::kNotFound);
}

TEST_CASE("a signature proves possession of the certificate's key") {
  const auto ca = new_authority("CA");
  const auto key = new_key();
  const auto leaf = new_client(ca, key);
  const auto signature = key.sign("statement").value();
  CHECK(verify_signature(leaf, "statement", signature));
  CHECK(verify_signature(leaf, "Statement", signature).error().code() == Errc::kDenied);
  CHECK(verify_signature(leaf, "statement", new_key().sign("statement").value()).error().code() ==
        Errc::kDenied);
  CHECK_FALSE(verify_signature(leaf, "statement", ""));
  CHECK_FALSE(verify_signature(leaf, "statement", "garbage"));
}

TEST_CASE("an authority is self-signed, has path length 0 and cannot be used as a leaf") {
  const auto ca = new_authority("ObserveAI agent CA G1");
  CHECK(ca.certificate.is_authority);
  CHECK(ca.certificate.common_name == "ObserveAI agent CA G1");
  CHECK(ca.certificate.issuer == ca.certificate.common_name);
  CHECK(ca.certificate.not_before_ms == kNow - kBackdateMs);
  CHECK_FALSE(ca.certificate.client_auth);
}

TEST_CASE("a client certificate has the name given to it, not the one asked for") {
  const auto ca = new_authority("CA");
  const auto key = new_key();
  const auto request = make_request(key, "cp-ingest-0").value();
  const auto leaf = issue_client(ca, request, "web-1", validity_from(kNow, 30 * kDay)).value();
  CHECK(leaf.common_name == "web-1");
  CHECK(leaf.issuer == "CA");
  CHECK(leaf.spki_sha256 == key.spki_sha256());
  CHECK(leaf.client_auth);
  CHECK_FALSE(leaf.server_auth);
  CHECK_FALSE(leaf.is_authority);
  CHECK(leaf.not_after_ms == kNow + 30 * kDay);
  CHECK(leaf.serial.size() == 32);
  CHECK(new_client(ca, key).serial != leaf.serial);
  const auto again = parse_certificate(leaf.pem).value();
  CHECK(again.serial == leaf.serial);
  CHECK(again.pem == leaf.pem);
}

TEST_CASE("a server certificate carries DNS names and addresses") {
  const auto ca = new_authority("CA");
  const auto leaf = new_server(ca, new_key());
  CHECK(leaf.dns_names == std::vector<std::string>{"localhost", "cp.example.com"});
  CHECK(leaf.ip_addresses == std::vector<std::string>{"127.0.0.1", "::1"});
  CHECK(leaf.server_auth);
  CHECK_FALSE(leaf.client_auth);
  for (const std::string bad : {"", "a,IP:1.2.3.4", "a b", "DNS:x", "a\n", "*.example.com"}) {
    const std::vector<std::string> names{bad};
    CAPTURE(bad);
    CHECK(issue_server(ca, new_key(), names, validity_from(kNow, kDay)).error().code() ==
          Errc::kInvalid);
  }
  CHECK_FALSE(issue_server(ca, new_key(), {}, validity_from(kNow, kDay)));
}

TEST_CASE("a client certificate does not pass as a server's, nor the other way round") {
  const auto ca = new_authority("CA");
  const auto client = new_client(ca, new_key());
  const auto server = new_server(ca, new_key());
  CHECK(verify_certificate(client, only(ca), Purpose::kClient, kNow));
  CHECK(verify_certificate(server, only(ca), Purpose::kServer, kNow));
  const auto wrong = verify_certificate(client, only(ca), Purpose::kServer, kNow);
  CHECK(wrong.error().code() == Errc::kDenied);
  CHECK(wrong.error().message().find("purpose") != std::string::npos);
  CHECK_FALSE(verify_certificate(server, only(ca), Purpose::kClient, kNow));
}

TEST_CASE("another authority, even of the same name, does not vouch") {
  const auto ca = new_authority("CA");
  const auto other = new_authority("CA");
  const auto leaf = new_client(ca, new_key());
  CHECK_FALSE(verify_certificate(leaf, only(other), Purpose::kClient, kNow));
  CHECK_FALSE(verify_certificate(leaf, {}, Purpose::kClient, kNow));
  const std::array<Certificate, 2> both{other.certificate, ca.certificate};
  CHECK(verify_certificate(leaf, both, Purpose::kClient, kNow));
}

TEST_CASE("a leaf cannot vouch for another leaf") {
  const auto ca = new_authority("CA");
  const auto key = new_key();
  const Authority impostor{key, new_client(ca, key)};
  const auto leaf = new_client(impostor, new_key());
  CHECK_FALSE(verify_certificate(leaf, only(impostor), Purpose::kClient, kNow));
  const std::array<Certificate, 2> both{ca.certificate, impostor.certificate};
  CHECK_FALSE(verify_certificate(leaf, both, Purpose::kClient, kNow));
}

TEST_CASE("expiry is checked at the time that is asked about, or not at all") {
  const auto ca = new_authority("CA");
  const auto leaf = new_client(ca, new_key());
  CHECK(verify_certificate(leaf, only(ca), Purpose::kClient, kNow - kBackdateMs + 1000));
  CHECK(verify_certificate(leaf, only(ca), Purpose::kClient, kNow + 30 * kDay - 1000));
  const auto late = verify_certificate(leaf, only(ca), Purpose::kClient, kNow + 31 * kDay);
  CHECK(late.error().message().find("expired") != std::string::npos);
  CHECK_FALSE(verify_certificate(leaf, only(ca), Purpose::kClient, kNow - kDay));
  CHECK(verify_certificate(leaf, only(ca), Purpose::kClient, std::nullopt));
  CHECK_FALSE(verify_certificate(leaf, only(new_authority("CA")), Purpose::kClient, std::nullopt));
}

TEST_CASE("a leaf never outlives its authority") {
  const auto ca = new_authority("CA", 10 * kDay);
  const auto leaf = new_client(ca, new_key());
  CHECK(leaf.not_after_ms == ca.certificate.not_after_ms);
  const auto request = make_request(new_key(), "x").value();
  const auto late = issue_client(ca, request, "x", validity_from(kNow + 20 * kDay, kDay));
  CHECK(late.error().code() == Errc::kDenied);
}

TEST_CASE("an authority whose key is another's issues nothing") {
  auto ca = new_authority("CA");
  ca.key = new_key();
  const auto request = make_request(new_key(), "x").value();
  CHECK_FALSE(issue_client(ca, request, "x", validity_from(kNow, kDay)));
}

TEST_CASE("a request must be signed by the key it names") {
  const auto request = make_request(new_key(), "x").value();
  CHECK(parse_request(request)->spki_sha256.size() == 64);
  CHECK(parse_request("").error().code() == Errc::kCorrupt);
  CHECK(parse_request(std::string(70'000, '-')).error().code() == Errc::kLimit);

  // Made by openssl(1), then one letter of the subject was changed.
  const auto forged = files::read(OBSERVEAI_TEST_DATA "/pki/forged.csr");
  REQUIRE(forged);
  CHECK(parse_request(*forged).error().code() == Errc::kDenied);
  const auto rsa = files::read(OBSERVEAI_TEST_DATA "/pki/rsa.csr");
  REQUIRE(rsa);
  CHECK(parse_request(*rsa).error().code() == Errc::kInvalid);
}

// The three requests are of one key, made by openssl(1) with -conv_form and -param_enc.
TEST_CASE("one key cannot pass for several by writing it differently") {
  const auto read = [](const std::string& name) {
    const auto text = files::read(OBSERVEAI_TEST_DATA "/pki/" + name);
    REQUIRE(text);
    return *text;
  };
  CHECK(parse_request(read("same_key_plain.csr")));
  const auto ca = new_authority("CA");
  for (const auto* name : {"same_key_compressed.csr", "same_key_explicit.csr"}) {
    CAPTURE(name);
    const auto request = parse_request(read(name));
    REQUIRE_FALSE(request);
    CHECK(request.error().code() == Errc::kInvalid);
    CHECK(request.error().message().find("uncompressed point") != std::string::npos);
    CHECK_FALSE(issue_client(ca, read(name), "web-1", validity_from(kNow, kDay)));
  }
  CHECK(PrivateKey::from_pem(read("compressed.key")).error().code() == Errc::kInvalid);
}

TEST_CASE("bundles keep their order; a broken one is refused") {
  const auto a = new_authority("A").certificate;
  const auto b = new_authority("B").certificate;
  const auto bundle = parse_bundle(a.pem + b.pem).value();
  REQUIRE(bundle.size() == 2);
  CHECK(bundle[1].common_name == "B");
  CHECK_FALSE(parse_bundle(""));
  CHECK_FALSE(parse_bundle(a.pem + b.pem.substr(0, 200)));
  std::string many;
  for (int i = 0; i < 33; ++i) many += a.pem;
  CHECK(parse_bundle(many).error().code() == Errc::kLimit);
}

TEST_CASE("no damage to a certificate crashes the parser or changes what was signed") {
  const auto ca = new_authority("CA");
  const auto leaf = new_server(ca, new_key());
  for (std::size_t i = 0; i < leaf.pem.size(); ++i) {
    auto damaged = leaf.pem;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    const auto parsed = parse_certificate(damaged);
    if (!parsed || parsed->pem == leaf.pem) continue;  // Some bits of padding carry nothing.
    CAPTURE(i);
    CHECK_FALSE(verify_certificate(*parsed, only(ca), Purpose::kServer, kNow));
  }
}
