#include "protocol/pki/openssl_internal.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <ctime>

#include "protocol/base/text.h"

namespace observeai::pki::internal {

Error openssl_error(Errc code, std::string_view what) {
  std::string message(what);
  if (const auto number = ERR_get_error(); number != 0) {
    const char* reason = ERR_reason_error_string(number);
    message.append(" (").append(reason != nullptr ? reason : "OpenSSL").append(")");
  }
  ERR_clear_error();
  return Error(code, std::move(message));
}

std::string bio_text(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return std::string(data, size > 0 ? static_cast<std::size_t>(size) : 0);
}

Result<CertPtr> read_certificate(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return Error(Errc::kLimit, "certificate is too long");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CertPtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (!certificate) return openssl_error(Errc::kCorrupt, "not a certificate in PEM");
  return certificate;
}

Result<KeyPtr> public_key(X509* certificate) {
  KeyPtr key(X509_get_pubkey(certificate));
  if (!key) return openssl_error(Errc::kCorrupt, "certificate has no usable public key");
  return key;
}

std::string to_pem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  return bio_text(bio.get());
}

namespace {

// DER SubjectPublicKeyInfo; "" when it cannot be written.
using DerPtr = std::unique_ptr<unsigned char, decltype([](unsigned char* p) { OPENSSL_free(p); })>;
std::string der_of(const X509_PUBKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(key, &der);
  const DerPtr owner(der);
  return size > 0 ? std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size))
                  : std::string();
}
std::string der_of(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  const DerPtr owner(der);
  return size > 0 ? std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size))
                  : std::string();
}

std::string sha256_hex(std::string_view bytes) {
  if (bytes.empty()) return {};
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  return text::to_hex(digest);
}

// RFC 5480: id-ecPublicKey, the named curve prime256v1, and 04 || x || y. Compressed points, hybrid
// points and explicit parameters would be other bytes, and another hash, for the same key.
Result<void> require_plain_p256(std::string_view der) {
  constexpr std::string_view kBeforePoint(
      "\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"
      "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04",
      27);
  constexpr std::size_t kPointBytes = 64;
  if (der.size() == kBeforePoint.size() + kPointBytes && der.starts_with(kBeforePoint)) return {};
  return openssl_error(Errc::kInvalid,
                       "key is not an elliptic curve key on P-256, written as the named curve and "
                       "an uncompressed point");
}

}  // namespace

Result<void> require_p256(const X509_PUBKEY* key) {
  return require_plain_p256(der_of(key));
}
Result<void> require_p256(EVP_PKEY* key) {
  return require_plain_p256(der_of(key));
}

std::string spki_sha256(const X509_PUBKEY* key) {
  return sha256_hex(der_of(key));
}
std::string spki_sha256(EVP_PKEY* key) {
  return sha256_hex(der_of(key));
}

std::int64_t to_ms(const ASN1_TIME* time) {
  std::tm calendar{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &calendar) != 1) return 0;
  return static_cast<std::int64_t>(timegm(&calendar)) * 1000;
}

Result<TimePtr> from_ms(std::int64_t unix_ms) {
  TimePtr time(ASN1_TIME_set(nullptr, static_cast<time_t>(unix_ms / 1000)));
  if (!time) return openssl_error(Errc::kInvalid, "time is out of range");
  return time;
}

std::string to_hex(const ASN1_INTEGER* number) {
  const NumberPtr value(ASN1_INTEGER_to_BN(number, nullptr));
  if (!value) return {};
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(BN_num_bytes(value.get())));
  BN_bn2bin(value.get(), bytes.data());
  return text::to_hex(bytes);
}

std::string common_name(const X509_NAME* name) {
  const int place = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
  if (place < 0) return {};
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place)));
  if (size < 0) return {};
  std::string out(reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size));
  OPENSSL_free(utf8);
  return out;
}

}  // namespace observeai::pki::internal
