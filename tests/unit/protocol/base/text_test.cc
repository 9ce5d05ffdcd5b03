#include <doctest/doctest.h>

#include "protocol/base/mount_text.h"
#include "protocol/base/text.h"

using namespace observeai;

TEST_CASE("hex and base64url go both ways and refuse what is not canonical") {
  const std::vector<std::uint8_t> bytes{0x00, 0xFF, 0x10, 0x7E};
  CHECK(text::to_hex(bytes) == "00ff107e");
  CHECK(text::from_hex("00ff107e").value() == bytes);
  CHECK_FALSE(text::from_hex("0"));
  CHECK_FALSE(text::from_hex("zz"));
  CHECK(text::to_base64url(bytes) == "AP8Qfg");
  CHECK(text::from_base64url("AP8Qfg").value() == bytes);
  CHECK_FALSE(text::from_base64url("AP8Qfh"));  // Left-over bits set.
  CHECK_FALSE(text::from_base64url("A"));
  CHECK_FALSE(text::from_base64url("AP8+"));
}

TEST_CASE("numbers must be the whole text") {
  CHECK(text::parse_u64("18446744073709551615") == UINT64_MAX);
  CHECK_FALSE(text::parse_u64("18446744073709551616"));
  CHECK_FALSE(text::parse_u64("-1"));
  CHECK_FALSE(text::parse_u64("1 "));
  CHECK_FALSE(text::parse_u64(""));
  CHECK(text::parse_i64("-5") == -5);
  CHECK(text::parse_double("0.5") == 0.5);
}

TEST_CASE("UTF-8: overlong forms, surrogates and cut sequences are invalid") {
  CHECK(text::is_valid_utf8("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x9A\x80"));
  for (const auto* bad :
       {"\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"}) {
    CHECK_FALSE(text::is_valid_utf8(bad));
  }
  CHECK(text::replace_invalid_utf8("a\xFFz") == "a\xEF\xBF\xBDz");
  CHECK(text::escape_unprintable("a\x1b[31m\xFF", 100) == "a\\x1b[31m\\xff");
  CHECK(text::escape_unprintable("\xC2\x9B", 100) == "\\xc2\\x9b");  // C1 control: CSI.
  CHECK(text::escape_unprintable("abcdef", 3) == "abc...");
}

TEST_CASE("characters that are not seen but change what is seen become bytes") {
  const auto escaped = [](std::string_view text) { return text::escape_unprintable(text, 100); };
  CHECK(escaped("cod.\u202Egnp") == "cod.\\xe2\\x80\\xaegnp");  // Shows as "cod.png" reversed
  for (const std::string_view hidden :
       {"\x7F", "\u0080", "\u0085", "\u009F", "\u061C", "\u200B", "\u200F", "\u2028", "\u2029",
        "\u202A", "\u202E", "\u2066", "\u2069", "\uFEFF"}) {
    CAPTURE(hidden);
    CHECK(escaped(hidden).starts_with("\\x"));
  }
  for (const std::string_view shown :
       {"~", "\u00A0", "\u00FC", "\u061B", "\u200A", "\u2010", "\u2027", "\u202F", "\u2065",
        "\u206A", "\uFEFE", "\U0001F642", "\u65E5\u672C"}) {
    CAPTURE(shown);
    CHECK(escaped(shown) == shown);
  }
}

TEST_CASE("RFC 3339 with any fraction and offset") {
  CHECK(text::parse_rfc3339_ns("1970-01-01T00:00:01Z").value() == 1'000'000'000);
  CHECK(text::parse_rfc3339_ns("1970-01-01T00:00:00.000000001Z").value() == 1);
  CHECK(text::parse_rfc3339_ns("1970-01-01T01:00:00.5+01:00").value() == 500'000'000);
  for (const auto* bad : {"", "1970-01-01", "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z",
                          "1970-01-01T00:00:00", "1970-01-01T00:00:00.Z", "9999-01-01T00:00:00Z",
                          "1970-01-01T00:00:00Zx", "1970-01-01T00:00:00+1:00"}) {
    CHECK_FALSE(text::parse_rfc3339_ns(bad));
  }
  CHECK(text::format_time_ms(1'700'000'000'123) == "2023-11-14T22:13:20.123Z");
}

TEST_CASE("durations, sizes, and the nearest known word") {
  CHECK(text::parse_duration_ms("15m").value() == 900'000);
  CHECK(text::parse_duration_ms("250ms").value() == 250);
  for (const auto* bad : {"", "15", "m", "-1s", "1y", "99999999999d"}) {
    CHECK_FALSE(text::parse_duration_ms(bad));
  }
  CHECK(text::format_bytes(1536) == "1.5 KiB");
  CHECK(text::format_duration_ms(3'660'000) == "1h 1m");
  const std::vector<std::string> words{"containers", "status", "services"};
  CHECK(text::nearest("contianers", words) == "containers");
  CHECK_FALSE(text::nearest("xyz", words));
}

TEST_CASE("split and trim") {
  CHECK(text::split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(text::split("", ',').size() == 1);
  CHECK(text::trim("  a b\n") == "a b");
  CHECK(text::trim(" \t").empty());
}

TEST_CASE("mount points are unescaped; a broken escape stays as it is") {
  CHECK(text::unescape_mount("/srv/my\\040data") == "/srv/my data");
  CHECK(text::unescape_mount("a\\011b\\134") == "a\tb\\");
  for (const char* broken : {"a\\04", "a\\999", "a\\477", "a\\", "\\0"})
    CHECK(text::unescape_mount(broken) == broken);
}
