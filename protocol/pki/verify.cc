// Verification of certificates and of signatures by their keys.
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "protocol/pki/certificate.h"
#include "protocol/pki/openssl_internal.h"

namespace observeai::pki {

using namespace internal;

namespace {
using StorePtr = std::unique_ptr<X509_STORE, Freer<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, Freer<X509_STORE_CTX_free>>;
}  // namespace

Result<void> verify_certificate(const Certificate& leaf, std::span<const Certificate> authorities,
                                Purpose purpose, std::optional<std::int64_t> at_ms) {
  TRY(const auto certificate, read_certificate(leaf.pem));
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (!store || !context) return openssl_error(Errc::kInternal, "cannot verify");
  for (const auto& authority : authorities) {
    TRY(const auto trusted, read_certificate(authority.pem));
    if (X509_STORE_add_cert(store.get(), trusted.get()) != 1) {
      return openssl_error(Errc::kInternal, "cannot add an authority");
    }
  }
  if (X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), nullptr) != 1) {
    return openssl_error(Errc::kInternal, "cannot verify");
  }
  auto* parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_purpose(
      parameters, purpose == Purpose::kClient ? X509_PURPOSE_SSL_CLIENT : X509_PURPOSE_SSL_SERVER);
  if (at_ms) {
    X509_VERIFY_PARAM_set_time(parameters, static_cast<time_t>(*at_ms / 1000));
  } else {
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_NO_CHECK_TIME);
  }
  const bool valid = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (valid) return {};
  const char* reason = X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()));
  return Error(Errc::kDenied, std::string("certificate is not valid: ") + reason);
}

Result<void> verify_signature(const Certificate& certificate, std::string_view bytes,
                              std::string_view signature) {
  TRY(const auto parsed, read_certificate(certificate.pem));
  TRY(const auto key, public_key(parsed.get()));
  TRY_VOID(require_p256(X509_get_X509_PUBKEY(parsed.get())));
  const DigestContextPtr context(EVP_MD_CTX_new());
  const bool valid =
      EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key.get()) == 1 &&
      EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                       signature.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                       bytes.size()) == 1;
  ERR_clear_error();
  if (!valid) return Error(Errc::kDenied, "signature is not by the key of this certificate");
  return {};
}

}  // namespace observeai::pki
