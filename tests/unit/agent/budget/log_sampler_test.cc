#include "agent/budget/log_sampler.h"

#include <doctest/doctest.h>

#include <string>

using namespace observeai::agent;

TEST_CASE("lines that call themselves debug or info") {
  for (const char* line :
       {"INFO started", "[debug] x", "2026-01-01T00:00:00Z INFO main: listening on 8080",
        "2026/01/01 10:00:00 [info] 7#7: worker", "time=\"x\" level=info msg=\"ready\"",
        "{\"ts\":1,\"level\":\"debug\",\"msg\":\"tick\"}", "{\"severity\": \"INFO\", \"m\": 1}",
        "I0102 15:04:05.000000       1 main.go:5] synced", "DEBUG:root:hello", "trace: y",
        "12:00:01.123 [http-nio-8080-exec-1] DEBUG o.s.web.Servlet - GET /"}) {
    CAPTURE(line);
    CHECK(is_verbose(line));
  }
}

TEST_CASE("every other line is kept") {
  for (const char* line :
       {"", "plain words", "ERROR: no space", "WARN disk", "level=error msg=\"info lost\"",
        "INFO request failed: error 500", "info: 3 errors found", "informal talk", "debugger",
        "E0102 15:04:05.000000 1 main.go:5] no", "I0102",
        "    at com.example.Info.run(Info.java:1)", "\tinfo of a stack frame",
        "{\"level\":\"info\",\"msg\":\"upstream killed\"}", "{\"level\":50,\"msg\":\"x\"}",
        "a very long prefix that goes on and on and on and on and on "
        "and on and on and on and only then says info"}) {
    CAPTURE(line);
    CHECK_FALSE(is_verbose(line));
  }
  std::string any(3'000, '\xff');
  any[7] = '\0';
  CHECK_FALSE(is_verbose(any));
}

TEST_CASE("one verbose line in ten stays, and all that tell of trouble") {
  LogSampler sampler;
  int kept = 0;
  int errors = 0;
  for (int i = 0; i < 1'000; ++i) {
    kept += sampler.keeps("INFO tick", 10) ? 1 : 0;
    errors += sampler.keeps("ERROR boom", 10) ? 1 : 0;
  }
  CHECK(kept == 100);
  CHECK(errors == 1'000);
  for (int i = 0; i < 20; ++i) CHECK(sampler.keeps("INFO tick", 1));
}
