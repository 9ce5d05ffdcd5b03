#include <doctest/doctest.h>

#include "observeai/v1/samples.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/varint.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

// Two scrapes: three samples (5, 0.5, stale), then one.
SampleBatch small() {
  return {{{.ts_ms = 1000, .series = {1, 2, 7}, .values = {5, 0.5, std::nan("")}},
           {.ts_ms = 900, .series = {2}, .values = {-3}}}};
}

v1::SampleBody body_of(const SampleBatch& batch) {
  v1::SampleBody body;
  REQUIRE(body.ParseFromString(detail::serialize_samples(batch).value()));
  return body;
}

Errc refused(const v1::SampleBody& body) {
  const auto batch = detail::parse_samples(body.SerializeAsString());
  REQUIRE_FALSE(batch);
  return batch.error().code();
}

Errc not_encoded(const SampleBatch& batch) {
  return encode_samples(batch).error().code();
}

}  // namespace

TEST_CASE("samples come back bit by bit") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    const auto batch = test::Generator(seed).samples();
    const auto bytes = encode_samples(batch).value();
    const auto decoded = decode_samples(bytes, Codec::kZstd).value();
    REQUIRE(test::same(batch, decoded));
    REQUIRE(encode_samples(decoded).value() == bytes);
  }
}

TEST_CASE("the columns are those of the schema") {
  const auto body = body_of(small());
  CHECK(body.encoding() == v1::VALUE_ENCODING_SPLIT);
  CHECK(body.scrape_ts_ms() == std::string("\xD0\x0F\xC7\x01", 4));  // 1000, -100
  CHECK(body.scrape_lengths() == "\x03\x01");
  CHECK(body.series() == "\x01\x01\x05\x02");
  CHECK(body.kinds() == std::string("\x24", 1));  // 00 10 01 00
  CHECK(body.integers() == "\x0A\x05");
  CHECK(body.doubles() == std::string("\0\0\0\0\0\0\xE0\x3F", 8));
}

TEST_CASE("every NaN becomes the canonical one; minus zero stays") {
  const double odd_nan = std::bit_cast<double>(std::uint64_t{0xFFF8DEADBEEF0001});
  const SampleBatch batch{{{.ts_ms = 0, .series = {1, 2}, .values = {odd_nan, -0.0}}}};
  const auto decoded = decode_samples(encode_samples(batch).value(), Codec::kZstd).value();
  CHECK(std::bit_cast<std::uint64_t>(decoded.scrapes[0].values[0]) == 0x7FF8000000000000);
  CHECK(std::signbit(decoded.scrapes[0].values[1]));
}

TEST_CASE("values that break the rules are not encoded") {
  auto batch = small();
  batch.scrapes[0].values.pop_back();
  CHECK(not_encoded(batch) == Errc::kInvalid);
  batch = small();
  batch.scrapes[0].series = {1, 1, 7};
  CHECK(not_encoded(batch) == Errc::kInvalid);
  batch.scrapes[0].series = {7, 2, 1};
  CHECK(not_encoded(batch) == Errc::kInvalid);
  batch.scrapes[0].series = {0, 1, 2};
  CHECK(not_encoded(batch) == Errc::kInvalid);
}

TEST_CASE("series that do not ascend strictly are refused") {
  auto body = body_of(small());
  body.set_series(std::string("\x01\x00\x05\x02", 4));
  CHECK(refused(body) == Errc::kCorrupt);
  body.set_series(std::string("\x00\x01\x05\x02", 4));
  CHECK(refused(body) == Errc::kCorrupt);
  // 1 + (2^32 - 1) would wrap to 0.
  body.set_series(std::string("\x01\xFF\xFF\xFF\xFF\x0F\x05\x02", 8));
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("columns must agree with each other to the last byte") {
  const auto good = body_of(small());
  REQUIRE(detail::parse_samples(good.SerializeAsString()));
  auto body = good;
  body.clear_encoding();
  CHECK(refused(body) == Errc::kCorrupt);
  body = good;
  body.set_encoding(static_cast<v1::ValueEncoding>(2));
  CHECK(refused(body) == Errc::kCorrupt);
  for (const auto* lengths : {"", "\x03", "\x04", "\x03\x02", "\x02\x01", "\x03\x01\x01"}) {
    body = good;
    body.set_scrape_lengths(lengths);
    CHECK(refused(body) == Errc::kCorrupt);
  }
  const auto grow_and_cut = [&](std::string* (v1::SampleBody::*column)()) {
    body = good;
    (body.*column)()->push_back('\x01');
    CHECK(refused(body) == Errc::kCorrupt);
    body = good;
    (body.*column)()->pop_back();
    CHECK(refused(body) == Errc::kCorrupt);
  };
  grow_and_cut(&v1::SampleBody::mutable_scrape_ts_ms);
  grow_and_cut(&v1::SampleBody::mutable_scrape_lengths);
  grow_and_cut(&v1::SampleBody::mutable_series);
  grow_and_cut(&v1::SampleBody::mutable_kinds);
  grow_and_cut(&v1::SampleBody::mutable_integers);
  grow_and_cut(&v1::SampleBody::mutable_doubles);
}

TEST_CASE("kinds: the reserved one and stray bits are refused") {
  auto body = body_of(small());
  body.set_kinds("\x27");  // 3 for the first sample
  CHECK(refused(body) == Errc::kCorrupt);
  const SampleBatch one{{{.ts_ms = 0, .series = {1}, .values = {5}}}};
  body = body_of(one);
  REQUIRE(body.kinds() == std::string(1, '\0'));
  body.set_kinds("\x40");
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("an integer of 2^53 travels as a double, and not otherwise") {
  const double bound = std::ldexp(1, 53);
  const SampleBatch batch{
      {{.ts_ms = 0, .series = {1, 2, 3, 4}, .values = {bound, -bound, bound - 1, 1 - bound}}}};
  auto body = body_of(batch);
  CHECK(body.doubles().size() == 16);
  std::string integers;
  detail::put_varint(integers, detail::zigzag(std::int64_t{1} << 53));
  detail::put_varint(integers, detail::zigzag(1));
  body.set_integers(integers);
  CHECK(refused(body) == Errc::kCorrupt);
  body = body_of(SampleBatch{{{.ts_ms = 0, .series = {1}, .values = {0.5}}}});
  body.set_doubles(std::string("\0\0\0\0\0\0\xF8\x7F", 8));
  CHECK(refused(body) == Errc::kCorrupt);  // NaN has its own kind
}

TEST_CASE("an empty batch and empty scrapes are fine") {
  CHECK(decode_samples(encode_samples({}).value(), Codec::kZstd)->scrapes.empty());
  const SampleBatch batch{
      {{.ts_ms = 5, .series = {}, .values = {}}, {.ts_ms = 6, .series = {}, .values = {}}}};
  CHECK(test::same(decode_samples(encode_samples(batch).value(), Codec::kZstd).value(), batch));
}
