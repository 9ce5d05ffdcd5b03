#include <doctest/doctest.h>

#include "observeai/v1/logs.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

LogBatch small() {
  return {{{.target = "unit/a", .stream = LogStream::kStdout, .ts_ns = 100, .text = "one"},
           {.target = "host",
            .stream = LogStream::kStderr,
            .ts_ns = 90,
            .text = "",
            .flags = 3,
            .original_bytes = 300},
           {.target = "unit/a",
            .stream = LogStream::kOther,
            .ts_ns = 90,
            .text = std::string("\0\n\xFF", 3)}}};
}

v1::LogBody body_of(const LogBatch& batch) {
  v1::LogBody body;
  REQUIRE(body.ParseFromString(detail::serialize_logs(batch).value()));
  return body;
}

Errc refused(const v1::LogBody& body) {
  const auto batch = detail::parse_logs(body.SerializeAsString());
  REQUIRE_FALSE(batch);
  return batch.error().code();
}

}  // namespace

TEST_CASE("log records come back byte by byte") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    const auto batch = test::Generator(seed).logs();
    const auto bytes = encode_logs(batch).value();
    const auto decoded = decode_logs(bytes, Codec::kZstd).value();
    REQUIRE(test::same(batch, decoded));
    REQUIRE(encode_logs(decoded).value() == bytes);
  }
}

TEST_CASE("the text column, written apart, stands where protobuf puts it") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    auto batch = test::Generator(seed).logs();
    if (seed == 0) batch.records.clear();
    if (seed == 1) {
      for (auto& record : batch.records) record.text.clear();
    }
    const auto bytes = detail::serialize_logs(batch).value();
    v1::LogBody body;
    REQUIRE(body.ParseFromString(bytes));
    REQUIRE(body.SerializeAsString() == bytes);
  }
}

TEST_CASE("the columns are those of the schema") {
  const auto body = body_of(small());
  CHECK(body.text_encoding() == v1::LOG_TEXT_ENCODING_CONCATENATED);
  CHECK(body.target_lengths() == "\x06\x04");
  CHECK(body.target_text() == "unit/ahost");
  CHECK(body.record_targets() == std::string("\0\1\0", 3));
  CHECK(body.streams() == "\1\2\3");
  CHECK(body.ts_ns() == std::string("\xC8\x01\x13\x00", 4));  // 100, -10, 0
  CHECK(body.flags() == std::string("\0\3\0", 3));
  CHECK(body.original_bytes() == std::string("\x00\xAC\x02\x00", 4));
  CHECK(body.text_lengths() == std::string("\3\0\3", 3));
  CHECK(body.text() == std::string("one\0\n\xFF", 6));
}

TEST_CASE("unknown streams are refused on both sides") {
  auto batch = small();
  batch.records[0].stream = static_cast<LogStream>(0);
  CHECK(encode_logs(batch).error().code() == Errc::kInvalid);
  batch.records[0].stream = static_cast<LogStream>(4);
  CHECK(encode_logs(batch).error().code() == Errc::kInvalid);
  auto body = body_of(small());
  body.set_streams(std::string("\1\0\3", 3));
  CHECK(refused(body) == Errc::kCorrupt);
  body.set_streams("\1\4\3");
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("columns must agree with each other to the last byte") {
  const auto good = body_of(small());
  REQUIRE(detail::parse_logs(good.SerializeAsString()));
  auto body = good;
  body.set_text_encoding(static_cast<v1::LogTextEncoding>(2));
  CHECK(refused(body) == Errc::kCorrupt);
  body = good;
  body.set_record_targets(std::string("\0\2\0", 3));  // No such target
  CHECK(refused(body) == Errc::kCorrupt);
  body = good;
  body.set_text_lengths(std::string("\3\0\4", 3));
  CHECK(refused(body) == Errc::kCorrupt);
  body.set_text_lengths(std::string("\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\1\0", 12));
  CHECK(refused(body) == Errc::kCorrupt);
  const auto grow_and_cut = [&](std::string* (v1::LogBody::*column)()) {
    body = good;
    (body.*column)()->push_back('\x01');
    CHECK(refused(body) == Errc::kCorrupt);
    body = good;
    (body.*column)()->pop_back();
    CHECK(refused(body) == Errc::kCorrupt);
  };
  grow_and_cut(&v1::LogBody::mutable_target_lengths);
  grow_and_cut(&v1::LogBody::mutable_target_text);
  grow_and_cut(&v1::LogBody::mutable_record_targets);
  grow_and_cut(&v1::LogBody::mutable_streams);
  grow_and_cut(&v1::LogBody::mutable_ts_ns);
  grow_and_cut(&v1::LogBody::mutable_flags);
  grow_and_cut(&v1::LogBody::mutable_original_bytes);
  grow_and_cut(&v1::LogBody::mutable_text_lengths);
  grow_and_cut(&v1::LogBody::mutable_text);
}

TEST_CASE("many short records of one long target are counted before memory is taken") {
  // 3 MiB on the wire would be 500,000 records x 4 KiB of target = 2 GB.
  constexpr std::size_t kRecords = 500'000;
  v1::LogBody body;
  body.set_text_encoding(v1::LOG_TEXT_ENCODING_CONCATENATED);
  body.set_target_lengths("\x80\x20");
  body.set_target_text(std::string(4096, 't'));
  body.set_streams(std::string(kRecords, '\1'));
  for (auto* column : {body.mutable_record_targets(), body.mutable_ts_ns(), body.mutable_flags(),
                       body.mutable_original_bytes(), body.mutable_text_lengths()}) {
    column->assign(kRecords, '\0');
  }
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("an empty batch is fine") {
  CHECK(decode_logs(encode_logs({}).value(), Codec::kZstd)->records.empty());
}
