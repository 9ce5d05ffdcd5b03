#include "protocol/pki/certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "protocol/base/text.h"
#include "protocol/pki/openssl_internal.h"

namespace observeai::pki {

using namespace internal;

namespace {

constexpr std::size_t kMaxBundle = 32;
// What a person may read in a name or an address list; far above what the fleet issues.
constexpr int kMaxAlternativeNames = 64;

bool has_usage(X509* certificate, int usage) {
  using Usages = std::unique_ptr<EXTENDED_KEY_USAGE, Freer<EXTENDED_KEY_USAGE_free>>;
  const Usages usages(static_cast<EXTENDED_KEY_USAGE*>(
      X509_get_ext_d2i(certificate, NID_ext_key_usage, nullptr, nullptr)));
  for (int i = 0; usages && i < sk_ASN1_OBJECT_num(usages.get()); ++i) {
    if (OBJ_obj2nid(sk_ASN1_OBJECT_value(usages.get(), i)) == usage) return true;
  }
  return false;
}

std::string address_text(const ASN1_OCTET_STRING* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int size = ASN1_STRING_length(address);
  const int family = size == 4 ? AF_INET : AF_INET6;
  if (size != 4 && size != 16) return {};
  inet_ntop(family, ASN1_STRING_get0_data(address), text.data(), text.size());
  return text.data();
}

void read_alternative_names(X509* certificate, Certificate& out) {
  using Names = std::unique_ptr<GENERAL_NAMES, Freer<GENERAL_NAMES_free>>;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? std::min(sk_GENERAL_NAME_num(names.get()), kMaxAlternativeNames) : 0;
  for (int i = 0; i < count; ++i) {
    const auto* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) {
      out.dns_names.emplace_back(
          reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
          static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      out.ip_addresses.push_back(address_text(name->d.iPAddress));
    }
  }
}

Certificate describe(X509* certificate) {
  Certificate out;
  out.pem = to_pem(certificate);
  out.common_name = common_name(X509_get_subject_name(certificate));
  out.issuer = common_name(X509_get_issuer_name(certificate));
  out.serial = to_hex(X509_get0_serialNumber(certificate));
  out.not_before_ms = to_ms(X509_get0_notBefore(certificate));
  out.not_after_ms = to_ms(X509_get0_notAfter(certificate));
  out.spki_sha256 = internal::spki_sha256(X509_get_X509_PUBKEY(certificate));
  out.is_authority = X509_check_ca(certificate) == 1;
  out.client_auth = has_usage(certificate, NID_client_auth);
  out.server_auth = has_usage(certificate, NID_server_auth);
  read_alternative_names(certificate, out);
  ERR_clear_error();
  return out;
}

Result<RequestPtr> read_request(std::string_view pem) {
  if (pem.size() > kMaxPemBytes) return Error(Errc::kLimit, "certificate request is too long");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  if (!request) return openssl_error(Errc::kCorrupt, "not a certificate request in PEM");
  return request;
}

Result<void> set_name(X509_NAME* name, std::string_view text) {
  if (X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(text.data()),
                                 static_cast<int>(text.size()), -1, 0) != 1) {
    return openssl_error(Errc::kInvalid, "common name is not usable");
  }
  return {};
}

// 128 random bits, positive and never zero.
Result<void> set_random_serial(X509* certificate) {
  std::array<std::uint8_t, 16> bytes;
  random_bytes(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7F) | 0x40);
  const NumberPtr number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  if (!number || BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) == nullptr) {
    return openssl_error(Errc::kInternal, "cannot make a serial number");
  }
  return {};
}

struct Extension {
  int kind;
  std::string value;  // In the syntax of x509v3_config(5); never holds foreign text
};

Result<void> add_extensions(X509* certificate, X509* issuer,
                            std::span<const Extension> extensions) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509V3_set_ctx_nodb(&context);
  for (const auto& extension : extensions) {
    const ExtensionPtr made(
        X509V3_EXT_conf_nid(nullptr, &context, extension.kind, extension.value.c_str()));
    if (!made || X509_add_ext(certificate, made.get(), -1) != 1) {
      return openssl_error(Errc::kInternal, "cannot add extension " + extension.value);
    }
  }
  return {};
}

// A version 3 certificate with everything but extensions and signature.
Result<CertPtr> start_certificate(EVP_PKEY* key, std::string_view name, Validity validity) {
  CertPtr certificate(X509_new());
  if (!certificate || X509_set_version(certificate.get(), X509_VERSION_3) != 1 ||
      X509_set_pubkey(certificate.get(), key) != 1) {
    return openssl_error(Errc::kInternal, "cannot make a certificate");
  }
  TRY_VOID(set_random_serial(certificate.get()));
  TRY_VOID(set_name(X509_get_subject_name(certificate.get()), name));
  TRY(const auto not_before, from_ms(validity.not_before_ms));
  TRY(const auto not_after, from_ms(validity.not_after_ms));
  if (X509_set1_notBefore(certificate.get(), not_before.get()) != 1 ||
      X509_set1_notAfter(certificate.get(), not_after.get()) != 1) {
    return openssl_error(Errc::kInternal, "cannot set the validity");
  }
  return certificate;
}

Result<Certificate> finish_leaf(const Authority& authority, X509* leaf,
                                std::span<const Extension> extensions) {
  TRY(const auto issuer, read_certificate(authority.certificate.pem));
  if (authority.key.spki_sha256() != authority.certificate.spki_sha256) {
    return Error(Errc::kInternal, "the authority's key and certificate do not belong together");
  }
  if (X509_set_issuer_name(leaf, X509_get_subject_name(issuer.get())) != 1) {
    return openssl_error(Errc::kInternal, "cannot set the issuer");
  }
  TRY_VOID(add_extensions(leaf, issuer.get(), extensions));
  if (X509_sign(leaf, native(authority.key), EVP_sha256()) == 0) {
    return openssl_error(Errc::kInternal, "cannot sign the certificate");
  }
  return describe(leaf);
}

Result<Validity> within(const Authority& authority, Validity validity) {
  const auto& issuer = authority.certificate;
  validity.not_before_ms = std::max(validity.not_before_ms, issuer.not_before_ms);
  validity.not_after_ms = std::min(validity.not_after_ms, issuer.not_after_ms);
  if (validity.not_before_ms >= validity.not_after_ms) {
    return Error(Errc::kDenied, "the authority " + issuer.common_name + " is valid from " +
                                    text::format_time_ms(issuer.not_before_ms) + " to " +
                                    text::format_time_ms(issuer.not_after_ms) + " only");
  }
  return validity;
}

// "DNS:a" or "IP:::1"; kInvalid for what is neither. Guards the extension syntax.
Result<std::string> alternative_name(const std::string& name) {
  std::array<std::uint8_t, 16> address;
  if (inet_pton(AF_INET, name.c_str(), address.data()) == 1 ||
      inet_pton(AF_INET6, name.c_str(), address.data()) == 1) {
    return "IP:" + name;
  }
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
  });
  if (!plain || name.empty() || name.size() > 253) {
    return Error(Errc::kInvalid, "\"" + text::escape_unprintable(name, 80) +
                                     "\" is neither a DNS name nor an IP address");
  }
  return "DNS:" + name;
}

}  // namespace

Result<Certificate> parse_certificate(std::string_view pem) {
  TRY(const auto certificate, read_certificate(pem));
  return describe(certificate.get());
}

Result<std::vector<Certificate>> parse_bundle(std::string_view pem) {
  if (pem.size() > kMaxPemBytes * kMaxBundle) return Error(Errc::kLimit, "bundle is too long");
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<Certificate> out;
  for (;;) {
    const CertPtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (!certificate) break;
    if (out.size() == kMaxBundle) {
      return Error(Errc::kLimit, "bundle has more than 32 certificates");
    }
    out.push_back(describe(certificate.get()));
  }
  // The end of the text shows as "no start line"; anything else is a broken certificate.
  const bool ended = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (out.empty() || !ended) return openssl_error(Errc::kCorrupt, "not a bundle of certificates");
  ERR_clear_error();
  return out;
}

Result<std::string> make_request(const PrivateKey& key, std::string_view common_name) {
  const RequestPtr request(X509_REQ_new());
  TRY_VOID(set_name(X509_REQ_get_subject_name(request.get()), common_name));
  if (X509_REQ_set_pubkey(request.get(), native(key)) != 1 ||
      X509_REQ_sign(request.get(), native(key), EVP_sha256()) == 0) {
    return openssl_error(Errc::kInternal, "cannot make a certificate request");
  }
  const BioPtr bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request.get());
  return bio_text(bio.get());
}

Result<CertificateRequest> parse_request(std::string_view pem) {
  TRY(const auto request, read_request(pem));
  EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
  if (key == nullptr) return openssl_error(Errc::kCorrupt, "certificate request has no usable key");
  TRY_VOID(require_p256(X509_REQ_get_X509_PUBKEY(request.get())));
  if (X509_REQ_verify(request.get(), key) != 1) {
    return openssl_error(Errc::kDenied, "certificate request is not signed by its own key");
  }
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  if (size <= 0) return openssl_error(Errc::kCorrupt, "certificate request");
  CertificateRequest out;
  out.der.assign(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  out.spki_sha256 = internal::spki_sha256(X509_REQ_get_X509_PUBKEY(request.get()));
  return out;
}

Result<Certificate> make_authority(const PrivateKey& key, std::string_view common_name,
                                   Validity validity) {
  TRY(const auto certificate, start_certificate(native(key), common_name, validity));
  if (X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get())) != 1) {
    return openssl_error(Errc::kInternal, "cannot set the issuer");
  }
  const std::array<Extension, 4> extensions{{
      {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
      {NID_key_usage, "critical,keyCertSign,cRLSign"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
  }};
  TRY_VOID(add_extensions(certificate.get(), certificate.get(), extensions));
  if (X509_sign(certificate.get(), native(key), EVP_sha256()) == 0) {
    return openssl_error(Errc::kInternal, "cannot sign the authority");
  }
  return describe(certificate.get());
}

Result<Certificate> issue_client(const Authority& authority, std::string_view request_pem,
                                 std::string_view common_name, Validity validity) {
  TRY_VOID(parse_request(request_pem));
  TRY(const auto request, read_request(request_pem));
  TRY(const auto limits, within(authority, validity));
  TRY(const auto leaf, start_certificate(X509_REQ_get0_pubkey(request.get()), common_name, limits));
  const std::array<Extension, 5> extensions{{
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, "critical,clientAuth"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
  }};
  return finish_leaf(authority, leaf.get(), extensions);
}

Result<Certificate> issue_server(const Authority& authority, const PrivateKey& key,
                                 std::span<const std::string> names, Validity validity) {
  if (names.empty()) return Error(Errc::kInvalid, "a server certificate needs a name");
  std::string alternatives;
  for (const auto& name : names) {
    TRY(const auto entry, alternative_name(name));
    alternatives.append(alternatives.empty() ? "" : ",").append(entry);
  }
  TRY(const auto limits, within(authority, validity));
  TRY(const auto leaf,
      start_certificate(native(key), std::string_view(names[0]).substr(0, 64), limits));
  const std::array<Extension, 6> extensions{{
      {NID_basic_constraints, "critical,CA:FALSE"},
      {NID_key_usage, "critical,digitalSignature"},
      {NID_ext_key_usage, "critical,serverAuth"},
      {NID_subject_key_identifier, "hash"},
      {NID_authority_key_identifier, "keyid:always"},
      {NID_subject_alt_name, alternatives},
  }};
  return finish_leaf(authority, leaf.get(), extensions);
}

}  // namespace observeai::pki
