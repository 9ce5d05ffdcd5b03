#include <doctest/doctest.h>

#include "protocol/wire/batch_codec.h"
#include "protocol/wire/detail/framing.h"
#include "protocol/wire/sealed.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

struct Fleet {
  signing::KeyAgreementPair plane = signing::generate_key_agreement_pair();
  signing::KeyAgreementPair one = signing::generate_key_agreement_pair();
  signing::KeyAgreementPair two = signing::generate_key_agreement_pair();
  signing::SessionKeys keys_one = signing::agent_session_keys(one, plane.public_key).value();
  signing::SessionKeys keys_two = signing::agent_session_keys(two, plane.public_key).value();
};

Batch small_batch() {
  return {test::Generator(9).header(), encode_logs(test::Generator(9).logs()).value()};
}

AgentId agent(const char* id) {
  return AgentId::parse(id).value();
}

}  // namespace

TEST_CASE("a batch comes back, and its header can be read before its key is known") {
  const Fleet fleet;
  const auto batch = small_batch();
  const auto sealed = seal_batch(batch, fleet.keys_one.up);
  CHECK(peek_batch_header(sealed).value() == batch.header);
  const auto at_plane =
      signing::controlplane_session_keys(fleet.plane, fleet.one.public_key).value();
  const auto opened = open_batch(sealed, at_plane.up).value();
  CHECK(opened.header == batch.header);
  CHECK(opened.body == batch.body);
  CHECK(sealed.find(batch.body) == std::string::npos);
}

TEST_CASE("another agent's key and the other direction's key open nothing") {
  const Fleet fleet;
  const auto sealed = seal_batch(small_batch(), fleet.keys_one.up);
  CHECK(open_batch(sealed, fleet.keys_one.down).error().code() == Errc::kDenied);
  CHECK(open_batch(sealed, fleet.keys_two.up).error().code() == Errc::kDenied);
}

TEST_CASE("a sealed batch cut anywhere or with any bit flipped is refused") {
  const Fleet fleet;
  const auto sealed = seal_batch(small_batch(), fleet.keys_one.up);
  REQUIRE(open_batch(sealed, fleet.keys_one.up));
  test::for_each_damage(sealed, [&](const std::string& damaged) {
    const auto opened = open_batch(damaged, fleet.keys_one.up);
    REQUIRE_FALSE(opened);
    CHECK((opened.error().code() == Errc::kDenied || opened.error().code() == Errc::kCorrupt));
    ignore(peek_batch_header(damaged), "must not crash");
  });
  CHECK_FALSE(open_batch(sealed + '\0', fleet.keys_one.up));
}

TEST_CASE("a body does not open under another header, though one key sealed both") {
  const Fleet fleet;
  auto batch = small_batch();
  const auto first = seal_batch(batch, fleet.keys_one.up);
  ++batch.header.seq;
  const auto second = seal_batch(batch, fleet.keys_one.up);
  const auto parts_first = detail::split(first).value();
  const auto parts_second = detail::split(second).value();
  CHECK(open_batch(detail::join(parts_first), fleet.keys_one.up));
  const auto swapped = detail::join({parts_first.header, parts_second.sealed_body});
  CHECK(open_batch(swapped, fleet.keys_one.up).error().code() == Errc::kDenied);
}

TEST_CASE("the framing has one form") {
  const auto sealed = detail::join({"head", "body"});
  CHECK(sealed ==
        "\x0A\x04head\x12\x04"
        "body");
  CHECK(detail::split(sealed)->header == "head");
  CHECK(detail::split(sealed)->sealed_body == "body");
  for (const auto& bad : {std::string(), std::string("\x0A\x04head"),
                          std::string("\x12\x04"
                                      "body\x0A\x04head"),
                          std::string("\x0A\x84\x00head\x12\x04"
                                      "body",
                                      13),
                          sealed + sealed, sealed + "\x1A\x01x",
                          std::string("\x08\x04head\x12\x04"
                                      "body"),
                          "\x0A\x81\x04" + std::string(513, 'h') +
                              "\x12\x04"
                              "body"}) {
    CHECK(detail::split(bad).error().code() == Errc::kCorrupt);
  }
  CHECK(detail::split("\x0A\x80\x04" + std::string(512, 'h') +
                      "\x12\x04"
                      "body"));
}

TEST_CASE("size is looked at before anything else") {
  const Fleet fleet;
  const std::string big(kMaxSealedBytes + 1, '\x0A');
  CHECK(open_batch(big, fleet.keys_one.up).error().code() == Errc::kLimit);
  CHECK(peek_batch_header(big).error().code() == Errc::kLimit);
  CHECK(open_hello(big, agent("a"), fleet.keys_one.up).error().code() == Errc::kLimit);
  CHECK(open_ack(big, agent("a"), fleet.keys_one.up).error().code() == Errc::kLimit);
}

TEST_CASE("the largest body that encoders make fits a message") {
  const Fleet fleet;
  Batch batch{test::Generator(1).header(), std::string(kMaxPackedBytes, 'b')};
  batch.header.agent = agent(std::string(kMaxIdLength, 'a').c_str());
  const auto sealed = seal_batch(batch, fleet.keys_one.up);
  CHECK(sealed.size() <= kMaxSealedBytes);
  CHECK(open_batch(sealed, fleet.keys_one.up)->body == batch.body);
}

TEST_CASE("hello and ack come back, bound to their agent and direction") {
  const Fleet fleet;
  const auto hello = test::Generator(3).hello();
  const auto sealed_hello = seal_hello(hello, fleet.keys_one.up);
  CHECK(test::same(open_hello(sealed_hello, hello.agent, fleet.keys_one.up).value(), hello));
  CHECK(open_hello(sealed_hello, agent("another"), fleet.keys_one.up).error().code() ==
        Errc::kDenied);
  CHECK(open_hello(sealed_hello, hello.agent, fleet.keys_two.up).error().code() == Errc::kDenied);
  CHECK(open_hello(sealed_hello, hello.agent, fleet.keys_one.down).error().code() == Errc::kDenied);

  const auto ack = test::Generator(4).ack();
  const auto sealed_ack = seal_ack(ack, fleet.keys_one.down);
  CHECK(test::same(open_ack(sealed_ack, ack.agent, fleet.keys_one.down).value(), ack));
  CHECK(open_ack(sealed_ack, agent("another"), fleet.keys_one.down).error().code() ==
        Errc::kDenied);
  CHECK(open_ack(sealed_ack, ack.agent, fleet.keys_two.down).error().code() == Errc::kDenied);
  CHECK(open_ack(sealed_ack, ack.agent, fleet.keys_one.up).error().code() == Errc::kDenied);
  test::for_each_damage(sealed_ack, [&](const std::string& damaged) {
    REQUIRE(open_ack(damaged, ack.agent, fleet.keys_one.down).error().code() == Errc::kDenied);
  });
}

TEST_CASE("one kind of message never opens as another, even under one key") {
  const Fleet fleet;
  const auto& key = fleet.keys_one.up;
  const auto ack = test::Generator(5).ack();
  CHECK(open_hello(seal_ack(ack, key), ack.agent, key).error().code() == Errc::kDenied);
  const auto hello = test::Generator(5).hello();
  CHECK(open_ack(seal_hello(hello, key), hello.agent, key).error().code() == Errc::kDenied);
  // A hello as the body of a batch whose header is the agent's id.
  const auto forged = detail::join({hello.agent.value(), seal_hello(hello, key)});
  CHECK(open_batch(forged, key).error().code() == Errc::kDenied);
}

TEST_CASE("who holds a key still speaks for its own agent only") {
  const Fleet fleet;
  auto hello = test::Generator(6).hello();
  hello.agent = agent("mallory");
  // Sealed under another agent's name, naming mallory inside.
  const auto context = detail::associated_data(detail::kHelloDomain, "alice");
  const auto sealed = signing::seal(encode_hello(hello), context, fleet.keys_one.up);
  const auto opened = open_hello(sealed, agent("alice"), fleet.keys_one.up);
  CHECK(opened.error().code() == Errc::kDenied);
}
