#include "protocol/signing/key_files.h"

#include <sodium.h>

#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/signing/detail/sodium_ready.h"

namespace observeai::signing {
namespace {

constexpr std::size_t kMaxFileBytes = 4096;  // A key file has about 300
constexpr std::size_t kSaltBytes = crypto_pwhash_SALTBYTES;
constexpr std::size_t kNonceBytes = crypto_secretbox_NONCEBYTES;
constexpr std::size_t kPlainBytes = 64;
constexpr std::size_t kBoxBytes = kPlainBytes + crypto_secretbox_MACBYTES;
constexpr int kBase64 = sodium_base64_VARIANT_ORIGINAL;
static_assert(kSaltBytes == 16 && kNonceBytes == 24, "the file format fixes these");

// Bytes that are or hold a secret: wiped when they go.
class SecretText {
 public:
  explicit SecretText(std::size_t size) : bytes_(size) {}
  ~SecretText() { ::sodium_memzero(bytes_.data(), bytes_.size()); }
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  SecretText(SecretText&&) = default;
  SecretText& operator=(SecretText&&) = delete;

  // Takes the content over and wipes `text`.
  static SecretText from(std::string& text) {
    SecretText out(text.size());
    std::copy(text.begin(), text.end(), out.bytes_.begin());
    ::sodium_memzero(text.data(), text.size());
    return out;
  }

  unsigned char* bytes() { return bytes_.data(); }
  const unsigned char* bytes() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  std::string_view view() const { return text::as_text(bytes_); }
  void shrink(std::size_t size) { bytes_.resize(size); }

 private:
  std::vector<unsigned char> bytes_;
};

std::string label(std::string_view kind, bool sealed) {
  return "OBSERVEAI " + std::string(kind) + (sealed ? " SEALED" : "") + " SECRET KEY";
}

SecretText encode_base64(const SecretText& bytes) {
  SecretText out(::sodium_base64_encoded_len(bytes.size(), kBase64));
  ::sodium_bin2base64(reinterpret_cast<char*>(out.bytes()), out.size(), bytes.bytes(), bytes.size(),
                      kBase64);
  out.shrink(out.size() - 1);  // The terminator
  return out;
}

Result<SecretText> decode_base64(std::string_view line) {
  SecretText out(line.size());
  std::size_t size = 0;
  const char* end = nullptr;
  const int failed = ::sodium_base642bin(out.bytes(), out.size(), line.data(), line.size(), nullptr,
                                         &size, &end, kBase64);
  if (failed != 0 || end != line.data() + line.size()) {
    return Error(Errc::kCorrupt, "is damaged: the second line is not base64");
  }
  out.shrink(size);
  return out;
}

Result<SecretKey32> stretch(std::string_view passphrase, const unsigned char* salt) {
  std::array<std::uint8_t, 32> bytes{};
  static_assert(crypto_secretbox_KEYBYTES == 32);
  const int failed = ::crypto_pwhash(bytes.data(), bytes.size(), passphrase.data(),
                                     passphrase.size(), salt, crypto_pwhash_OPSLIMIT_MODERATE,
                                     crypto_pwhash_MEMLIMIT_MODERATE, crypto_pwhash_ALG_ARGON2ID13);
  if (failed != 0) {
    return Error(Errc::kLimit, "needs 256 MiB of free memory to work with the passphrase");
  }
  SecretKey32 key(bytes);
  ::sodium_memzero(bytes.data(), bytes.size());
  return key;
}

Result<SecretText> seal_with_passphrase(const SecretText& plain, std::string_view passphrase) {
  SecretText out(kSaltBytes + kNonceBytes + kBoxBytes);
  random_bytes({out.bytes(), kSaltBytes + kNonceBytes});
  TRY(const SecretKey32 key, stretch(passphrase, out.bytes()));
  ::crypto_secretbox_easy(out.bytes() + kSaltBytes + kNonceBytes, plain.bytes(), plain.size(),
                          out.bytes() + kSaltBytes, key.bytes().data());
  return out;
}

Result<SecretText> open_with_passphrase(const SecretText& sealed, std::string_view passphrase) {
  if (sealed.size() != kSaltBytes + kNonceBytes + kBoxBytes) {
    return Error(Errc::kCorrupt, "is damaged: the key has the wrong length");
  }
  TRY(const SecretKey32 key, stretch(passphrase, sealed.bytes()));
  SecretText plain(kPlainBytes);
  if (::crypto_secretbox_open_easy(plain.bytes(), sealed.bytes() + kSaltBytes + kNonceBytes,
                                   kBoxBytes, sealed.bytes() + kSaltBytes,
                                   key.bytes().data()) != 0) {
    return Error(Errc::kDenied, "does not open: wrong passphrase, or the file is damaged");
  }
  return plain;
}

Result<void> save(const std::string& path, std::string_view kind, const SecretKey32& secret,
                  const std::array<std::uint8_t, 32>& public_key, Passphrase passphrase) {
  detail::require_sodium();
  if (passphrase && passphrase->empty()) return Error(Errc::kInvalid, "the passphrase is empty");
  SecretText payload(kPlainBytes);
  std::copy(secret.bytes().begin(), secret.bytes().end(), payload.bytes());
  std::copy(public_key.begin(), public_key.end(), payload.bytes() + 32);
  std::optional<SecretText> sealed;
  if (passphrase) {
    TRY(auto box, seal_with_passphrase(payload, *passphrase));
    sealed.emplace(std::move(box));
  }
  const auto base64 = encode_base64(sealed ? *sealed : payload);
  const auto name = label(kind, passphrase.has_value());
  std::string text;
  text.reserve(kMaxFileBytes);  // No reallocation leaves a copy behind.
  text.append("-----BEGIN ").append(name).append("-----\n");
  text.append(base64.view()).append("\n-----END ").append(name).append("-----\n");
  const auto file = SecretText::from(text);
  return files::write_atomic(path, file.view(), 0600);
}

struct KeyText {
  std::string kind;  // "ED25519"
  bool sealed = false;
  std::string_view base64;
};

// Takes the three lines apart; the labels must agree and be ours.
Result<KeyText> parse_lines(std::string_view file) {
  const auto lines = text::split(text::trim(file), '\n');
  if (lines.size() == 3) {
    for (const auto* kind : {"ED25519", "X25519"}) {
      for (const bool sealed : {false, true}) {
        const auto name = label(kind, sealed);
        if (text::trim(lines[0]) == "-----BEGIN " + name + "-----" &&
            text::trim(lines[2]) == "-----END " + name + "-----") {
          return KeyText{kind, sealed, text::trim(lines[1])};
        }
      }
    }
  }
  return Error(Errc::kCorrupt, "is not a secret key file of ObserveAI, or is damaged");
}

// secret || public, not yet checked against each other.
Result<SecretText> load_payload(const std::string& path, std::string_view kind,
                                Passphrase passphrase) {
  TRY(auto bytes, files::read(path, kMaxFileBytes));
  const auto file = SecretText::from(bytes);
  TRY(const KeyText parts, parse_lines(file.view()));
  if (parts.kind != kind) {
    return Error(Errc::kInvalid, "holds an " + parts.kind + " key, expected " + std::string(kind));
  }
  TRY(SecretText payload, decode_base64(parts.base64));
  if (!parts.sealed) {
    if (passphrase) return Error(Errc::kInvalid, "is not sealed, but a passphrase was given");
    if (payload.size() == kPlainBytes) return payload;
    return Error(Errc::kCorrupt, "is damaged: the key has the wrong length");
  }
  if (!passphrase) return Error(Errc::kDenied, "is sealed: give its passphrase");
  return open_with_passphrase(payload, *passphrase);
}

struct RawPair {
  SecretKey32 secret;
  std::array<std::uint8_t, 32> public_key{};
};

Result<RawPair> load(const std::string& path, std::string_view kind, Passphrase passphrase) {
  detail::require_sodium();
  auto payload = load_payload(path, kind, passphrase);
  if (!payload) return std::move(payload).error().with_context("key file " + path);
  std::array<std::uint8_t, 32> secret{};
  RawPair pair;
  std::copy_n(payload->bytes(), 32, secret.begin());
  std::copy_n(payload->bytes() + 32, 32, pair.public_key.begin());
  pair.secret = SecretKey32(secret);
  ::sodium_memzero(secret.data(), secret.size());
  return pair;
}

Error halves_differ(const std::string& path) {
  return Error(Errc::kCorrupt,
               "key file " + path + ": is damaged: public and secret key do not match");
}

}  // namespace

Result<void> save_signing_key(const std::string& path, const SigningKeyPair& pair,
                              Passphrase passphrase) {
  return save(path, "ED25519", pair.seed(), pair.public_key().bytes, passphrase);
}

Result<SigningKeyPair> load_signing_key(const std::string& path, Passphrase passphrase) {
  TRY(const RawPair raw, load(path, "ED25519", passphrase));
  auto pair = SigningKeyPair::from_seed(raw.secret);
  if (pair.public_key().bytes != raw.public_key) return halves_differ(path);
  return pair;
}

Result<void> save_key_agreement_pair(const std::string& path, const KeyAgreementPair& pair,
                                     Passphrase passphrase) {
  return save(path, "X25519", pair.secret_key, pair.public_key, passphrase);
}

Result<KeyAgreementPair> load_key_agreement_pair(const std::string& path, Passphrase passphrase) {
  TRY(const RawPair raw, load(path, "X25519", passphrase));
  KeyAgreementPair pair{.public_key = {}, .secret_key = raw.secret};
  if (::crypto_scalarmult_base(pair.public_key.data(), raw.secret.bytes().data()) != 0 ||
      pair.public_key != raw.public_key) {
    return halves_differ(path);
  }
  return pair;
}

}  // namespace observeai::signing
