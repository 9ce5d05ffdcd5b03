#include "agent/logs/trace_grammar.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/agent/logs/trace_corpus.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

using Records = std::vector<std::string>;

Records group(const std::vector<std::string>& lines) {
  TraceGrammar grammar;
  Records out;
  for (const auto& line : lines) {
    if (grammar.continues(line)) {
      out.back() += "\n" + line;
    } else {
      out.push_back(line);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("the traces of the corpus are grouped as it says") {
  const auto corpus = test::trace_corpus();
  CHECK(corpus.size() >= 10);
  for (const auto& file : corpus) {
    const auto& records = file.second;
    CAPTURE(file.first);
    const auto grouped = group(test::lines_of(records));
    CHECK(grouped.size() == records.size());
    for (std::size_t i = 0; i < std::min(grouped.size(), records.size()); ++i)
      CHECK(grouped[i] == records[i]);
  }
}

TEST_CASE("a line that may begin a trace is worth waiting for, another one is not") {
  const auto waits = [](const char* line) {
    TraceGrammar grammar;
    grammar.continues(line);
    return grammar.waits(line);
  };
  for (const char* line :
       {"java.lang.IllegalStateException: x", "TypeError: x is undefined", "panic: x",
        "Traceback (most recent call last):", "terminate called without an active exception",
        "#0  0x0000 in main ()", "/app/server.js:12"}) {
    CAPTURE(line);
    CHECK(waits(line));
  }
  for (const char* line : {"", "hello", "ERROR disk is full", "   indented", "GET / 500"}) {
    CAPTURE(line);
    CHECK_FALSE(waits(line));
  }
}

TEST_CASE("after a reset nothing is continued") {
  TraceGrammar grammar;
  CHECK_FALSE(grammar.continues("java.lang.Error: x"));
  CHECK(grammar.continues("\tat a.B.c(D.java:1)"));
  grammar.reset();
  CHECK_FALSE(grammar.continues("\tat a.B.d(D.java:2)"));
  CHECK(grammar.continues("\tat a.B.e(D.java:3)"));
}
