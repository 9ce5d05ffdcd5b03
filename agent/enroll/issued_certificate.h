// Is the certificate that came back one this host can live with? For this folder only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/pki/certificate.h"

namespace observeai::agent {

// For `key`, in the name of `agent_id`, a client's, by one of `agent_ca_pem`, valid at `now_ms`; and
// `server_ca_pem` is a bundle of authorities. kDenied or kCorrupt, saying which of these fails.
Result<pki::Certificate> check_issued(std::string_view certificate_pem,
                                      std::string_view agent_ca_pem, std::string_view server_ca_pem,
                                      const pki::PrivateKey& key, const std::string& agent_id,
                                      std::int64_t now_ms);

}  // namespace observeai::agent
