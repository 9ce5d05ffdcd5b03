// Authorities and leaves for the tests of this folder.
#pragma once

#include <doctest/doctest.h>

#include "protocol/pki/certificate.h"

namespace observeai::test {

inline constexpr std::int64_t kNow = 1'700'000'000'000;
inline constexpr std::int64_t kDay = 86'400'000;

inline pki::PrivateKey new_key() {
  return pki::PrivateKey::generate().value();
}

inline pki::Authority new_authority(const std::string& name, std::int64_t lifetime = 3650 * kDay) {
  auto key = new_key();
  auto certificate = pki::make_authority(key, name, pki::validity_from(kNow, lifetime));
  return {key, certificate.value()};
}

inline pki::Certificate new_client(const pki::Authority& authority, const pki::PrivateKey& key,
                                   const std::string& name = "web-1",
                                   std::int64_t lifetime = 30 * kDay) {
  const auto request = pki::make_request(key, "ignored").value();
  return pki::issue_client(authority, request, name, pki::validity_from(kNow, lifetime)).value();
}

inline pki::Certificate new_server(const pki::Authority& authority, const pki::PrivateKey& key) {
  const std::vector<std::string> names{"localhost", "cp.example.com", "127.0.0.1", "::1"};
  return pki::issue_server(authority, key, names, pki::validity_from(kNow, 90 * kDay)).value();
}

}  // namespace observeai::test
