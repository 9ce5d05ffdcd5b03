// Which lines are errors, and how many each target has logged.
#include <doctest/doctest.h>

#include "agent/app/error_line.h"
#include "agent/app/log_line_counts.h"
#include "tests/unit/agent/app/outbox_world.h"

namespace observeai::agent {
namespace {

using test::OutboxWorld;
using test::record;

std::uint64_t errors_of(const LogLineCounts& counts, const std::string& target) {
  for (const LogLines& lines : counts.all()) {
    if (lines.target == target) return lines.errors;
  }
  return 0;
}
std::uint64_t others_of(const LogLineCounts& counts, const std::string& target) {
  for (const LogLines& lines : counts.all()) {
    if (lines.target == target) return lines.others;
  }
  return 0;
}

}  // namespace

TEST_CASE("lines that call themselves errors") {
  for (const char* line : {
           "2026-01-02T15:04:05.123Z ERROR payment: no answer",
           "2026/01/02 15:04:05 [error] 7#7: *1 connect() failed",
           "[Fri Jan 02 15:04:05 2026] [core:error] [pid 7] x",
           "2026-01-02 15:04:05 UTC [7] FATAL:  too many connections",
           "2026-01-02 15:04:05,1 - root - CRITICAL - out of disk",
           "E0102 15:04:05.000000       1 server.go:7] no",
           "F0102 15:04:05.000000       1 server.go:7] no",
           "panic: runtime error: index out of range",
           "java.lang.NullPointerException: x",
           "Exception in thread \"main\" java.lang.Error",
           "Traceback (most recent call last):\n  File \"x\"",
           "ValueError: no",
           R"({"time":"x","msg":"all is well","level":"error"})",
           R"({"severity": "ERROR", "message":"x"})",
           "ts=1 level=error msg=\"no answer\"",
           "ts=1 lvl=crit msg=x",
           "error",
           "Error: cannot open",
           "SEVERE: x",
           "<3>err: x",
       }) {
    CAPTURE(std::string(line));
    CHECK(is_error_line(line));
  }
}

TEST_CASE("lines that only speak of errors, or of nothing") {
  for (const char* line : {
           "2026-01-02 INFO request failed: error 500",
           "2026-01-02 WARN retrying after error",
           "[debug] error handler installed",
           "I0102 15:04:05.000000       1 server.go:7] ERROR is a word",
           "W0102 15:04:05.000000       1 server.go:7] x",
           R"({"msg":"error while smiling","level":"info"})",
           R"({"error":null,"severity":"INFO"})",
           "level=info msg=\"error\"",
           "10.0.0.1 - - [02/Jan/2026] \"GET /error/page HTTP/1.1\" 200",
           "10.0.0.1 - - [02/Jan/2026] \"GET /error.html HTTP/1.1\" 200",
           "reading error.log and error_log, error=none",
           "0 errors found",
           "2026-01-02 UTC [7] LOG:  could not receive data: error",
           "terror and infocritical",
           "",
           " ",
           "all is well",
       }) {
    CAPTURE(std::string(line));
    CHECK(!is_error_line(line));
  }
}

TEST_CASE("a level far behind is a word among others, a field is a level within its bounds") {
  const auto word_at = [](std::size_t at) { return std::string(at, ' ') + "ERROR x"; };
  CHECK(is_error_line(word_at(kLevelWordWithin - 1)));
  CHECK(!is_error_line(word_at(kLevelWordWithin)));
  const auto field_at = [](std::size_t at) {
    return "{" + std::string(at - 1, ' ') + "\"level\":\"error\"}";
  };
  CHECK(is_error_line(field_at(kLevelFieldWithin - 15)));
  CHECK(!is_error_line(field_at(kLevelFieldWithin)));
}

TEST_CASE("lines count once they are in the spool, and once") {
  OutboxWorld f;
  LogCommit commit;
  commit.records = {record("container/a", "INFO fine"), record("container/a", "ERROR bad"),
                    record("container/b", "ERROR bad"), record("container/a", "ERROR bad")};
  commit.counts.resize(1);
  commit.counts[0].source = "log/container/a";
  commit.counts[0].records_dropped["sampled"] = 10;
  commit.counts[0].records_dropped["held_limit"] = 7;
  f.spool.fail_commits = Error(Errc::kUnavailable, "no disk");
  REQUIRE_FALSE(f.outbox.commit_logs(LogCommit(commit)));
  CHECK(f.outbox.log_lines().all().empty());
  f.spool.fail_commits.reset();
  REQUIRE(f.outbox.commit_logs(LogCommit(commit)));
  CHECK(errors_of(f.outbox.log_lines(), "container/a") == 2);
  CHECK(others_of(f.outbox.log_lines(), "container/a") == 11);
  CHECK(errors_of(f.outbox.log_lines(), "container/b") == 1);
  REQUIRE(f.outbox.commit_logs(LogCommit(commit)));
  CHECK(errors_of(f.outbox.log_lines(), "container/a") == 4);
}

TEST_CASE("targets that were silent for longest are forgotten beyond the limit") {
  LogLineCounts counts;
  const auto log = [&](const std::string& target) {
    LogCommit commit;
    commit.records = {record(target, "ERROR x")};
    counts.look(commit);
    counts.taken();
  };
  for (std::size_t i = 0; i < LogLineCounts::kMaxTargets; ++i) log("file/" + std::to_string(i));
  log("file/0");
  CHECK(counts.all().size() == LogLineCounts::kMaxTargets);
  log("file/new");
  CHECK(counts.all().size() == LogLineCounts::kMaxTargets);
  CHECK(errors_of(counts, "file/0") == 2);
  CHECK(errors_of(counts, "file/1") == 0);
  CHECK(errors_of(counts, "file/new") == 1);
}

}  // namespace observeai::agent
