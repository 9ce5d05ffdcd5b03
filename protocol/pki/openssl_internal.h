// For the .cc files of this folder only: owners of OpenSSL objects and the text of its errors.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/base/result.h"
#include "protocol/pki/certificate.h"
#include "protocol/pki/private_key.h"

namespace observeai::pki::internal {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Freer<X509_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Freer<X509_REQ_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, Freer<X509_CRL_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Freer<BN_free>>;
using IntegerPtr = std::unique_ptr<ASN1_INTEGER, Freer<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Freer<ASN1_TIME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Freer<EVP_MD_CTX_free>>;

// Takes the oldest entry of the thread's OpenSSL error queue as the reason and empties the queue.
Error openssl_error(Errc code, std::string_view what);

// Foreign PEM and DER are never larger than this.
inline constexpr std::size_t kMaxPemBytes = 64U << 10;

Result<CertPtr> read_certificate(std::string_view pem);
Result<KeyPtr> public_key(X509* certificate);
std::string to_pem(X509* certificate);
std::string bio_text(BIO* bio);

// kInvalid when the key is not on P-256, the only curve in use, or is written in another way than as
// the named curve and an uncompressed point: one key has one encoding here, and so one hash.
Result<void> require_p256(const X509_PUBKEY* key);
Result<void> require_p256(EVP_PKEY* key);
// Hex SHA-256 of the DER SubjectPublicKeyInfo as it stands in the object.
std::string spki_sha256(const X509_PUBKEY* key);
std::string spki_sha256(EVP_PKEY* key);

std::int64_t to_ms(const ASN1_TIME* time);
Result<TimePtr> from_ms(std::int64_t unix_ms);
std::string to_hex(const ASN1_INTEGER* number);
std::string common_name(const X509_NAME* name);

EVP_PKEY* native(const PrivateKey& key);

}  // namespace observeai::pki::internal
