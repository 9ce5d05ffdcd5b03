#include "protocol/pki/crl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "protocol/base/text.h"
#include "protocol/pki/openssl_internal.h"

namespace observeai::pki {

using namespace internal;

namespace {

using RevokedPtr = std::unique_ptr<X509_REVOKED, Freer<X509_REVOKED_free>>;

// A fleet of 10,000 hosts that revokes everything stays far below.
constexpr std::size_t kMaxListBytes = 16U << 20;

Result<IntegerPtr> serial_from_hex(const std::string& hex) {
  TRY(const auto bytes, text::from_hex(hex));
  if (bytes.empty() || bytes.size() > 20) return Error(Errc::kInvalid, "serial number " + hex);
  const NumberPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  IntegerPtr out(BN_to_ASN1_INTEGER(number.get(), nullptr));
  if (!out) return openssl_error(Errc::kInternal, "serial number");
  return out;
}

Result<void> add_revoked(X509_CRL* list, const RevokedCertificate& revoked) {
  TRY(const auto serial, serial_from_hex(revoked.serial));
  TRY(const auto when, from_ms(revoked.revoked_ms));
  RevokedPtr entry(X509_REVOKED_new());
  if (!entry || X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
      X509_REVOKED_set_revocationDate(entry.get(), when.get()) != 1 ||
      X509_CRL_add0_revoked(list, entry.get()) != 1) {
    return openssl_error(Errc::kInternal, "cannot add to the revocation list");
  }
  static_cast<void>(entry.release());  // Owned by the list now.
  return {};
}

Result<void> add_number_and_issuer(X509_CRL* list, X509* issuer, std::uint64_t number) {
  const IntegerPtr value(ASN1_INTEGER_new());
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, nullptr, nullptr, list, 0);
  X509V3_set_ctx_nodb(&context);
  const ExtensionPtr issuer_key(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  if (!value || ASN1_INTEGER_set_uint64(value.get(), number) != 1 || !issuer_key ||
      X509_CRL_add1_ext_i2d(list, NID_crl_number, value.get(), 0, 0) != 1 ||
      X509_CRL_add_ext(list, issuer_key.get(), -1) != 1) {
    return openssl_error(Errc::kInternal, "cannot number the revocation list");
  }
  return {};
}

}  // namespace

Result<std::string> make_revocation_list(const Authority& authority,
                                         std::span<const RevokedCertificate> revoked,
                                         std::uint64_t number, Validity validity) {
  TRY(const auto issuer, read_certificate(authority.certificate.pem));
  const CrlPtr list(X509_CRL_new());
  TRY(const auto this_update, from_ms(validity.not_before_ms));
  TRY(const auto next_update, from_ms(validity.not_after_ms));
  if (!list || X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) != 1 ||
      X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.get())) != 1 ||
      X509_CRL_set1_lastUpdate(list.get(), this_update.get()) != 1 ||
      X509_CRL_set1_nextUpdate(list.get(), next_update.get()) != 1) {
    return openssl_error(Errc::kInternal, "cannot make a revocation list");
  }
  for (const auto& certificate : revoked) {
    TRY_VOID(add_revoked(list.get(), certificate));
  }
  TRY_VOID(add_number_and_issuer(list.get(), issuer.get(), number));
  X509_CRL_sort(list.get());
  if (X509_CRL_sign(list.get(), native(authority.key), EVP_sha256()) == 0) {
    return openssl_error(Errc::kInternal, "cannot sign the revocation list");
  }
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_CRL(bio.get(), list.get());
  return bio_text(bio.get());
}

Result<RevocationList> parse_revocation_list(std::string_view pem, const Certificate& authority) {
  if (pem.size() > kMaxListBytes) return Error(Errc::kLimit, "revocation list is too long");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const CrlPtr list(PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr));
  if (!list) return openssl_error(Errc::kCorrupt, "not a revocation list in PEM");
  TRY(const auto issuer, read_certificate(authority.pem));
  TRY(const auto key, public_key(issuer.get()));
  if (X509_CRL_verify(list.get(), key.get()) != 1) {
    return openssl_error(Errc::kDenied, "revocation list is not by " + authority.common_name);
  }
  RevocationList out;
  out.issuer = common_name(X509_CRL_get_issuer(list.get()));
  out.this_update_ms = to_ms(X509_CRL_get0_lastUpdate(list.get()));
  out.next_update_ms = to_ms(X509_CRL_get0_nextUpdate(list.get()));
  auto* entries = X509_CRL_get_REVOKED(list.get());
  for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
    const auto* entry = sk_X509_REVOKED_value(entries, i);
    out.revoked.push_back({to_hex(X509_REVOKED_get0_serialNumber(entry)),
                           to_ms(X509_REVOKED_get0_revocationDate(entry))});
  }
  return out;
}

}  // namespace observeai::pki
