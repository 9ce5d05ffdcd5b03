#include "agent/app/certificate_files.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "protocol/pki/certificate.h"
#include "tests/support/temp_dir.h"

namespace observeai::agent {
namespace {

std::string certificate_pem(const std::string& name, std::int64_t begin_ms) {
  const auto key = pki::PrivateKey::generate();
  REQUIRE(key);
  const auto made = pki::make_authority(*key, name, {begin_ms, begin_ms + 86'400'000});
  REQUIRE(made);
  return made->pem;
}

void write(const std::string& path, const std::string& content) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

}  // namespace

TEST_CASE("certificates are found in files, whatever else is there") {
  const test::TempDir dir;
  write(dir / "a/one.pem", "some words\n" + certificate_pem("one.example", 1'700'000'000'000));
  write(dir / "a/chain.pem", certificate_pem("leaf.example", 1'700'000'001'000) +
                                 certificate_pem("middle", 1'700'000'002'000));
  write(dir / "a/garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  write(dir / "a/empty.pem", "");
  write(dir / "a/long.pem", certificate_pem("long.example", 1'700'000'000'000) +
                                std::string(kMaxCertificateBytes, ' '));
  write(dir / "a/other.txt", certificate_pem("other.example", 1'700'000'000'000));
  std::filesystem::create_directories(dir / "a/folder.pem");
  REQUIRE(::mkfifo((dir / "a/pipe.pem").c_str(), 0600) == 0);

  const auto found = read_certificates({dir / "a/*.pem", dir / "a/one.*", dir / "missing/*.pem"});
  REQUIRE(found.size() == 3);
  CHECK(found[0].path == dir / "a/chain.pem");
  CHECK(found[0].subject == "leaf.example");
  CHECK(found[1].subject == "middle");
  CHECK(found[2].subject == "one.example");
  CHECK(found[2].issuer == "one.example");
  CHECK(found[2].not_before_s == 1'700'000'000);
  CHECK(found[2].not_after_s == 1'700'086'400);
  CHECK(!found[2].serial.empty());
}

TEST_CASE("files beyond the limit are left out") {
  const test::TempDir dir;
  const std::string pem = certificate_pem("x", 1'700'000'000'000);
  for (std::size_t i = 0; i <= kMaxCertificateFiles; ++i) {
    write(dir / (std::to_string(1'000 + i) + ".pem"), pem);
  }
  CHECK(read_certificates({dir / "*.pem"}).size() == kMaxCertificateFiles);
}

TEST_CASE("without patterns nothing is called") {
  const auto calls = std::make_shared<DeadlineCalls>(std::chrono::milliseconds(400), "");
  const auto found = certificate_call(calls, {})();
  REQUIRE(found);
  CHECK(found->empty());
}

}  // namespace observeai::agent
