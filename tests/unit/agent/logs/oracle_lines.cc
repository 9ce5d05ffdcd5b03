#include "tests/unit/agent/logs/oracle_lines.h"

#include <algorithm>

#include "agent/logs/fingerprint.h"
#include "protocol/base/text.h"

namespace observeai::test {

namespace {

std::string padded(std::uint64_t value, std::size_t width) {
  auto digits = std::to_string(value);
  return std::string(width - std::min(width, digits.size()), '0') + digits;
}

std::string checksum(int seq, std::string_view text) {
  return padded(agent::fingerprint(std::to_string(seq) + std::string(text)), 20);
}

}  // namespace

std::string OracleLines::next(int file, std::size_t text_bytes) {
  const auto seq = static_cast<int>(files_.size());
  files_.push_back(file);
  const std::string text(text_bytes, static_cast<char>('a' + seq % 26));
  return source_ + " " + padded(static_cast<std::uint64_t>(seq), 7) + " " + padded(text_bytes, 6) +
         " " + checksum(seq, text) + " " + text;
}

std::size_t OracleLines::fixed_bytes() const {
  return source_.size() + 7 + 6 + 20 + 4;
}

int OracleLines::parse(std::string_view line) const {
  const auto fields = text::split(line, ' ');
  if (fields.size() != 5 || fields[0] != source_) return -1;
  const auto seq = text::parse_u64(fields[1]);
  if (!seq || *seq >= files_.size()) return -1;
  const auto number = static_cast<int>(*seq);
  const bool whole =
      text::parse_u64(fields[2]) == fields[4].size() && fields[3] == checksum(number, fields[4]);
  return whole ? number : -1;
}

void OracleLines::excuse_from(int first_seq) {
  for (int seq = first_seq; seq < written(); ++seq) excused_.insert(seq);
}

void OracleLines::excuse_file(int file, const std::vector<wire::LogRecord>& came) {
  std::set<int> have;
  for (const auto& record : came) have.insert(parse(record.text));
  for (int seq = 0; seq < written(); ++seq) {
    if (files_[static_cast<std::size_t>(seq)] == file && !have.contains(seq)) excused_.insert(seq);
  }
}

OracleLines::Verdict OracleLines::judge(const std::vector<wire::LogRecord>& records) const {
  Verdict verdict;
  std::map<int, int> came;
  int last = -1;
  for (const auto& record : records) {
    const auto seq = parse(record.text);
    if (seq < 0) {
      ++verdict.damaged;
      continue;
    }
    ++came[seq];
    verdict.in_order = verdict.in_order && (came[seq] > 1 || seq > last);
    last = seq;
  }
  for (int seq = 0; seq < written(); ++seq) {
    const auto found = came.find(seq);
    if (found == came.end()) {
      (excused_.contains(seq) ? verdict.excused : verdict.lost).push_back(seq);
    } else if (found->second > 1) {
      verdict.doubled.push_back(seq);
    }
  }
  return verdict;
}

}  // namespace observeai::test
