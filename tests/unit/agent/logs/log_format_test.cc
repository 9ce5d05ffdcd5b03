#include "agent/logs/log_format.h"

#include <doctest/doctest.h>

#include "protocol/base/text.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

std::int64_t at(const char* rfc3339) {
  return *text::parse_rfc3339_ns(rfc3339);
}

}  // namespace

TEST_CASE("CRI lines of containerd and CRI-O") {
  const auto whole = decode_cri_line("2026-11-21T07:45:00.123456789Z stdout F hello  world ");
  CHECK_FALSE(whole.malformed);
  CHECK(whole.complete);
  CHECK(whole.stream == wire::LogStream::kStdout);
  CHECK(whole.text == "hello  world ");
  CHECK(whole.ts_ns == at("2026-11-21T07:45:00.123456789Z"));

  const auto piece = decode_cri_line("2026-11-21T09:45:00.5+02:00 stderr P half");
  CHECK_FALSE(piece.complete);
  CHECK(piece.stream == wire::LogStream::kStderr);
  CHECK(piece.ts_ns == at("2026-11-21T07:45:00.5Z"));

  CHECK(decode_cri_line("2026-11-21T07:45:00Z stdout F ").text.empty());
  CHECK(decode_cri_line("2026-11-21T07:45:00Z stdout F").text.empty());
  CHECK(decode_cri_line("2026-11-21T07:45:00Z stdout P:x:y text").text == "text");
  CHECK_FALSE(decode_cri_line("2026-11-21T07:45:00Z stdout P:x:y text").complete);
}

TEST_CASE("what is no CRI line comes back as it stands") {
  for (const char* line :
       {"", " ", "hello", "2026-11-21T07:45:00Z", "2026-11-21T07:45:00Z stdout",
        "2026-11-21T07:45:00Z stdin F x", "2026-11-21T07:45:00Z stdout X x",
        "2026-11-21T07:45:00Z stdout PF x", "yesterday stdout F x", "  stdout F x"}) {
    CAPTURE(line);
    const auto entry = decode_cri_line(line);
    CHECK(entry.malformed);
    CHECK(entry.text == line);
    CHECK(entry.stream == wire::LogStream::kOther);
  }
}

TEST_CASE("the time at the beginning of a plain line") {
  const ReadingTime reading{at("2026-11-21T08:00:00Z"), 3600};
  const auto time = [&](const char* line) { return parse_leading_time(line, reading).value_or(0); };
  CHECK(time("2026-11-21T07:45:00Z x") == at("2026-11-21T07:45:00Z"));
  CHECK(time("2026-11-21T07:45:00.123456789+02:00 x") == at("2026-11-21T05:45:00.123456789Z"));
  CHECK(time("2026-11-21 07:45:00,250 INFO x") == at("2026-11-21T06:45:00.25Z"));  // Local
  CHECK(time("2026-11-21 07:45:00 +0000 x") == at("2026-11-21T07:45:00Z"));
  CHECK(time("[2026-11-21T07:45:00.5Z] x") == at("2026-11-21T07:45:00.5Z"));
  CHECK(time("2026/11/21 07:45:00 [error] x") == at("2026-11-21T06:45:00Z"));
  CHECK(time("Nov 21 07:45:00 web1 sshd[1]: x") == at("2026-11-21T06:45:00Z"));
  CHECK(time("Nov  1 07:45:00 web1 x") == at("2026-11-01T06:45:00Z"));
  CHECK(time("Dec 31 23:00:00 web1 x") == at("2025-12-31T22:00:00Z"));  // Last year's
  CHECK(time("Feb 29 07:45:00 web1 x") == at("2024-02-29T06:45:00Z"));
  CHECK(time("<34>1 2026-11-21T07:45:00.003Z web1 su - x") == at("2026-11-21T07:45:00.003Z"));
  CHECK(time("<13>Nov 21 07:45:00 web1 x") == at("2026-11-21T06:45:00Z"));
}

TEST_CASE("what is no time is none") {
  const ReadingTime reading{at("2026-11-21T08:00:00Z"), 0};
  for (const char* line :
       {"", "hello", "2026-11-21", "2026-13-21T07:45:00Z", "2026-02-30T07:45:00Z",
        "2026-11-21T25:45:00Z", "2026-11-21x07:45:00Z", "Nov 21", "Nov 32 07:45:00 x",
        "Nove 21 07:45:00 x", "20261121 074500 x", "<34", "<999999>1 x", "2027-11-21T07:45:00Z x",
        "1234567890 message", "[hello] this is a long enough line"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_leading_time(line, reading));
  }
}

TEST_CASE("a plain line is whole, and of the time of reading when it names none") {
  std::string scratch;
  const ReadingTime reading{1'700'000'000'000'000'000, 0};
  const auto entry = decode_entry(LogFormat::kPlain, "hello\r", reading, scratch);
  CHECK(entry.text == "hello");
  CHECK(entry.complete);
  CHECK_FALSE(entry.malformed);
  CHECK(entry.stream == wire::LogStream::kOther);
  CHECK(entry.ts_ns == reading.now_ns);
}
