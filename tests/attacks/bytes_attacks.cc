#include <array>

#include "agent/executor/client.h"
#include "attack_rig.h"
#include "protocol/signing/envelope.h"

using namespace observeai;
using observeai::test::AttackRig;
using observeai::test::FrameKind;

namespace {

std::string payload_of(const wire::Command& command) {
  return *wire::encode_command(command);
}

// As the signer would sign it, whatever it is.
std::string signed_payload(const AttackRig& rig, const std::string& payload) {
  return test::sign(wire::kCommandType, payload, {rig.keys.signer});
}

// Signatures as they were, over another payload.
std::string with_payload(const std::string& envelope, const std::string& payload) {
  auto opened = *wire::decode_envelope(envelope);
  opened.payload = payload;
  return wire::encode_envelope(opened);
}

std::string with_signature(const AttackRig& rig, const wire::Command& command,
                           const signing::VerifyKey& key, const signing::SignatureBytes& bytes) {
  auto opened = *wire::decode_envelope(rig.sign(command));
  opened.signatures = {{signing::key_id(key), bytes}};
  return wire::encode_envelope(opened);
}

std::string signed_by(const AttackRig& rig, const wire::Command& command,
                      const std::vector<signing::SigningKeyPair>& keys) {
  (void)rig;
  return test::sign(wire::kCommandType, payload_of(command), keys);
}

// Where the field behind the intent begins: id is 18 bytes, the intent has a length of two bytes.
std::size_t mode_at(const std::string& payload, const wire::Command& command) {
  const std::size_t at = payload.find(command.intent) + command.intent.size();
  REQUIRE(payload.substr(at, 2) == std::string("\x18\x02"));
  return at;
}

}  // namespace

TEST_CASE_FIXTURE(AttackRig, "one altered byte, anywhere in what was signed") {
  const auto command = approved_mark();
  const auto good = sign(command);
  const auto payload = payload_of(command);
  for (std::size_t at = 0; at < payload.size(); at += 41) {
    auto altered = payload;
    altered[at] = static_cast<char>(altered[at] ^ 1);
    refused(with_payload(good, altered), "bad_signature");
  }
  executed(command);  // It was a good one
}

TEST_CASE_FIXTURE(AttackRig, "the same command in other bytes: fields in another order") {
  const auto command = approved_mark();
  const auto payload = payload_of(command);
  const auto reordered = payload.substr(18) + payload.substr(0, 18);
  refused(with_payload(sign(command), reordered), "bad_signature");
  refused(signed_payload(*this, reordered), "malformed");
}

TEST_CASE_FIXTURE(AttackRig, "an unknown field, signed or not") {
  const auto command = approved_mark();
  const auto payload = payload_of(command) + "\xf8\x07\x01";
  refused(with_payload(sign(command), payload), "bad_signature");
  refused(signed_payload(*this, payload), "malformed");
}

TEST_CASE_FIXTURE(AttackRig, "a field twice, of which a lenient parser takes the last") {
  const auto command = approved_mark();
  const std::string mode_again("\x18\x02");
  refused(signed_payload(*this, payload_of(command) + mode_again), "malformed");
  auto second = command;
  second.intent = *wire::encode_intent(keys.intent("docker.prune", {}));
  const auto other = payload_of(command) + std::string("\x12") +
                     static_cast<char>(second.intent.size() % 128 + 128) +
                     static_cast<char>(second.intent.size() / 128) + second.intent;
  refused(signed_payload(*this, other), "malformed");
}

TEST_CASE_FIXTURE(AttackRig, "a number in more bytes than it needs") {
  const auto command = approved_mark();
  auto payload = payload_of(command);
  payload.replace(mode_at(payload, command), 2, std::string("\x18\x82\x00", 3));
  refused(signed_payload(*this, payload), "malformed");
}

TEST_CASE_FIXTURE(AttackRig, "a mode that there is not") {
  const auto command = approved_mark();
  for (const char mode : {'\0', '\3', '\x7f'}) {
    auto payload = payload_of(command);
    payload[mode_at(payload, command) + 1] = mode;
    refused(signed_payload(*this, payload), "malformed");
  }
}

TEST_CASE_FIXTURE(AttackRig, "an envelope with something more in it, outside of the signature") {
  const auto good = sign(approved_mark());
  refused(good + "\xf8\x07\x01", "malformed");
  refused(good + good, "malformed");
  refused(good.substr(0, good.size() - 1), "malformed");
  refused("", "malformed");
  refused(std::string(1000, '\0'), "malformed");
}

TEST_CASE_FIXTURE(AttackRig, "a message of another type that the signer signed") {
  const auto command = approved_mark();
  refused(keys.sign_time({1, 2, 3}, keys.now_ms), "wrong_type");
  refused(test::sign(wire::kTimeType, payload_of(command), {keys.signer}), "wrong_type");
  // The signature of one type under the name of the other.
  auto renamed =
      *wire::decode_envelope(test::sign(wire::kTimeType, payload_of(command), {keys.signer}));
  renamed.type = wire::kCommandType;
  refused(wire::encode_envelope(renamed), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "an approval, root metadata or a result in place of a command") {
  const auto command = approved_mark();
  refused(keys.sign_approval(keys.approval(command), keys.alice), "wrong_type");
  refused(keys.sign_root(keys.root_metadata()), "wrong_type");
  refused(test::sign(wire::kResultType, payload_of(command), {keys.result_key}), "wrong_type");
}

TEST_CASE_FIXTURE(AttackRig, "a command that holds an approval in place of an intent") {
  auto command = approved_mark();
  auto payload = payload_of(command);
  const auto approval = *wire::encode_approval(keys.approval(command));
  const auto at = payload.find(command.intent);
  REQUIRE(command.intent.size() >= 128);
  REQUIRE(approval.size() < 128);
  payload.replace(at - 2, command.intent.size() + 2,
                  std::string(1, static_cast<char>(approval.size())) + approval);
  refused(signed_payload(*this, payload), "malformed");
}

TEST_CASE_FIXTURE(AttackRig, "a command signed by a key that is nobody's") {
  refused(signed_by(*this, approved_mark(), {keys.stranger}), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "a command signed by an approver: approvers alone cannot command") {
  refused(signed_by(*this, approved_mark(), {keys.alice}), "bad_signature");
  refused(signed_by(*this, approved_mark(), {keys.alice, keys.bob, keys.carol}), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "a command signed by root, audit or the host itself") {
  const auto command = approved_mark();
  refused(signed_by(*this, command, {keys.root_a, keys.root_b}), "bad_signature");
  refused(signed_by(*this, command, {keys.audit}), "bad_signature");
  refused(signed_by(*this, command, {keys.result_key}), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "a signature under the name of the signer's key by another key") {
  const auto command = approved_mark();
  const auto message = signing::pae(wire::kCommandType, payload_of(command));
  refused(with_signature(*this, command, keys.signer.public_key(), keys.stranger.sign(message)),
          "bad_signature");
  refused(with_signature(*this, command, keys.signer.public_key(), {}), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "no signature at all") {
  refused(signed_by(*this, approved_mark(), {}), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "a malleable signature: S plus the order of the group") {
  constexpr std::array<std::uint8_t, 32> kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                                   0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                                   0,    0,    0,    0,    0,    0,    0,    0,
                                                   0,    0,    0,    0,    0,    0,    0,    0x10};
  const auto command = approved_mark();
  const auto message = signing::pae(wire::kCommandType, payload_of(command));
  auto signature = keys.signer.sign(message);
  unsigned carry = 0;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    const unsigned sum = signature[32 + i] + kOrder[i] + carry;
    signature[32 + i] = static_cast<std::uint8_t>(sum);
    carry = sum >> 8;
  }
  REQUIRE(carry == 0);
  refused(with_signature(*this, command, keys.signer.public_key(), signature), "bad_signature");
  executed(command);
}

TEST_CASE_FIXTURE(AttackRig, "a key of small order, which any message seems to be signed by") {
  signing::VerifyKey weak;
  weak.bytes[0] = 1;  // The neutral point
  auto root = keys.root_metadata(2);
  root.signers.push_back({weak, root.signers[0].delegation});
  offer_roots({keys.sign_root(root)});  // Whether or not it is taken
  signing::SignatureBytes forged{};
  forged[0] = 1;  // R neutral, S zero: S*B = R + h*A holds
  refused(with_signature(*this, approved_mark(), weak, forged), "bad_signature");
  signing::VerifyKey zero;
  refused(with_signature(*this, approved_mark(), zero, {}), "bad_signature");
}

TEST_CASE_FIXTURE(AttackRig, "a command above the size of commands") {
  refused(std::string(wire::kMaxCommandBytes + 1, 'x'), "oversized");
  const auto good = sign(approved_mark());
  refused(good + std::string(wire::kMaxCommandBytes, '\0'), "oversized");
}

TEST_CASE_FIXTURE(AttackRig, "a frame above the size of frames: the connection is closed") {
  const std::string huge(agent::executor::kMaxFrameBytes + 1, 'x');
  const auto reply = agent::executor::ask(path("sock/executor.sock"), {FrameKind::kCommand, huge},
                                          std::chrono::seconds(10));
  CHECK(!reply);
  CHECK(alive());
  executed(approved_mark());
}
