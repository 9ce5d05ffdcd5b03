// tests/data/traces: the records of each file, by its name.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace observeai::test {

inline std::map<std::string, std::vector<std::string>> trace_corpus() {
  std::map<std::string, std::vector<std::string>> out;
  for (const auto& file : std::filesystem::directory_iterator(OBSERVEAI_TEST_DATA "/traces")) {
    if (file.path().extension() != ".txt") continue;
    auto& records = out[file.path().filename()];
    std::ifstream in(file.path());
    std::string record;
    bool begun = false;
    for (std::string line; std::getline(in, line);) {
      if (line == "----8<----") {
        records.push_back(record);
        record.clear();
        begun = false;
        continue;
      }
      if (std::exchange(begun, true)) record += '\n';
      record += line;
    }
    REQUIRE_FALSE(begun);  // The last record has its end
  }
  return out;
}

// The lines of all records, in order.
inline std::vector<std::string> lines_of(const std::vector<std::string>& records) {
  std::vector<std::string> out;
  for (const auto& record : records) {
    std::size_t from = 0;
    for (auto at = record.find('\n'); at != std::string::npos; at = record.find('\n', from)) {
      out.push_back(record.substr(from, at - from));
      from = at + 1;
    }
    out.push_back(record.substr(from));
  }
  return out;
}

}  // namespace observeai::test
