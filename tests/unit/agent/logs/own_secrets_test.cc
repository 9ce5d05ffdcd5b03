// Our own secrets, made by the code that makes them, so that a new shape cannot go unnoticed.
#include <doctest/doctest.h>

#include "agent/logs/redactor.h"
#include "controlplane/auth/credentials.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/pki/enrollment_token.h"
#include "protocol/pki/private_key.h"
#include "protocol/signing/key_files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using agent::redact;

namespace {

std::string hidden_in(const std::string& secret, const std::string& kind) {
  for (const std::string before : {"", "given: ", "x=", "\"", "--token ", "https://cp/#"}) {
    CAPTURE(before);
    const auto out = redact(before + secret + " and more");
    CHECK(out.find(secret) == std::string::npos);
    CHECK(out.find("[REDACTED:") != std::string::npos);
    CHECK(out.ends_with(" and more"));
  }
  return redact(secret) == "[REDACTED:" + kind + "]" ? "" : redact(secret);
}

// Every line of a key file, as a program logs it line by line.
void check_key_file(const std::string& pem) {
  CHECK(redact(pem).find("BEGIN") == std::string::npos);
  const agent::Redactor redactor;
  for (const std::string prefix : {"", "2026-11-21 INFO "}) {
    std::uint32_t left = 0;
    for (const auto line : text::split(text::trim(pem), '\n')) {
      CAPTURE(line);
      std::string out;
      const bool is_secret = line.find("END ") == std::string_view::npos;
      const bool changed = redactor.redact_line(prefix + std::string(line), left, out);
      if (!is_secret) continue;
      REQUIRE(changed);
      CHECK(out.find(line) == std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("enrollment tokens, API keys and logins are known by their beginning") {
  auto token = pki::generate_token();
  token.server_spki_sha256 = std::string(64, 'a');
  token.root_metadata_sha256 = std::string(64, 'b');
  CHECK(hidden_in(pki::format_token(token), "observeai_enroll_token").empty());

  const std::string secret = text::to_base64url(token.secret);
  for (const std::string& id : {std::string("admin"), std::string("ci-2"), std::string(64, 'k')}) {
    CHECK(hidden_in(controlplane::format_api_key({id, secret}), "observeai_api_key").empty());
  }
  for (const std::string host : {"cp.example.com", "10.0.0.1", "::1", "localhost"}) {
    const controlplane::LoginText login{host, 8443, secret, token.server_spki_sha256};
    CHECK(hidden_in(controlplane::format_login(login), "observeai_login").empty());
  }
}

TEST_CASE("our key files are known as keys, whole and line by line") {
  const test::TempDir dir;
  REQUIRE(signing::save_signing_key(dir / "a", signing::SigningKeyPair::generate()));
  check_key_file(files::read(dir / "a").value());
  REQUIRE(signing::save_key_agreement_pair(dir / "b", signing::generate_key_agreement_pair()));
  check_key_file(files::read(dir / "b").value());
  check_key_file(pki::PrivateKey::generate()->to_pem());
}
