// X.509 as the fleet uses it: self-signed authorities, leaves that may be a client or a server but
// never both, all on P-256. Everything travels as PEM text; parsed values are plain structs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/pki/private_key.h"

namespace observeai::pki {

struct Certificate {
  std::string pem;          // This certificate alone
  std::string common_name;  // Of the subject; foreign text until verified
  std::string issuer;       // The issuer's common name
  std::string serial;       // Hex, lower case, two digits a byte
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
  std::string spki_sha256;  // Hex
  bool is_authority = false;
  bool client_auth = false;  // Has the extended key usage
  bool server_auth = false;
  std::vector<std::string> dns_names;
  std::vector<std::string> ip_addresses;  // "127.0.0.1", "::1"
};

// The first certificate in `pem`. kCorrupt when there is none, kLimit above 64 KiB.
Result<Certificate> parse_certificate(std::string_view pem);
// All of a bundle, in order, at most 32.
Result<std::vector<Certificate>> parse_bundle(std::string_view pem);

struct CertificateRequest {
  std::string der;          // As received: what a renewal signs
  std::string spki_sha256;  // Hex
};

// `common_name` is a courtesy to people who read it: issuing ignores it.
Result<std::string> make_request(const PrivateKey& key, std::string_view common_name);
// kCorrupt when it does not parse, kDenied when its own signature is wrong, kInvalid off P-256 or when
// its key is not the named curve with an uncompressed point: one key cannot pass for several.
Result<CertificateRequest> parse_request(std::string_view pem);

struct Validity {
  std::int64_t not_before_ms = 0;
  std::int64_t not_after_ms = 0;
};
// From 5 minutes ago, so that a peer whose clock is a little behind accepts what is fresh.
inline constexpr std::int64_t kBackdateMs = 5 * 60'000;
constexpr Validity validity_from(std::int64_t now_ms, std::int64_t lifetime_ms) {
  return {now_ms - kBackdateMs, now_ms + lifetime_ms};
}

struct Authority {
  PrivateKey key;
  Certificate certificate;
};

// Self-signed, path length 0, signs certificates and revocation lists only.
Result<Certificate> make_authority(const PrivateKey& key, std::string_view common_name,
                                   Validity validity);
// For clientAuth only, CN = `common_name`, the request's key and nothing else of it. A leaf never
// outlives its authority: not_after is cut to it.
Result<Certificate> issue_client(const Authority& authority, std::string_view request_pem,
                                 std::string_view common_name, Validity validity);
// For serverAuth only. `names` are DNS names and IP addresses, at least one; the first is the CN.
Result<Certificate> issue_server(const Authority& authority, const PrivateKey& key,
                                 std::span<const std::string> names, Validity validity);

enum class Purpose { kClient, kServer };

// That one of `authorities` signed `leaf` and that it may be used so. Expiry (of the leaf and of the
// authority) is checked at `at_ms`, or not at all without one. kDenied with OpenSSL's reason.
Result<void> verify_certificate(const Certificate& leaf, std::span<const Certificate> authorities,
                                Purpose purpose, std::optional<std::int64_t> at_ms);

// That `signature` (PrivateKey::sign) over `bytes` is by the key of `certificate`. kDenied if not.
Result<void> verify_signature(const Certificate& certificate, std::string_view bytes,
                              std::string_view signature);

}  // namespace observeai::pki
