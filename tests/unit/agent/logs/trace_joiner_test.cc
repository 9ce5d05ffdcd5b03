#include "agent/logs/trace_joiner.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

struct Joining {
  TraceJoiner joiner{"container/x", true};
  LogRead out;
  SourceCounts counts;
  SteadyTime now{};
  std::uint64_t offset = 0;

  void add(std::size_t stream, const std::string& text, std::uint32_t flags = 0) {
    TraceJoiner::Line line;
    line.text = line.shape = text;
    line.ts_ns = static_cast<std::int64_t>(offset) + 1000;
    line.flags = flags;
    line.raw_bytes = text.size() + 1;
    line.at = {1, offset};
    offset += text.size() + 1;
    joiner.add(stream, line, now, out, counts);
  }
  void end_read(bool more = false) {
    joiner.end_read(now, more, out, counts);
    std::erase_if(out.records, [](const auto& record) { return record.target.empty(); });
  }
  std::vector<std::string> texts() const {
    std::vector<std::string> texts;
    for (const auto& record : out.records) texts.push_back(record.text);
    return texts;
  }
};
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a trace is one record with the time of its first line; both streams by themselves") {
  Joining j;
  j.add(0, "java.lang.Error: x");
  j.add(1, "panic: y");
  j.add(0, "\tat a.B.c(D.java:1)");
  j.add(1, "");
  j.add(0, "done");
  j.end_read();
  CHECK(j.texts() == Texts{"java.lang.Error: x\n\tat a.B.c(D.java:1)", "done"});
  CHECK(j.out.records[0].ts_ns == 1000);
  CHECK(j.counts.records_read == 2);  // The panic is open
  CHECK(j.joiner.open(1));
  CHECK(j.joiner.first(1) == LogPosition{1, 19});
  j.now += kTraceSilence;
  j.end_read();
  CHECK(j.texts().back() == "panic: y\n");
  CHECK(j.counts.records_read == 3);
  CHECK(j.counts.bytes_read == j.offset);
}

TEST_CASE("an open trace waits over reads, for as long as lines come within the silence") {
  Joining j;
  j.add(0, "java.lang.Error: x");
  for (int i = 0; i < 5; ++i) {
    j.end_read();
    CHECK(j.texts().empty());
    j.now += kTraceSilence - 1ms;
    j.add(0, "\tat a.B.c(D.java:1)");
  }
  j.end_read();
  j.now += kTraceSilence - 1ms;
  j.end_read();
  CHECK(j.texts().empty());
  j.now += 1ms;
  j.end_read();
  CHECK(j.texts().size() == 1);
  CHECK_FALSE(j.joiner.open(0));
}

TEST_CASE("an ordinary line is not held when nothing more is at hand") {
  Joining j;
  j.add(0, "hello");
  j.end_read(true);
  CHECK(j.texts().empty());
  j.end_read(false);
  CHECK(j.texts() == Texts{"hello"});
}

TEST_CASE("limits of a trace: it goes on in a further record") {
  Joining lines;
  lines.add(0, "java.lang.Error: x");
  for (std::size_t i = 1; i < kMaxTraceLines; ++i) lines.add(0, "\tat a.B.c(D.java:1)");
  CHECK(lines.out.records.size() == 1);
  lines.add(0, "\tat a.B.last(D.java:1)");
  lines.add(0, "\tat a.B.behind(D.java:1)");
  lines.joiner.close_all(lines.out, lines.counts);
  REQUIRE(lines.texts().size() == 2);
  CHECK(lines.texts()[1] == "\tat a.B.last(D.java:1)\n\tat a.B.behind(D.java:1)");

  Joining bytes;
  const std::string frame = "\tat a.B.c(" + std::string(9'000, 'x') + ")";
  bytes.add(0, "java.lang.Error: x");
  for (int i = 0; i < 40; ++i) bytes.add(0, frame);
  bytes.joiner.close_all(bytes.out, bytes.counts);
  REQUIRE(bytes.texts().size() == 2);
  CHECK(bytes.texts()[0].size() <= kMaxTraceBytes);
  CHECK(bytes.texts()[0].size() + frame.size() + 1 > kMaxTraceBytes);
  CHECK(bytes.counts.bytes_read == bytes.offset);
}

TEST_CASE("what is malformed, cut off or too long stands alone, and ends a trace") {
  for (const auto flag :
       {wire::log_flags::kMalformed, wire::log_flags::kUnterminated, wire::log_flags::kTruncated}) {
    Joining j;
    j.add(0, "java.lang.Error: x");
    j.add(0, "\tat a.B.c(D.java:1)", flag);
    j.add(0, "\tat a.B.d(D.java:1)");
    j.joiner.close_all(j.out, j.counts);
    CHECK(j.texts().size() == 3);
  }
  Joining j;
  j.add(0, "java.lang.Error: " + std::string(kMaxTraceBytes, 'x'));
  j.add(0, "\tat a.B.d(D.java:1)");
  j.joiner.close_all(j.out, j.counts);
  CHECK(j.texts().size() == 2);
}

TEST_CASE("switched off, every line is a record at once") {
  Joining j{TraceJoiner("container/x", false), {}, {}, {}, 0};
  j.add(0, "java.lang.Error: x");
  j.add(0, "\tat a.B.c(D.java:1)");
  j.end_read(true);
  CHECK(j.texts().size() == 2);
}
