// From where and for which hosts a token may be used: addresses, networks, host name patterns. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::controlplane {

// IPv4 is held as ::ffff:a.b.c.d, so that both spellings of one address are equal.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool is_v4() const;
  bool operator==(const IpAddress&) const = default;
};

// "192.0.2.7", "2001:db8::7", "fe80::1%eth0" (the zone is dropped).
Result<IpAddress> parse_address(std::string_view text);

struct Network {
  IpAddress base;
  unsigned prefix = 0;  // In bits of the 16 bytes: 96 more than written for IPv4
};

// "10.0.0.0/8", "fd00::/8"; without a prefix one address. kInvalid when bits are set beyond the
// prefix (10.0.0.1/8): that is nearly always a slip.
Result<Network> parse_network(std::string_view text);
// An IPv4 address is never in an IPv6 network, not even ::/0.
bool contains(const Network& network, const IpAddress& address);

// '*' any run, '?' one character, the rest literal; ASCII letters without regard to case.
bool matches_host(std::string_view pattern, std::string_view host);

}  // namespace observeai::controlplane
