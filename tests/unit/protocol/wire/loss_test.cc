#include <doctest/doctest.h>

#include "observeai/v1/batch.pb.h"
#include "protocol/wire/batch_codec.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

LossNotice notice_of(std::size_t sources, std::size_t name_bytes) {
  LossNotice notice{loss_reasons::kEvicted, {}};
  for (std::size_t i = 0; i < sources; ++i) {
    auto number = std::to_string(100'000 + i);
    notice.sources.push_back(
        {number + std::string(name_bytes - number.size(), 'n'), UINT64_MAX, UINT64_MAX});
  }
  return notice;
}

Errc refused(const LossNotice& notice) {
  const auto encoded = encode_loss(notice);
  REQUIRE_FALSE(encoded);
  return encoded.error().code();
}

v1::Ack parsed_ack(const Ack& ack) {
  v1::Ack message;
  REQUIRE(message.ParseFromString(encode_ack(ack)));
  return message;
}

}  // namespace

TEST_CASE("loss notices come back") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    const auto notice = test::Generator(seed).loss();
    REQUIRE(decode_loss(encode_loss(notice).value()).value() == notice);
  }
}

TEST_CASE("a loss notice at its limits fits a message; beyond them it is refused") {
  const auto most = encode_loss(notice_of(kMaxLossSources, kMaxLossSourceBytes));
  REQUIRE(most);
  CHECK(most->size() <= kMaxPackedBytes);
  CHECK(decode_loss(*most)->sources.size() == kMaxLossSources);
  CHECK(refused(notice_of(kMaxLossSources + 1, 10)) == Errc::kLimit);
  CHECK(refused(notice_of(1, kMaxLossSourceBytes + 1)) == Errc::kLimit);
  CHECK(refused({"", {}}) == Errc::kInvalid);
  CHECK(refused({"Evicted", {}}) == Errc::kInvalid);
  CHECK(refused({std::string(33, 'e'), {}}) == Errc::kInvalid);
  CHECK(refused({"evicted", {{"", 1, 1}}}) == Errc::kInvalid);
  CHECK(refused({"evicted", {{"a", 1, 1}, {"a", 1, 1}}}) == Errc::kInvalid);
  CHECK(refused({"evicted", {{"b", 1, 1}, {"a", 1, 1}}}) == Errc::kInvalid);
}

TEST_CASE("a foreign loss notice that breaks a rule or claims too much is refused") {
  v1::LossNotice message;
  CHECK(decode_loss(message.SerializeAsString()).error().code() == Errc::kCorrupt);
  message.set_reason("evicted");
  CHECK(decode_loss(message.SerializeAsString()));
  message.add_sources()->set_name("b");
  message.add_sources()->set_name("b");
  CHECK(decode_loss(message.SerializeAsString()).error().code() == Errc::kCorrupt);
  // 400,000 sources of two bytes each would be 100 MB in memory.
  std::string many;
  for (int i = 0; i < 400'000; ++i) many.append("\x12\x00", 2);
  CHECK(decode_loss(many).error().code() == Errc::kCorrupt);
  test::for_each_damage(encode_loss(test::Generator(7).loss()).value(),
                        [](const auto& bytes) { ignore(decode_loss(bytes), "must not crash"); });
}

TEST_CASE("signals are never read from a loss notice") {
  const auto body = encode_loss(notice_of(1, 10)).value();
  CHECK(decode_logs(body, Codec::kLost).error().code() == Errc::kCorrupt);
  CHECK(decode_samples(body, Codec::kLost).error().code() == Errc::kCorrupt);
  CHECK(decode_control(body, Codec::kLost).error().code() == Errc::kCorrupt);
}

TEST_CASE("an ack carries the lowest runs and not more") {
  Ack ack = test::Generator(3).ack();
  ack.contiguous = {10, 10, 10, 10};
  ack.runs = {};
  for (std::uint64_t i = 0; i < kMaxAckRuns + 5; ++i)
    ack.runs[2].push_back({100 * (i + 1), 100 * (i + 1) + 7});
  const auto came = decode_ack(encode_ack(ack)).value();
  REQUIRE(came.runs[2].size() == kMaxAckRuns);
  CHECK(std::equal(came.runs[2].begin(), came.runs[2].end(), ack.runs[2].begin()));
  // The largest ack stays below its bound.
  ack.contiguous.fill(1);
  for (auto& runs : ack.runs) {
    runs.clear();
    const std::uint64_t step = UINT64_MAX / 2 / kMaxAckRuns;
    for (std::uint64_t i = 1; i <= kMaxAckRuns; ++i)
      runs.push_back({i * step, i * step + step / 2});
  }
  CHECK(test::same(decode_ack(encode_ack(ack)).value(), ack));
}

TEST_CASE("an ack with runs that touch, wrap or lack an end is refused") {
  Ack ack = test::Generator(3).ack();
  ack.contiguous = {10, 10, 10, 10};
  ack.runs = {};
  ack.runs[1] = {{12, 12}};
  const auto good = parsed_ack(ack);
  REQUIRE(decode_ack(good.SerializeAsString()));
  const auto refused_with = [&good](std::initializer_list<std::uint64_t> steps) {
    auto message = good;
    message.mutable_runs(1)->clear_steps();
    for (const auto step : steps) message.mutable_runs(1)->add_steps(step);
    const auto decoded = decode_ack(message.SerializeAsString());
    return !decoded && decoded.error().code() == Errc::kCorrupt;
  };
  CHECK_FALSE(refused_with({2, 0}));
  CHECK(refused_with({2}));
  CHECK(refused_with({1, 0}));
  CHECK(refused_with({0, 5}));
  CHECK(refused_with({UINT64_MAX - 9, 0}));
  CHECK(refused_with({2, UINT64_MAX - 11}));
  auto three = good;
  three.mutable_runs()->RemoveLast();
  CHECK_FALSE(decode_ack(three.SerializeAsString()));
  auto five = good;
  five.add_runs();
  CHECK_FALSE(decode_ack(five.SerializeAsString()));
}

TEST_CASE("content without a number, a number without content and half a tag are refused") {
  Ack ack = test::Generator(3).ack();
  ack.newest = {};
  ack.newest[1] = {7, {1, 2, 3}};
  const auto good = parsed_ack(ack);
  REQUIRE(decode_ack(good.SerializeAsString())->newest[1] == CommittedContent{7, {1, 2, 3}});
  for (const auto& change : std::initializer_list<void (*)(v1::Ack&)>{
           [](v1::Ack& m) { m.mutable_newest(1)->clear_hash(); },
           [](v1::Ack& m) { m.mutable_newest(1)->set_seq(0); },
           [](v1::Ack& m) { m.mutable_newest(1)->set_hash("1234567"); },
           [](v1::Ack& m) { m.mutable_newest(1)->set_hash(std::string(8, '\0')); },
           [](v1::Ack& m) { m.add_newest(); }}) {
    auto message = good;
    change(message);
    CHECK_FALSE(decode_ack(message.SerializeAsString()));
  }
}

TEST_CASE("a hello names no more batches than it keeps, and at most 128 at each end") {
  Hello hello = test::Generator(4).hello();
  hello.pending = {};
  hello.oldest_seq.fill(5);
  hello.next_seq.fill(5 + 2 * kMaxPendingTags);
  hello.pending[2].oldest.assign(kMaxPendingTags, {1});
  hello.pending[2].newest.assign(kMaxPendingTags, {2});
  CHECK(test::same(decode_hello(encode_hello(hello)).value(), hello));
  auto more = hello;
  more.next_seq[2] += 10;
  more.pending[2].oldest.push_back({3});
  CHECK(decode_hello(encode_hello(more)).error().code() == Errc::kCorrupt);
  auto fewer = hello;
  --fewer.next_seq[2];
  CHECK(decode_hello(encode_hello(fewer)).error().code() == Errc::kCorrupt);
  v1::Hello message;
  REQUIRE(message.ParseFromString(encode_hello(hello)));
  message.mutable_pending(2)->set_newest("odd");
  CHECK(decode_hello(message.SerializeAsString()).error().code() == Errc::kCorrupt);
}

TEST_CASE("a header with a bad origin, session or a loss with signals is refused") {
  auto header = test::Generator(1).plain_header();
  header.codec = Codec::kLost;
  header.n = 0;
  header.origin = BatchOrigin{{{1, 2, 3}}, 9};
  header.session = {1};
  v1::BatchHeader good;
  REQUIRE(good.ParseFromString(encode_header(header)));
  REQUIRE(decode_header(good.SerializeAsString()).value() == header);
  for (const auto& change : std::initializer_list<void (*)(v1::BatchHeader&)>{
           [](v1::BatchHeader& m) { m.set_n(1); },
           [](v1::BatchHeader& m) { m.mutable_origin()->set_seq(0); },
           [](v1::BatchHeader& m) { m.mutable_origin()->set_epoch("short"); },
           [](v1::BatchHeader& m) { m.mutable_origin()->set_epoch(m.epoch()); },
           [](v1::BatchHeader& m) { m.set_session("short"); },
           [](v1::BatchHeader& m) { m.set_session(std::string(8, '\0')); },
           [](v1::BatchHeader& m) { m.set_codec(static_cast<v1::Codec>(3)); }}) {
    auto message = good;
    change(message);
    CHECK(decode_header(message.SerializeAsString()).error().code() == Errc::kCorrupt);
  }
}
