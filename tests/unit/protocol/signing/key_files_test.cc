#include <doctest/doctest.h>

#include <sys/stat.h>

#include "protocol/base/files.h"
#include "protocol/signing/key_files.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/protocol/signing/bytes.h"

using namespace observeai;
using namespace observeai::signing;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777U;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

}  // namespace

TEST_CASE("key files come back, with mode 0600 and a label that says what they are") {
  const test::TempDir dir;
  const auto signing = SigningKeyPair::generate();
  const auto agreement = generate_key_agreement_pair();
  REQUIRE(save_signing_key(dir / "sign.key", signing));
  REQUIRE(save_key_agreement_pair(dir / "seal.key", agreement));
  CHECK(mode_of(dir / "sign.key") == 0600);
  CHECK(
      files::read(dir / "sign.key")->starts_with("-----BEGIN OBSERVEAI ED25519 SECRET KEY-----\n"));

  const auto loaded = load_signing_key(dir / "sign.key").value();
  CHECK(loaded.public_key() == signing.public_key());
  CHECK(verify("m", loaded.sign("m"), signing.public_key()));
  const auto pair = load_key_agreement_pair(dir / "seal.key").value();
  CHECK(pair.public_key == agreement.public_key);
  CHECK(pair.secret_key.bytes() == agreement.secret_key.bytes());
}

TEST_CASE("the file format is fixed") {
  const test::TempDir dir;
  SecretKey32 seed(
      test::unhex_array<32>("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  REQUIRE(save_signing_key(dir / "k", SigningKeyPair::from_seed(seed)));
  CHECK(files::read(dir / "k").value() ==
        "-----BEGIN OBSERVEAI ED25519 SECRET KEY-----\n"
        "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==\n"
        "-----END OBSERVEAI ED25519 SECRET KEY-----\n");
}

TEST_CASE("a passphrase seals the file; without it, or with another, it does not open") {
  const test::TempDir dir;
  const auto path = dir / "root.key";
  const auto pair = SigningKeyPair::generate();
  REQUIRE(save_signing_key(path, pair, "correct horse"));
  CHECK(mode_of(path) == 0600);
  const auto text = files::read(path).value();
  CHECK(text.starts_with("-----BEGIN OBSERVEAI ED25519 SEALED SECRET KEY-----\n"));

  CHECK(load_signing_key(path, "correct horse")->public_key() == pair.public_key());
  const auto wrong = load_signing_key(path, "correct horsf");
  CHECK(wrong.error().code() == Errc::kDenied);
  CHECK(wrong.error().message().find("wrong passphrase") != std::string::npos);
  const auto none = load_signing_key(path);
  CHECK(none.error().code() == Errc::kDenied);
  CHECK(none.error().message().find("sealed") != std::string::npos);
  // A sealed file does not pass as an open one by its label alone.
  REQUIRE(files::write_atomic(path, replaced(text, " SEALED", ""), 0600));
  CHECK(load_signing_key(path).error().code() == Errc::kCorrupt);
}

TEST_CASE("what is wrong with a key file is said, with its path") {
  const test::TempDir dir;
  const auto path = dir / "k";
  const auto load = [&path](const std::string& text) {
    REQUIRE(files::write_atomic(path, text, 0600));
    return load_signing_key(path).error();
  };
  CHECK(load_signing_key(path).error().code() == Errc::kNotFound);
  REQUIRE(save_signing_key(path, SigningKeyPair::generate()));
  const auto good = files::read(path).value();
  CHECK(load_signing_key(path, "unneeded").error().code() == Errc::kInvalid);
  CHECK(load_key_agreement_pair(path).error().message().find(
            "holds an ED25519 key, expected X25519") != std::string::npos);
  CHECK(load_key_agreement_pair(path).error().message().find(path) != std::string::npos);

  CHECK(load("").code() == Errc::kCorrupt);
  CHECK(load("ssh-ed25519 AAAA").code() == Errc::kCorrupt);
  CHECK(load(good + good).code() == Errc::kCorrupt);
  CHECK(load(replaced(good, "END OBSERVEAI ED25519", "END OBSERVEAI X25519")).code() ==
        Errc::kCorrupt);
  CHECK(load(std::string(5000, 'x')).code() == Errc::kLimit);
  // Every changed character of the key is noticed: the public half no longer fits.
  const auto key_at = good.find('\n') + 1;
  for (std::size_t i = key_at; i < key_at + 86; ++i) {
    auto damaged = good;
    damaged[i] = damaged[i] == 'A' ? 'B' : 'A';
    CHECK(load(damaged).code() == Errc::kCorrupt);
  }
  // Labels of the other kind over the same bytes: the halves do not match.
  REQUIRE(files::write_atomic(path, replaced(good, "ED25519", "X25519"), 0600));
  CHECK(load_key_agreement_pair(path).error().code() == Errc::kCorrupt);
}

TEST_CASE("lines may end as an editor on another system left them") {
  const test::TempDir dir;
  const auto pair = SigningKeyPair::generate();
  REQUIRE(save_signing_key(dir / "k", pair));
  REQUIRE(
      files::write_atomic(dir / "k", replaced(files::read(dir / "k").value(), "\n", "\r\n"), 0600));
  CHECK(load_signing_key(dir / "k")->public_key() == pair.public_key());
}

TEST_CASE("an empty passphrase is refused, not taken for none") {
  const test::TempDir dir;
  CHECK(save_signing_key(dir / "k", SigningKeyPair::generate(), "").error().code() ==
        Errc::kInvalid);
  CHECK_FALSE(files::exists(dir / "k"));
}
