#include "agent/runtime/process_limits.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <fstream>

using namespace observeai;
using namespace observeai::agent;

TEST_CASE("the limit on open files is raised as far as allowed, and never lowered") {
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  struct rlimit low = before;
  low.rlim_cur = 100;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK(raise_open_files(200).value() == 200);
  CHECK(raise_open_files(150).value() == 200);
  CHECK(raise_open_files(UINT64_MAX).value() == before.rlim_max);
  struct rlimit now {};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &now) == 0);
  CHECK(now.rlim_cur == before.rlim_max);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
}

TEST_CASE("memory that is not in use goes back, and the program goes on") {
  const auto resident = [](const std::string& what) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(what)) return std::stoull(line.substr(what.size()));
    }
    return 0ULL;
  };
  const auto files = resident("RssFile:");
  REQUIRE(files > 0);
  give_back_unused_code();
  CHECK(resident("RssFile:") < files);
  give_back_free_memory();
  CHECK(std::to_string(12345) == "12345");
}
