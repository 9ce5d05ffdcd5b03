#include <doctest/doctest.h>

#include "observeai/v1/logs.pb.h"
#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/body.h"
#include "protocol/wire/detail/varint.h"
#include "tests/unit/protocol/wire/log_lines.h"

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
  REQUIRE(body.ParseFromString(detail::serialize_logs(batch).value().bytes));
  return body;
}

Errc refused(const v1::LogBody& body) {
  const auto batch = detail::parse_logs(body.SerializeAsString());
  REQUIRE_FALSE(batch);
  return batch.error().code();
}

// What stands before the lines: one target "h" and for each column of records a constant.
std::string constants(std::uint64_t records, const std::string& stream, const std::string& flags) {
  std::string head;
  detail::put_varint(head, records);
  head.append(std::string("\1\0\1", 3));                 // One target, of one byte
  head.append(std::string("\0\0", 2));                   // Of all records
  head.append(stream).append(std::string("\0\x64", 2));  // At 100 ns
  head.append(flags).append(std::string("\0\0", 2));
  return head;
}

v1::LogBody body_with(const std::string& head, std::size_t empty_lines) {
  v1::LogBody body;
  body.set_form(v1::LOG_FORM_SKELETONS);
  // One skeleton of one text, which is empty.
  body.set_head(head + (empty_lines > 0 ? std::string("\1\1\0\0\0", 5) : std::string("\0", 1)));
  body.set_text("h");
  body.set_numbers(empty_lines > 0 ? '\0' + std::string(empty_lines - 1, '\2') : "");
  return body;
}

const std::string kStdoutColumn("\0\1", 2);
const std::string kNoFlags("\0\0", 2);

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

TEST_CASE("lines of logs come back byte by byte") {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    CAPTURE(seed);
    test::Sentences sentences(seed);
    auto batch = test::Generator(seed).logs();
    for (auto& record : batch.records) record.text = sentences.line();
    REQUIRE(decode_logs(encode_logs(batch).value(), Codec::kZstd)->records == batch.records);
  }
}

TEST_CASE("sections stand where protobuf puts them, and their ends are told") {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CAPTURE(seed);
    auto batch = test::Generator(seed).logs();
    if (seed == 0) batch.records.clear();
    if (seed == 1) {
      for (auto& record : batch.records) record.text.clear();
    }
    const auto [bytes, ends] = detail::serialize_logs(batch).value();
    v1::LogBody body;
    REQUIRE(body.ParseFromString(bytes));
    REQUIRE(body.SerializeAsString() == bytes);
    REQUIRE(ends.back() == bytes.size());
    for (const auto end : ends) {
      // Up to an end the bytes are whole fields.
      REQUIRE(v1::LogBody().ParseFromString(bytes.substr(0, end)));
    }
  }
}

TEST_CASE("the columns of records are those of the schema") {
  const auto body = body_of(small());
  CHECK(body.form() == v1::LOG_FORM_SKELETONS);
  CHECK(body.text() == std::string("unit/ahostone\0\n\xFF", 16));
  CHECK(body.head().substr(0, 2) == "\3\2");
  const auto twelve = body_with(constants(12, kStdoutColumn, kNoFlags), 12);
  const auto batch = detail::parse_logs(twelve.SerializeAsString()).value();
  REQUIRE(batch.records.size() == 12);
  CHECK(batch.records[11] == LogRecord{.target = "h",
                                       .stream = LogStream::kStdout,
                                       .ts_ns = 100,
                                       .text = "",
                                       .flags = 0,
                                       .original_bytes = 0});
}

TEST_CASE("unknown streams are refused on both sides") {
  auto batch = small();
  batch.records[0].stream = static_cast<LogStream>(0);
  CHECK(encode_logs(batch).error().code() == Errc::kInvalid);
  batch.records[0].stream = static_cast<LogStream>(4);
  CHECK(encode_logs(batch).error().code() == Errc::kInvalid);
  for (const char stream : {'\0', '\4'}) {
    const std::string column = {'\0', stream};
    CHECK(refused(body_with(constants(1, column, kNoFlags), 1)) == Errc::kCorrupt);
  }
  CHECK(refused(body_with(constants(1, std::string("\0\x81\x02", 3), kNoFlags), 1)) ==
        Errc::kCorrupt);  // 257
}

TEST_CASE("flags have 32 bits") {
  const std::string most("\0\xFF\xFF\xFF\xFF\x0F", 6);
  const auto body = body_with(constants(1, kStdoutColumn, most), 1);
  CHECK(detail::parse_logs(body.SerializeAsString())->records[0].flags == UINT32_MAX);
  const std::string beyond("\0\x80\x80\x80\x80\x10", 6);
  CHECK(refused(body_with(constants(1, kStdoutColumn, beyond), 1)) == Errc::kCorrupt);
}

TEST_CASE("sections must agree with each other to the last byte") {
  const auto good = body_of(small());
  REQUIRE(detail::parse_logs(good.SerializeAsString()));
  auto body = good;
  for (const int form : {0, 1, 3}) {
    body.set_form(static_cast<v1::LogForm>(form));
    CHECK(refused(body) == Errc::kCorrupt);
  }
  const auto grow_and_cut = [&](std::string* (v1::LogBody::*section)()) {
    body = good;
    (body.*section)()->push_back('\x01');
    CHECK(refused(body) == Errc::kCorrupt);
    body = good;
    if ((body.*section)()->empty()) return;
    (body.*section)()->pop_back();
    CHECK(refused(body) == Errc::kCorrupt);
  };
  grow_and_cut(&v1::LogBody::mutable_head);
  grow_and_cut(&v1::LogBody::mutable_text);
  grow_and_cut(&v1::LogBody::mutable_numbers);
  grow_and_cut(&v1::LogBody::mutable_packed);
}

TEST_CASE("a record of an unknown target is refused") {
  auto head = constants(1, kStdoutColumn, kNoFlags);
  head[5] = '\1';  // The second of one
  CHECK(refused(body_with(head, 1)) == Errc::kCorrupt);
}

TEST_CASE("records that cost no byte are counted before memory is taken") {
  // Constants take no byte for each record: a few bytes could claim any number of them.
  for (const std::uint64_t records : {std::uint64_t{kMaxDecodedBytes}, UINT64_MAX}) {
    CHECK(refused(body_with(constants(records, kStdoutColumn, kNoFlags), 0)) == Errc::kCorrupt);
  }
}

TEST_CASE("many short records of one long target are counted before memory is taken") {
  // 100,000 records x 4 KiB of target = 400 MB.
  constexpr std::size_t kRecords = 100'000;
  auto head = constants(kRecords, kStdoutColumn, kNoFlags);
  const auto at = head.find(std::string("\1\0\1", 3));
  head.replace(at, 3, std::string("\1\0\x80\x20", 4));
  auto body = body_with(head, kRecords);
  body.set_text(std::string(4096, 't'));
  CHECK(refused(body) == Errc::kCorrupt);
}

TEST_CASE("an empty batch is fine") {
  CHECK(decode_logs(encode_logs({}).value(), Codec::kZstd)->records.empty());
}
