#include "controlplane/enroll/token_scope.h"

#include <arpa/inet.h>

#include "protocol/base/text.h"

namespace observeai::controlplane {

namespace {

constexpr unsigned kMappedBits = 96;
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

Error not_an_address(std::string_view text) {
  return Error(Errc::kInvalid,
               "\"" + text::escape_unprintable(text, 60) + "\" is not an IP address");
}

bool same_bits(const IpAddress& a, const IpAddress& b, unsigned bits) {
  for (unsigned i = 0; i < bits; i += 8) {
    const unsigned left = std::min(8U, bits - i);
    const auto mask = static_cast<std::uint8_t>(0xFFU << (8 - left));
    if (((a.bytes[i / 8] ^ b.bytes[i / 8]) & mask) != 0) return false;
  }
  return true;
}

IpAddress cut(const IpAddress& address, unsigned bits) {
  IpAddress out = address;
  for (unsigned i = bits; i < 128; ++i) {
    out.bytes[i / 8] = static_cast<std::uint8_t>(out.bytes[i / 8] & ~(0x80U >> (i % 8)));
  }
  return out;
}

}  // namespace

bool IpAddress::is_v4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes.begin());
}

Result<IpAddress> parse_address(std::string_view text) {
  const std::string plain(text.substr(0, text.find('%')));
  IpAddress out;
  if (inet_pton(AF_INET6, plain.c_str(), out.bytes.data()) == 1) return out;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), out.bytes.begin());
  if (inet_pton(AF_INET, plain.c_str(), out.bytes.data() + kMappedPrefix.size()) == 1) return out;
  return not_an_address(text);
}

Result<Network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  TRY(const auto base, parse_address(text.substr(0, slash)));
  const unsigned extra = base.is_v4() ? kMappedBits : 0;
  const unsigned longest = 128 - extra;
  Network out{base, 128};
  if (slash != std::string_view::npos) {
    const auto prefix = text::parse_u64(text.substr(slash + 1));
    if (!prefix || *prefix > longest) {
      return Error(Errc::kInvalid, "\"" + text::escape_unprintable(text, 60) +
                                       "\" must have a prefix length of 0 to " +
                                       std::to_string(longest));
    }
    out.prefix = static_cast<unsigned>(*prefix) + extra;
  }
  if (cut(base, out.prefix) != base) {
    return Error(Errc::kInvalid, "\"" + std::string(text) +
                                     "\" has bits set beyond its prefix; write the " +
                                     "network's own address");
  }
  return out;
}

bool contains(const Network& network, const IpAddress& address) {
  return network.base.is_v4() == address.is_v4() &&
         same_bits(network.base, address, network.prefix);
}

// Iterative with one restart point: linear in practice, never exponential.
bool matches_host(std::string_view pattern, std::string_view host) {
  std::size_t p = 0;
  std::size_t h = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_host = 0;
  while (h < host.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_host = h;
    } else if (p < pattern.size() && (pattern[p] == '?' || lower(pattern[p]) == lower(host[h]))) {
      ++p;
      ++h;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      h = ++star_host;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace observeai::controlplane
