#include <doctest/doctest.h>

#include "observeai/v1/batch.pb.h"
#include "protocol/wire/batch_codec.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

template <class Message>
Message parsed(const std::string& bytes) {
  Message message;
  REQUIRE(message.ParseFromString(bytes));
  return message;
}

bool corrupt(const v1::BatchHeader& message) {
  const auto header = decode_header(message.SerializeAsString());
  return !header && header.error().code() == Errc::kCorrupt;
}

}  // namespace

TEST_CASE("headers, hellos and acks come back") {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    CAPTURE(seed);
    test::Generator random(seed);
    const auto header = random.header();
    REQUIRE(decode_header(encode_header(header)).value() == header);
    const auto hello = random.hello();
    REQUIRE(test::same(decode_hello(encode_hello(hello)).value(), hello));
    const auto ack = random.ack();
    REQUIRE(test::same(decode_ack(encode_ack(ack)).value(), ack));
  }
}

TEST_CASE("the largest header stays far below its bound") {
  auto header = test::Generator(1).header();
  header.agent = AgentId::parse(std::string(kMaxIdLength, 'a')).value();
  header.seq = UINT64_MAX;
  header.n = UINT32_MAX;
  header.first_ts_ms = header.last_ts_ms = INT64_MIN;
  header.codec = Codec::kZstd;
  header.origin = BatchOrigin{{{1, 2, 3}}, UINT64_MAX};
  header.session.fill(0xFF);
  CHECK(encode_header(header).size() < kMaxHeaderBytes / 2);
  CHECK(decode_header(encode_header(header)).value() == header);
}

TEST_CASE("a header that breaks a rule is refused") {
  const auto good = parsed<v1::BatchHeader>(encode_header(test::Generator(1).header()));
  REQUIRE_FALSE(corrupt(good));
  const auto broken = [&good](auto change) {
    auto message = good;
    change(message);
    return corrupt(message);
  };
  CHECK(broken([](auto& m) { m.set_agent_id(""); }));
  CHECK(broken([](auto& m) { m.set_agent_id("a/b"); }));
  CHECK(broken([](auto& m) { m.set_agent_id(std::string(65, 'a')); }));
  CHECK(broken([](auto& m) { m.set_epoch(std::string(15, 'e')); }));
  CHECK(broken([](auto& m) { m.set_epoch(std::string(17, 'e')); }));
  CHECK(broken([](auto& m) { m.set_lane(static_cast<v1::Lane>(4)); }));
  CHECK(broken([](auto& m) { m.set_lane(static_cast<v1::Lane>(-1)); }));
  CHECK(broken([](auto& m) { m.set_seq(0); }));
  CHECK(broken([](auto& m) { m.set_codec(v1::CODEC_UNSPECIFIED); }));
  CHECK(broken([](auto& m) { m.set_codec(static_cast<v1::Codec>(257)); }));
  const auto padded = encode_header(test::Generator(1).header()) + "\xFA\x7F\xFF\x03";
  CHECK_FALSE(decode_header(padded + std::string(511, 'x')));
}

TEST_CASE("fields of a hello that are no more are passed over") {
  const auto hello = test::Generator(2).hello();
  const std::string before(
      "\x70\x05\x78\x02\x82\x01\x02"
      "ef",
      9);  // 14, 15 and 16
  CHECK(test::same(decode_hello(encode_hello(hello) + before).value(), hello));
}

TEST_CASE("what a hello tells of the executor keeps its rules on both sides") {
  auto hello = test::Generator(2).hello();
  hello.executor = test::Generator(3).executor();
  hello.executor->audit_seq = 7;
  hello.executor->audit_hash = {1};
  const auto good = parsed<v1::Hello>(encode_hello(hello));
  const auto broken = [&good](auto change) {
    auto message = good;
    change(*message.mutable_executor());
    const auto decoded = decode_hello(message.SerializeAsString());
    return !decoded && decoded.error().code() == Errc::kCorrupt;
  };
  CHECK_FALSE(broken([](auto&) {}));
  CHECK(broken([](auto& m) { m.clear_session(); }));
  CHECK(broken([](auto& m) { m.set_session(std::string(15, 's')); }));
  CHECK(broken([](auto& m) { m.set_time_challenge(std::string(17, 's')); }));
  CHECK(broken([](auto& m) { m.set_time_challenge(std::string(16, '\0')); }));
  CHECK(broken([](auto& m) { m.set_policy_hash(std::string(63, 'a')); }));
  CHECK(broken([](auto& m) { m.set_policy_hash(std::string(64, 'A')); }));
  CHECK(broken([](auto& m) { m.set_state(std::string(257, 'a')); }));
  CHECK(broken([](auto& m) { m.set_state("a\x1b[31m"); }));
  CHECK(broken([](auto& m) { m.set_audit_seq(0); }));
  CHECK(broken([](auto& m) { m.clear_audit_hash(); }));
  CHECK(broken([](auto& m) { m.set_audit_hash(std::string(32, '\0')); }));
  CHECK(broken([](auto& m) { m.set_audit_hash(std::string(33, 'a')); }));

  // A hello is not withheld because of what an executor says.
  auto& report = *hello.executor;
  report.policy_hash = "unreadable";
  report.audit_hash = {};
  for (const std::string piece : {"a", "\n", "\xFF", "\xE2\x80\xAE", "\xF0\x9F\x98\x80"}) {
    report.state.clear();
    while (report.state.size() < 300) report.state += piece;
    const auto decoded = decode_hello(encode_hello(hello));
    REQUIRE(decoded);
    CHECK(decoded->executor->policy_hash.empty());
    CHECK(decoded->executor->audit_seq == 0);
    CHECK(decoded->executor->state.size() > 200);
    CHECK(decoded->executor->state.ends_with("..."));
    CHECK(decoded->executor->session == report.session);
  }
}

TEST_CASE("a hello or ack with other than one number per lane, or a nonce cut short, is refused") {
  const auto good_hello = parsed<v1::Hello>(encode_hello(test::Generator(2).hello()));
  auto hello = good_hello;
  hello.add_next_seq(1);
  CHECK(decode_hello(hello.SerializeAsString()).error().code() == Errc::kCorrupt);
  hello = good_hello;
  hello.clear_oldest_seq();
  CHECK(decode_hello(hello.SerializeAsString()).error().code() == Errc::kCorrupt);
  hello = good_hello;
  hello.set_session_nonce("short");
  CHECK(decode_hello(hello.SerializeAsString()).error().code() == Errc::kCorrupt);
  hello = good_hello;
  hello.clear_counters();
  hello.add_counters()->set_name("b");
  hello.add_counters()->set_name("b");
  CHECK(decode_hello(hello.SerializeAsString()).error().code() == Errc::kCorrupt);

  hello = good_hello;
  for (const char* challenge : {"short", "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"}) {
    hello.set_challenge(challenge, *challenge == 0 ? 16 : 5);
    CHECK(decode_hello(hello.SerializeAsString()).error().code() == Errc::kCorrupt);
  }

  auto ack = parsed<v1::Ack>(encode_ack(test::Generator(3).ack()));
  ack.add_contiguous(9);
  CHECK(decode_ack(ack.SerializeAsString()).error().code() == Errc::kCorrupt);
  ack = parsed<v1::Ack>(encode_ack(test::Generator(3).ack()));
  ack.clear_session_nonce();
  CHECK(decode_ack(ack.SerializeAsString()).error().code() == Errc::kCorrupt);
}

TEST_CASE("oversized and overfull messages are refused") {
  auto hello = test::Generator(4).hello();
  hello.agent_version.assign(kMaxSealedBytes, 'v');
  CHECK(decode_hello(encode_hello(hello)).error().code() == Errc::kCorrupt);
  // 500,000 counters of two bytes each would be 100 MB in memory.
  std::string counters;
  for (int i = 0; i < 500'000; ++i) counters.append("\x8A\x01\x00", 3);
  CHECK(decode_hello(counters).error().code() == Errc::kCorrupt);
}

TEST_CASE("random and damaged bytes never crash a decoder") {
  test::Generator random(5);
  const auto probe = [](const std::string& bytes) {
    ignore(decode_header(bytes), "must not crash");
    ignore(decode_hello(bytes), "must not crash");
    ignore(decode_ack(bytes), "must not crash");
  };
  test::for_each_damage(encode_hello(random.hello()), probe);
  test::for_each_damage(encode_ack(random.ack()), probe);
  for (int i = 0; i < 5000; ++i) probe(random.bytes(300));
}
