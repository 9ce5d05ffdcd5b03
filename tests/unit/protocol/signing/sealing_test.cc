#include <doctest/doctest.h>

#include <set>
#include <thread>
#include <vector>

#include "protocol/signing/detail/seal_with_nonce.h"
#include "protocol/signing/sealing.h"
#include "tests/unit/protocol/signing/bytes.h"

using namespace observeai;
using namespace observeai::signing;
using test::unhex;
using test::unhex_array;

namespace {
SealingKey key_of(std::uint8_t fill) {
  std::array<std::uint8_t, 32> bytes{};
  bytes.fill(fill);
  return SealingKey(bytes);
}
}  // namespace

TEST_CASE("both sides agree on one key per direction") {
  const auto agent = generate_key_agreement_pair();
  const auto plane = generate_key_agreement_pair();
  const auto at_agent = agent_session_keys(agent, plane.public_key).value();
  const auto at_plane = controlplane_session_keys(plane, agent.public_key).value();
  CHECK(at_agent.up.bytes() == at_plane.up.bytes());
  CHECK(at_agent.down.bytes() == at_plane.down.bytes());
  CHECK(at_agent.up.bytes() != at_agent.down.bytes());

  const auto sealed = seal("report", "context", at_agent.up);
  CHECK(open(sealed, "context", at_plane.up).value() == "report");
  CHECK(open(sealed, "context", at_plane.down).error().code() == Errc::kDenied);
}

TEST_CASE("another agent's keys open nothing") {
  const auto plane = generate_key_agreement_pair();
  const auto one = generate_key_agreement_pair();
  const auto two = generate_key_agreement_pair();
  const auto sealed = seal("x", "", agent_session_keys(one, plane.public_key)->up);
  CHECK_FALSE(open(sealed, "", controlplane_session_keys(plane, two.public_key)->up));
}

TEST_CASE("public keys of small order are refused on both sides") {
  const auto own = generate_key_agreement_pair();
  for (const auto* hex : {
           "0000000000000000000000000000000000000000000000000000000000000000",
           "0100000000000000000000000000000000000000000000000000000000000000",
           "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
           "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
           "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
       }) {
    const auto weak = unhex_array<32>(hex);
    CAPTURE(hex);
    CHECK(agent_session_keys(own, weak).error().code() == Errc::kInvalid);
    CHECK(controlplane_session_keys(own, weak).error().code() == Errc::kInvalid);
  }
}

TEST_CASE("sealing is XChaCha20-Poly1305 of draft-irtf-cfrg-xchacha-03, appendix A.3.1") {
  const SealingKey key(
      unhex_array<32>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
  const auto nonce = unhex_array<24>("404142434445464748494a4b4c4d4e4f5051525354555657");
  const std::string plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.";
  const auto sealed = detail::seal_with_nonce(plain, unhex("50515253c0c1c2c3c4c5c6c7"), key, nonce);
  CHECK(sealed == unhex("404142434445464748494a4b4c4d4e4f5051525354555657"
                        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                        "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                        "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                        "21f9664c97637da9768812f615c68b13b52e"
                        "c0875924c1c7987947deafd8780acf49"));
  CHECK(open(sealed, unhex("50515253c0c1c2c3c4c5c6c7"), key).value() == plain);
}

TEST_CASE("sealed bytes cut anywhere or with any bit flipped are refused") {
  const auto key = key_of(7);
  const auto sealed = seal("forty-two", "about", key);
  CHECK(sealed.size() == 9 + kSealOverheadBytes);
  for (std::size_t length = 0; length < sealed.size(); ++length) {
    CHECK(open(sealed.substr(0, length), "about", key).error().code() == Errc::kDenied);
  }
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    auto changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    CHECK(open(changed, "about", key).error().code() == Errc::kDenied);
  }
  CHECK_FALSE(open(sealed + '\0', "about", key));
  CHECK_FALSE(open(sealed, "abouT", key));
  CHECK_FALSE(open(sealed, "", key));
  CHECK_FALSE(open(sealed, "about", key_of(8)));
  CHECK(open(sealed, "about", key));
}

TEST_CASE("an empty message has a seal too; nonces differ") {
  const auto key = key_of(1);
  CHECK(open(seal("", "", key), "", key).value().empty());
  std::set<std::string> nonces;
  for (int i = 0; i < 100; ++i) nonces.insert(seal("", "", key).substr(0, 24));
  CHECK(nonces.size() == 100);
}

TEST_CASE("sha256 is that of FIPS 180-4") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("comparison in constant time compares") {
  CHECK(equal_constant_time("secret", "secret"));
  CHECK(equal_constant_time("", ""));
  CHECK_FALSE(equal_constant_time("secret", "secreT"));
  CHECK_FALSE(equal_constant_time("secret", "secret "));
}

TEST_CASE("first use from many threads is safe") {
  std::vector<std::thread> threads;
  std::array<bool, 8> ok{};
  for (std::size_t i = 0; i < ok.size(); ++i) {
    threads.emplace_back([&ok, i] {
      const auto key = key_of(static_cast<std::uint8_t>(i));
      ok[i] = open(seal("x", "", key), "", key).has_value();
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(std::all_of(ok.begin(), ok.end(), [](bool b) { return b; }));
}
