// Writes a container log as Docker and logrotate do, step by step, and knows what a reader must
// find. Every piece of a line has a number, so that losses, second copies and wrong joins are all
// seen. A piece is "excused" when nobody could have read it: its file vanished before, or it was
// written between copying and truncating.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "protocol/wire/signals.h"

namespace observeai::test {

enum class Rotation { kRename, kUnlink, kCopyTruncate };

struct ExpectedPiece {
  std::string text;
  int file = 0;
  bool excused = false;
};
struct ExpectedLine {
  std::vector<ExpectedPiece> pieces;
  bool finished = false;
};

class SimulatedLog {
 public:
  // `pause` is called between the steps of a write or rotation: a reader may run there.
  SimulatedLog(std::string path, Rotation rotation, int max_files, unsigned seed,
               std::function<void()> pause);

  void write_some();  // One entry, or a half of one, or a damaged one
  void rotate();
  void finish_lines();  // So that everything open is complete

  // The reader is gone: what it had not committed of files without a name nobody finds any more.
  void excuse_vanished();
  const std::deque<ExpectedLine>& lines(wire::LogStream stream) const {
    return lines_[static_cast<int>(stream)];
  }
  std::size_t piece_count() const { return count_; }
  bool splits_lines() const { return rotation_ == Rotation::kCopyTruncate; }

 private:
  void write_piece(wire::LogStream stream, bool last);
  void append(const std::string& bytes);
  std::string random_text(std::size_t size);
  void copy_truncate();
  void pass_birth_tick();
  void shift_files();

  std::string path_;
  Rotation rotation_;
  int max_files_;
  std::mt19937 random_;
  std::function<void()> pause_;
  std::deque<ExpectedLine> lines_[4];
  std::deque<int> files_;  // Numbers of the files on disk, live first
  std::set<int> vanished_;
  int next_file_ = 0;
  std::size_t count_ = 0;
  std::int64_t clock_ns_ = 0;
  bool between_copy_and_truncate_ = false;
  std::size_t piece_bytes_;
};

struct Comparison {
  std::vector<std::string> problems;  // Empty: every piece once, in order, joined to its line
  std::size_t missing = 0;            // Excused pieces that did not come
};
Comparison compare(const SimulatedLog& log, const std::vector<wire::LogRecord>& records);

}  // namespace observeai::test
