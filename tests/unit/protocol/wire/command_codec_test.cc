// One value, one form: whatever is done to the bytes, what decodes has exactly these bytes.
#include "protocol/wire/command_codec.h"

#include <doctest/doctest.h>

#include "observeai/v1/command.pb.h"
#include "protocol/base/text.h"
#include "protocol/wire/detail/varint.h"
#include "tests/unit/protocol/wire/command_values.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

// Calls visit(name, value, encode, decode) for a value of each kind.
template <class Visit>
void for_each_kind(Visit visit) {
  visit("intent", test::intent(), encode_intent, decode_intent);
  visit("unseen intent", test::unseen(), encode_intent, decode_intent);
  visit("execute", test::execute(), encode_command, decode_command);
  visit("dry run", test::dry_run(), encode_command, decode_command);
  visit("approval", test::approval(), encode_approval, decode_approval);
  visit("result", test::result(), encode_result, decode_result);
  visit("time", test::time_statement(), encode_time, decode_time);
  visit("audit head", test::audit_head(), encode_audit_head, decode_audit_head);
  visit("meta", test::meta(), encode_meta, decode_meta);
}

struct Field {
  std::uint64_t tag = 0;
  std::string payload;  // Behind the tag: for length-delimited ones with the length
};

// A varint in more bytes than it needs.
std::string overlong(std::uint64_t value) {
  std::string out;
  detail::put_varint(out, value);
  out.back() = static_cast<char>(out.back() | 0x80);
  return out.append(1, '\0');
}

std::vector<Field> fields_of(std::string_view bytes) {
  std::vector<Field> out;
  detail::ColumnReader reader(bytes);
  while (!reader.at_end()) {
    Field field{reader.varint().value(), {}};
    const auto number = reader.varint().value();
    detail::put_varint(field.payload, number);
    if ((field.tag & 7) == 2) field.payload.append(reader.bytes(number).value());
    out.push_back(std::move(field));
  }
  return out;
}

std::string joined(const std::vector<Field>& fields) {
  std::string out;
  for (const auto& field : fields) {
    detail::put_varint(out, field.tag);
    out.append(field.payload);
  }
  return out;
}

template <class Decode>
bool is_corrupt(Decode decode, const std::string& bytes) {
  const auto decoded = decode(bytes);
  return !decoded && decoded.error().code() == Errc::kCorrupt;
}

template <class Message>
Message parsed(const Result<std::string>& bytes) {
  Message message;
  REQUIRE(message.ParseFromString(bytes.value()));
  return message;
}

}  // namespace

TEST_CASE(
    "commands and what belongs to them come back; no cut and no flipped bit reads as another") {
  for_each_kind([](const char* name, const auto& value, auto encode, auto decode) {
    CAPTURE(name);
    const std::string bytes = encode(value).value();
    CHECK(decode(bytes).value() == value);
    test::for_each_damage(bytes, [&](const std::string& damaged) {
      const auto decoded = decode(damaged);
      if (!decoded) {
        REQUIRE(decoded.error().code() == Errc::kCorrupt);
        return;
      }
      REQUIRE(encode(*decoded).value() == damaged);
      REQUIRE_FALSE(*decoded == value);
    });
  });
  CHECK(decode_meta(encode_meta({}).value()).value() == Meta{});
}

TEST_CASE("fields that are unknown, moved, doubled or longer than needed are refused") {
  for_each_kind([](const char* name, const auto& value, auto encode, auto decode) {
    CAPTURE(name);
    const std::string bytes = encode(value).value();
    const auto fields = fields_of(bytes);
    REQUIRE(joined(fields) == bytes);
    const auto refused = [&](const std::vector<Field>& changed) {
      return is_corrupt(decode, joined(changed));
    };
    for (const auto& unknown : {std::string("\xFA\x01\x01x", 4), std::string("\xF8\x01\x00", 3),
                                std::string("\xF9\x01", 2) + std::string(8, 'x')}) {
      CHECK(is_corrupt(decode, bytes + unknown));
      CHECK(is_corrupt(decode, unknown + bytes));
    }
    for (std::size_t i = 0; i < fields.size(); ++i) {
      CAPTURE(i);
      const bool repeats = (i > 0 && fields[i - 1].tag == fields[i].tag) ||
                           (i + 1 < fields.size() && fields[i + 1].tag == fields[i].tag);
      auto changed = fields;
      changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(i), fields[i]);
      // Twice the same entry of a list is another list, or breaks its order.
      if (!repeats) CHECK(refused(changed));
      const auto twice = decode(joined(changed));
      if (twice) CHECK(encode(*twice).value() == joined(changed));
      if (i > 0 && fields[i - 1].tag != fields[i].tag) {
        changed = fields;
        std::swap(changed[i - 1], changed[i]);
        CHECK(refused(changed));
      }
      // A number in one byte more: the tag, and the value or the length.
      std::string before =
          joined({fields.begin(), fields.begin() + static_cast<std::ptrdiff_t>(i)});
      std::string after =
          joined({fields.begin() + static_cast<std::ptrdiff_t>(i) + 1, fields.end()});
      CHECK(is_corrupt(decode, before + overlong(fields[i].tag) + fields[i].payload + after));
      detail::ColumnReader reader(fields[i].payload);
      const auto number = reader.varint().value();
      const auto rest = (fields[i].tag & 7) == 2 ? reader.bytes(number).value() : "";
      std::string tag;
      detail::put_varint(tag, fields[i].tag);
      CHECK(is_corrupt(decode, before + tag + overlong(number) + std::string(rest) + after));
      // Of another wire type.
      changed = fields;
      changed[i] = (fields[i].tag & 7) == 2 ? Field{fields[i].tag & ~7ULL, "\x05"}
                                            : Field{fields[i].tag | 2, "\x01x"};
      CHECK(refused(changed));
    }
  });
}

TEST_CASE("what is absent is not written") {
  auto intent = parsed<v1::Intent>(encode_intent(test::intent()));
  const auto with = [&intent](const std::string& state) {
    auto changed = intent;
    changed.set_state(state);
    return changed.SerializeAsString();
  };
  CHECK(decode_intent(with(std::string(32, 'x'))));
  CHECK(decode_intent(with("")));
  CHECK(is_corrupt(decode_intent, with(std::string(32, '\0'))));
  CHECK(is_corrupt(decode_intent, with(std::string(31, 'x'))));
  CHECK(is_corrupt(decode_intent, with(std::string(33, 'x'))));
  // An empty field, spelled out.
  intent.clear_incident();
  CHECK(decode_intent(intent.SerializeAsString()));
  CHECK(is_corrupt(decode_intent, intent.SerializeAsString() + std::string("\x7A\x00", 2)));
}

TEST_CASE("bytes of another length than theirs are refused") {
  const auto command = parsed<v1::Command>(encode_command(test::execute()));
  const auto refused = [&command](auto set, std::size_t size) {
    auto changed = command;
    set(changed, std::string(size, 'x'));
    return is_corrupt(decode_command, changed.SerializeAsString());
  };
  const auto of_length = [&](auto set, std::size_t right, bool needed) {
    CHECK_FALSE(refused(set, right));
    CHECK(refused(set, right - 1));
    CHECK(refused(set, right + 1));
    CHECK(refused(set, 0) == needed);
  };
  of_length([](auto& m, const auto& v) { m.set_id(v); }, 16, true);
  of_length([](auto& m, const auto& v) { m.set_enrollment(v); }, 16, true);
  of_length([](auto& m, const auto& v) { m.set_session(v); }, 16, true);
  of_length([](auto& m, const auto& v) { m.set_batch_root(v); }, 32, true);
  of_length([](auto& m, const auto& v) { m.set_path(0, v); }, 32, true);
  of_length([](auto& m, const auto& v) { m.set_policy(v); }, 32, false);
  of_length([](auto& m, const auto& v) { m.set_audit_hash(v); }, 32, true);
}

TEST_CASE("a parameter is of one kind") {
  const auto intent = parsed<v1::Intent>(encode_intent(test::intent()));
  const auto with = [&intent](const std::string& parameter) {
    auto changed = intent;
    changed.clear_parameters();
    auto bytes = changed.SerializeAsString();
    // Parameters (7) stand behind the manifest (6).
    const auto at = bytes.find("\x32\x20") + 2 + 32;
    std::string field("\x3A");
    detail::put_varint(field, parameter.size());
    return bytes.insert(at, field + parameter);
  };
  using namespace std::string_literals;
  const auto only = [&](const std::string& parameter) {
    return decode_intent(with(parameter))->parameters.at("a");
  };
  CHECK(only("\x0A\x01\x61\x12\x01x"s) == ParameterValue("x"s));
  CHECK(only("\x0A\x01\x61\x12\x00"s) == ParameterValue(""s));
  CHECK(only("\x0A\x01\x61\x18\x02"s) == ParameterValue(std::int64_t{1}));
  CHECK(only("\x0A\x01\x61\x18\x00"s) == ParameterValue(std::int64_t{0}));
  CHECK(only("\x0A\x01\x61\x20\x01"s) == ParameterValue(true));
  CHECK(only("\x0A\x01\x61\x20\x00"s) == ParameterValue(false));
  for (const auto& bad : {
           "\x0A\x01\x61"s,                    // No value
           "\x12\x01x"s,                       // No name
           "\x0A\x01\x61\x12\x01x\x18\x02"s,   // A text and an integer
           "\x0A\x01\x61\x18\x02\x12\x01x"s,   // An integer and a text
           "\x0A\x01\x61\x18\x02\x20\x01"s,    // An integer and a flag
           "\x0A\x01\x61\x18\x02\x18\x02"s,    // Twice
           "\x0A\x01\x61\x20\x02"s,            // A flag that is 2
           "\x0A\x01\x61\x12\x01x\x2A\x01x"s,  // A field that there is not
           "\x12\x01x\x0A\x01\x61"s,           // The value first
           "\x0A\x01\x61\x1A\x01x"s,           // Bytes where an integer is
           "\x0A\x01\x41\x20\x01"s,            // A name that is none
       }) {
    CAPTURE(text::to_hex(text::as_bytes(bad)));
    CHECK(is_corrupt(decode_intent, with(bad)));
  }
}

TEST_CASE("parameters ascend strictly") {
  auto intent = parsed<v1::Intent>(encode_intent(test::intent()));
  REQUIRE(intent.parameters_size() == 4);
  intent.mutable_parameters()->SwapElements(0, 1);
  CHECK(is_corrupt(decode_intent, intent.SerializeAsString()));
  intent.mutable_parameters()->SwapElements(0, 1);
  CHECK(decode_intent(intent.SerializeAsString()));
  *intent.add_parameters() = intent.parameters(3);
  CHECK(is_corrupt(decode_intent, intent.SerializeAsString()));
}

TEST_CASE("unknown enumerators are refused, negative ones and those that fit after a cast too") {
  auto command = parsed<v1::Command>(encode_command(test::execute()));
  auto approval = parsed<v1::Approval>(encode_approval(test::approval()));
  auto result = parsed<v1::CommandResult>(encode_result(test::result()));
  for (const int number : {0, 3, 7, 257, 258, 260, -1, -254, -255, 1 << 30, INT32_MIN}) {
    CAPTURE(number);
    command.set_mode(static_cast<v1::CommandMode>(number));
    CHECK(is_corrupt(decode_command, command.SerializeAsString()));
    approval.set_decision(static_cast<v1::ApprovalDecision>(number));
    CHECK(is_corrupt(decode_approval, approval.SerializeAsString()));
    if (number == 3) continue;  // Succeeded
    result.set_outcome(static_cast<v1::ResultOutcome>(number));
    CHECK(is_corrupt(decode_result, result.SerializeAsString()));
  }
  auto plain = test::execute();
  plain.mode = static_cast<CommandMode>(3);
  CHECK(encode_command(plain).error().code() == Errc::kInvalid);
}

TEST_CASE("the intent of a command is held to its own rules") {
  auto command = test::execute();
  command.intent.clear();
  CHECK_FALSE(encode_command(command));
  command.intent = "no intent";
  CHECK_FALSE(encode_command(command));
  auto wire_form = parsed<v1::Command>(encode_command(test::execute()));
  wire_form.set_intent(wire_form.intent() + std::string("\x7A\x00", 2));
  CHECK(is_corrupt(decode_command, wire_form.SerializeAsString()));
}

TEST_CASE("sealed downwards: for one agent, one kind of message, one direction") {
  const auto agent = AgentId::parse("web-01").value();
  const auto other = AgentId::parse("web-02").value();
  const signing::SealingKey key({1, 2, 3});
  const signing::SealingKey other_key({1, 2, 4});
  const auto command = seal_command("envelope", agent, key);
  const auto meta = seal_meta("envelope", agent, key);
  CHECK(open_command(command, agent, key).value() == "envelope");
  CHECK(open_meta(meta, agent, key).value() == "envelope");
  CHECK(open_command(meta, agent, key).error().code() == Errc::kDenied);
  CHECK(open_meta(command, agent, key).error().code() == Errc::kDenied);
  CHECK(open_command(command, other, key).error().code() == Errc::kDenied);
  CHECK(open_command(command, agent, other_key).error().code() == Errc::kDenied);
  CHECK(open_meta(meta, other, key).error().code() == Errc::kDenied);
  test::for_each_damage(command, [&](const std::string& damaged) {
    REQUIRE_FALSE(open_command(damaged, agent, key));
  });
  const std::string longest(kMaxCommandBytes, 'c');
  CHECK(open_command(seal_command(longest, agent, key), agent, key));
  CHECK(open_command(seal_command(longest + "c", agent, key), agent, key).error().code() ==
        Errc::kLimit);
  const std::string whole(kMaxMetaBytes, 'm');
  CHECK(seal_meta(whole, agent, key).size() <= kMaxSealedBytes);
  CHECK(open_meta(seal_meta(whole, agent, key), agent, key));
  CHECK(open_meta(seal_meta(whole + "m", agent, key), agent, key).error().code() == Errc::kLimit);
}

TEST_CASE("digests") {
  CHECK(text::to_hex(digest_of("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  signing::VerifyKey key;
  key.bytes = {'a', 'b', 'c'};
  const auto id = enrollment_id(key);
  const auto whole = digest_of(text::as_text(key.bytes));
  CHECK(std::equal(id.begin(), id.end(), whole.begin()));

  // Where one part ends and the next begins is in the digest.
  const std::vector<std::vector<Change>> diffs = {
      {},
      {{"a", "b", "c"}},
      {{"ab", "", "c"}},
      {{"a", "bc", ""}},
      {{"", "ab", "c"}},
      {{"a", "b", "c"}, {"", "", ""}},
      {{"a", "b", "c"}, {"a", "b", "c"}},
      {{"a", "b", "c"}, {"d", "e", "f"}},
      {{"d", "e", "f"}, {"a", "b", "c"}},
      {{"a", "c", "b"}},
  };
  for (std::size_t i = 0; i < diffs.size(); ++i) {
    CHECK_FALSE(diff_digest(diffs[i]) == Digest{});
    for (std::size_t j = 0; j < i; ++j) CHECK(diff_digest(diffs[i]) != diff_digest(diffs[j]));
  }
  CHECK(to_string(ResultOutcome::kRolledBack) == "rolled_back");
  CHECK(to_string(ResultOutcome::kDryRun) == "dry_run");
}
