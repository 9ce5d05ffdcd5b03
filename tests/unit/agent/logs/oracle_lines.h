// Lines that say who wrote them: "<source> <seq> <length> <checksum> <text>". The oracle of delivery:
// which of the written lines came how often, and whether as written.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire/signals.h"

namespace observeai::test {

class OracleLines {
 public:
  explicit OracleLines(std::string source) : source_(std::move(source)) {}

  // The next line, without its newline; `file` says where it is written to.
  std::string next(int file, std::size_t text_bytes);
  // Of a line with no text.
  std::size_t fixed_bytes() const;
  int written() const { return static_cast<int>(files_.size()); }

  // Nobody can have read these, unless they came already.
  void excuse_from(int first_seq);
  void excuse_file(int file, const std::vector<wire::LogRecord>& came);

  struct Verdict {
    std::vector<int> lost;  // Sequence numbers, excused ones not among them
    std::vector<int> doubled;
    std::vector<int> excused;  // Did not come, and could not
    std::size_t damaged = 0;   // Not as written, or of nobody
    bool in_order = true;
    bool exact() const { return lost.empty() && doubled.empty() && damaged == 0 && in_order; }
  };
  Verdict judge(const std::vector<wire::LogRecord>& records) const;

 private:
  int parse(std::string_view line) const;  // Its number, or -1

  std::string source_;
  std::vector<int> files_;  // By sequence number
  std::set<int> excused_;
};

}  // namespace observeai::test
