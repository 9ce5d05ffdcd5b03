#include "agent/logs/fingerprint.h"

#include <bit>
#include <cstring>

namespace observeai::agent {
namespace {

struct SipState {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  }
  void absorb(std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};

// Little-endian, whatever the machine is: the value is stored.
std::uint64_t load_word(const char* from, std::size_t size) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) {
    word |= static_cast<std::uint64_t>(static_cast<unsigned char>(from[i])) << (8 * i);
  }
  return word;
}

}  // namespace

// J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF", 2012.
std::uint64_t sip_hash_2_4(std::uint64_t key0, std::uint64_t key1, std::string_view bytes) {
  SipState state{key0 ^ 0x736f6d6570736575, key1 ^ 0x646f72616e646f6d, key0 ^ 0x6c7967656e657261,
                 key1 ^ 0x7465646279746573};
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) state.absorb(load_word(bytes.data() + at, 8));
  const auto rest = load_word(bytes.data() + at, bytes.size() - at);
  state.absorb(static_cast<std::uint64_t>(bytes.size()) << 56 | rest);
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

std::uint64_t fingerprint(std::string_view bytes) {
  return sip_hash_2_4(0x4f62736572766541, 0x49206c6f67732031, bytes);
}

}  // namespace observeai::agent
