#include <doctest/doctest.h>

#include <zstd.h>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/zstd.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

std::string random_text(std::size_t size, std::uint64_t seed) {
  test::Generator random(seed);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random.bits());
  return out;
}

bool corrupt(const std::string& packed) {
  const auto body = detail::decompress(packed);
  return !body && body.error().code() == Errc::kCorrupt;
}

// A frame that does not state its size, as streaming compressors make.
std::string frame_without_size(const std::string& body) {
  std::string out(ZSTD_compressBound(body.size()), '\0');
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  out.resize(ZSTD_compress2(context, out.data(), out.size(), body.data(), body.size()));
  ZSTD_freeCCtx(context);
  return out;
}

}  // namespace

TEST_CASE("bodies come back at every size up to the bound") {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{1000}, kMaxBodyBytes}) {
    const std::string body(size, 'x');
    CHECK(detail::decompress(detail::compress(body).value()).value() == body);
  }
  CHECK(detail::compress(std::string(kMaxBodyBytes + 1, 'x')).error().code() == Errc::kLimit);
}

TEST_CASE("a body in parts comes back, is one frame, and its parts do not cost more than a block") {
  const auto noise = random_text(1000, 3);
  const std::string body = noise + std::string(1000, 'x') + noise;
  const std::vector<std::size_t> ends = {1000, 2000, body.size()};
  const auto packed = detail::compress(body, detail::Effort::kFast, ends).value();
  CHECK(detail::decompress(packed).value() == body);
  CHECK(packed.size() < 1100);
  CHECK(detail::compress(body, detail::Effort::kFast, ends).value() == packed);
  // Parts without a byte, and a part as large as a body may be.
  const std::string most = random_text(500'000, 4) + std::string(kMaxBodyBytes - 500'000, 'y');
  for (const std::vector<std::size_t>& odd :
       {std::vector<std::size_t>{0, 0, most.size()}, std::vector<std::size_t>{most.size()}}) {
    CHECK(detail::decompress(detail::compress(most, detail::Effort::kFast, odd).value()).value() ==
          most);
  }
}

TEST_CASE("what does not pack small enough is refused") {
  CHECK(detail::compress(random_text(kMaxPackedBytes - 1000, 1)));
  CHECK(detail::compress(random_text(kMaxPackedBytes + 1, 1)).error().code() == Errc::kLimit);
}

TEST_CASE("what was packed before leaves no trace") {
  const auto body = random_text(500, 1) + std::string(5000, 'y') + random_text(500, 1);
  const auto alone = detail::compress(body).value();
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    ignore(detail::compress(random_text(seed * 997, seed)), "fills the context");
    REQUIRE(detail::compress(body).value() == alone);
  }
}

TEST_CASE("a bomb is refused by the size it states") {
  const std::string huge(kMaxBodyBytes + 1, '\0');
  std::string bomb(ZSTD_compressBound(huge.size()), '\0');
  bomb.resize(ZSTD_compress(bomb.data(), bomb.size(), huge.data(), huge.size(), 3));
  REQUIRE(bomb.size() < 2000);
  CHECK(corrupt(bomb));
}

TEST_CASE("a bomb that lies about its size is refused") {
  const std::string body(1 << 20, '\0');
  auto packed = detail::compress(body).value();
  // Frame header: magic, descriptor, four bytes of content size (RFC 8878 3.1.1.1).
  REQUIRE((static_cast<std::uint8_t>(packed[4]) >> 6) == 2);
  packed[5] = 16;
  packed[6] = packed[7] = packed[8] = 0;
  CHECK(corrupt(packed));
}

TEST_CASE("anything but one whole frame that states its size is refused") {
  const auto packed = detail::compress("a body of some length, length, length").value();
  REQUIRE(detail::decompress(packed));
  CHECK(corrupt(frame_without_size("a body")));
  CHECK(corrupt(packed + packed));
  CHECK(corrupt(packed + '\0'));
  CHECK(corrupt(std::string("\x50\x2A\x4D\x18\x04\x00\x00\x00skip", 12)));
  CHECK(corrupt(std::string("\x50\x2A\x4D\x18\x04\x00\x00\x00skip", 12) + packed));
  CHECK(corrupt(""));
  CHECK(corrupt(std::string(kMaxPackedBytes + 1, '\0')));
}

TEST_CASE("damage at rest is found: every cut and nearly every flipped bit") {
  const std::string body = "what the spool keeps is not sealed, so the frame carries a checksum";
  const auto packed = detail::compress(body).value();
  test::for_each_damage(packed, [&](const std::string& damaged) {
    const auto got = detail::decompress(damaged);
    // A flip may only pass where it changes nothing (an unused bit of the frame header).
    if (got) CHECK(*got == body);
    if (!got) CHECK(got.error().code() == Errc::kCorrupt);
  });
}

TEST_CASE("an unknown codec is refused") {
  const auto packed = encode_samples({}).value();
  CHECK(decode_samples(packed, static_cast<Codec>(0)).error().code() == Errc::kCorrupt);
  CHECK(decode_logs(packed, static_cast<Codec>(2)).error().code() == Errc::kCorrupt);
}
