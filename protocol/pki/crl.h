// Certificate revocation lists.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/pki/certificate.h"

namespace observeai::pki {

struct RevokedCertificate {
  std::string serial;  // Hex
  std::int64_t revoked_ms = 0;
};

struct RevocationList {
  std::string issuer;
  std::int64_t this_update_ms = 0;
  std::int64_t next_update_ms = 0;
  std::vector<RevokedCertificate> revoked;  // Sorted by serial
};

// `number` must grow from list to list. Mosquitto refuses every client once a list is past its
// validity, so reissue long before.
Result<std::string> make_revocation_list(const Authority& authority,
                                         std::span<const RevokedCertificate> revoked,
                                         std::uint64_t number, Validity validity);
// kCorrupt when it does not parse, kDenied when `authority` did not sign it.
Result<RevocationList> parse_revocation_list(std::string_view pem, const Certificate& authority);

}  // namespace observeai::pki
