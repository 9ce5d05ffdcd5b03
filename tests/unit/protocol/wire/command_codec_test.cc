#include "protocol/wire/command_codec.h"

#include <doctest/doctest.h>

#include "tests/unit/protocol/wire/command_values.h"
#include "tests/unit/protocol/wire/generate.h"

using namespace observeai;
using namespace observeai::wire;

namespace {

// Comes back as it was, and no damage decodes to what encodes otherwise.
template <class Value, class Encode, class Decode>
void holds_its_form(const Value& value, Encode encode, Decode decode) {
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
}

}  // namespace

TEST_CASE("commands and what belongs to them come back, and have one form") {
  holds_its_form(test::intent(), encode_intent, decode_intent);
  holds_its_form(test::unseen(), encode_intent, decode_intent);
  holds_its_form(test::execute(), encode_command, decode_command);
  holds_its_form(test::dry_run(), encode_command, decode_command);
  holds_its_form(test::approval(), encode_approval, decode_approval);
  holds_its_form(test::result(), encode_result, decode_result);
  holds_its_form(test::time_statement(), encode_time, decode_time);
  holds_its_form(test::audit_head(), encode_audit_head, decode_audit_head);
  holds_its_form(test::meta(), encode_meta, decode_meta);
  CHECK(decode_meta(encode_meta({}).value()).value() == Meta{});
}
