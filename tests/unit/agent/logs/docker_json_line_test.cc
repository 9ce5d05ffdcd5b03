#include "agent/logs/docker_json_line.h"

#include <doctest/doctest.h>

#include <string>

using namespace observeai;
using namespace observeai::agent;

namespace {

struct Decoded {
  std::string text;
  wire::LogStream stream;
  std::int64_t ts_ns;
  bool complete;
  bool malformed;
};

Decoded decode(std::string_view line) {
  std::string scratch;
  const auto entry = decode_docker_json_line(line, scratch);
  return {std::string(entry.text), entry.stream, entry.ts_ns, entry.complete, entry.malformed};
}

std::string fixed(const std::string& log) {
  return R"({"log":")" + log + R"(","stream":"stdout","time":"2026-11-21T07:45:00.123456789Z"})";
}

constexpr std::int64_t kTime = 1'795'247'100'123'456'789;

}  // namespace

TEST_CASE("the daemon's own layout") {
  const auto out = decode(fixed(R"(hello\n)"));
  CHECK(out.text == "hello");
  CHECK(out.stream == wire::LogStream::kStdout);
  CHECK(out.ts_ns == kTime);
  CHECK(out.complete);
  CHECK_FALSE(out.malformed);

  const auto piece = decode(R"({"log":"no end","stream":"stderr","time":"2026-11-21T07:45:00Z"})");
  CHECK(piece.text == "no end");
  CHECK(piece.stream == wire::LogStream::kStderr);
  CHECK(piece.ts_ns == kTime / 1'000'000'000 * 1'000'000'000);
  CHECK_FALSE(piece.complete);

  CHECK(decode(fixed(R"(\n)")).text.empty());
  CHECK(decode(fixed(R"(\n)")).complete);
  CHECK_FALSE(decode(fixed("")).complete);
}

TEST_CASE("escapes") {
  CHECK(decode(fixed(R"(a\tb\"c\\d\/e\rf\bg\fh\n)")).text == "a\tb\"c\\d/e\rf\bg\fh");
  CHECK(decode(fixed(R"(\u003c\u003e\u0026 \u00e9\u20ac\n)")).text == "<>& \xC3\xA9\xE2\x82\xAC");
  CHECK(decode(fixed(R"(\ud83d\ude00\n)")).text == "\xF0\x9F\x98\x80");
  CHECK(decode(fixed(R"(\ud83d!\n)")).text == "\xEF\xBF\xBD!");
  CHECK(decode(fixed(R"(\ude00\ud83d\n)")).text == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(decode(fixed(R"(\ud83d\u0041\n)")).text ==
        "\xEF\xBF\xBD"
        "A");
  CHECK(decode(fixed(R"(\u0000\n)")).text == std::string(1, '\0'));
  // A backslash and an n are not a newline.
  const auto literal = decode(fixed(R"(a\\n)"));
  CHECK(literal.text == "a\\n");
  CHECK_FALSE(literal.complete);
  // A newline in the middle stays.
  CHECK(decode(fixed(R"(a\nb\n)")).text == "a\nb");
}

TEST_CASE("any key order, attrs, white space and further keys") {
  const auto out = decode(
      R"({"log":"x\n","stream":"stdout","attrs":{"tag":"a,}b","n":[1,{"y":null}]},"time":"2026-11-21T07:45:00.123456789Z"})");
  CHECK(out.text == "x");
  CHECK(out.ts_ns == kTime);
  const auto shuffled = decode(
      R"( { "time" : "2026-11-21T09:45:00.123456789+02:00" , "more":-1.5e3, "stream":"stderr", "log":"y\n" } )");
  CHECK(shuffled.text == "y");
  CHECK(shuffled.ts_ns == kTime);
  CHECK(shuffled.stream == wire::LogStream::kStderr);
  CHECK(decode(R"({"l\u006fg":"z\n","stream":"stdout","time":"2026-11-21T07:45:00Z"})").text ==
        "z");
}

TEST_CASE("foreign bytes inside the text pass through") {
  const std::string bytes("\x00\x01\xff\xfe", 4);
  CHECK(decode(fixed(bytes + R"(\n)")).text == bytes);
}

TEST_CASE("what does not parse comes back as it stands") {
  const std::string nested = R"({"log":"x\n","stream":"stdout","a":)" + std::string(65, '[') +
                             std::string(65, ']') + R"(,"time":"2026-11-21T07:45:00Z"})";
  const std::string good = fixed(R"(x\n)");
  for (const std::string& line : std::vector<std::string>{
           "",
           "garbage",
           "{",
           "{}",
           "null",
           "[]",
           R"({"log":"x\n"})",
           R"({"log":"x\n","stream":"stdout"})",
           R"({"log":"x\n","stream":"stdin","time":"2026-11-21T07:45:00Z"})",
           R"({"log":"x\n","stream":"stdout","time":"yesterday"})",
           R"({"log":"x\n","stream":"stdout","time":"2026-02-30T07:45:00Z"})",
           R"({"log":5,"stream":"stdout","time":"2026-11-21T07:45:00Z"})",
           fixed(R"(\q)"),
           fixed(R"(\u12)"),
           fixed(R"(\uZZZZ)"),
           fixed("a\"b"),
           good + good,
           good + "x",
           good.substr(1),
           nested,
           std::string("\0\0\0", 3),
           R"({"log":"x\n","stream":"stdout","a":{"b":1],"time":"2026-11-21T07:45:00Z"})"}) {
    CAPTURE(line);
    const auto out = decode(line);
    CHECK(out.malformed);
    CHECK(out.text == line);
    CHECK(out.stream == wire::LogStream::kOther);
    CHECK(out.complete);
  }
  // Cut anywhere, it is malformed and whole; at no place does it crash or shorten.
  for (std::size_t n = 0; n < good.size(); ++n) {
    const auto out = decode(std::string_view(good).substr(0, n));
    CHECK(out.malformed);
    CHECK(out.text == good.substr(0, n));
  }
}

TEST_CASE("nesting up to the limit is stepped over") {
  const std::string line = R"({"log":"x\n","stream":"stdout","a":)" + std::string(64, '[') +
                           std::string(64, ']') + R"(,"time":"2026-11-21T07:45:00Z"})";
  CHECK_FALSE(decode(line).malformed);
}
