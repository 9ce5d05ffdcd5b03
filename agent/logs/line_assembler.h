// Joins the pieces into which the daemon cuts long lines, for one stream of one container. Pure.
//
// The checkpoint must not pass first_piece() while a line is open: a restart then reads its pieces
// again. A line flushed while open (idle, exit of the container, or longer than kMaxOpenLineBytes)
// is marked kUnterminated; what the container writes after that begins a new line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace observeai::agent {

inline constexpr std::size_t kLogStreams = 3;  // stdout, stderr, and all that is neither

// What a record carries at most; the rest of a longer line is counted, not kept.
inline constexpr std::size_t kMaxLineBytes = 1U << 20;
// Kept beyond the cap until redaction is done, so that a secret cut by it is still recognised.
inline constexpr std::size_t kRedactionMargin = 4096;
// An open line this long is given up: an endless line would otherwise hold the checkpoint, and with
// it every rotated file since its first byte.
inline constexpr std::uint64_t kMaxOpenLineBytes = 64ULL << 20;

// A place in the sequence of files of one source: files are numbered in the order written.
struct LogPosition {
  std::uint64_t file = 0;
  std::uint64_t offset = 0;
  auto operator<=>(const LogPosition&) const = default;
};

struct LinePiece {
  std::string_view text;
  bool complete = false;  // Ends its line
  std::int64_t ts_ns = 0;
  LogPosition at;               // First byte of its entry
  std::uint64_t raw_bytes = 0;  // Of its entry in the file
};

struct AssembledLine {
  std::string_view text;         // At most kMaxLineBytes + kRedactionMargin
  std::int64_t ts_ns = 0;        // Of the first piece
  std::uint32_t flags = 0;       // kTruncated, kUnterminated
  std::uint64_t line_bytes = 0;  // Full length
  std::uint64_t raw_bytes = 0;   // Of all its entries
  LogPosition at;                // Of the first piece
};

class LineAssembler {
 public:
  // The line that this piece completes, if it does. Its text points into the piece or `backing`.
  std::optional<AssembledLine> add(const LinePiece& piece, std::string& backing);
  // The open line as it stands, if any.
  std::optional<AssembledLine> flush(std::string& backing);
  // Forgets the open line: its pieces will be read again.
  void reset();

  bool open() const { return open_; }
  const LogPosition& first_piece() const { return first_; }

 private:
  AssembledLine close(std::uint32_t flags, std::string& backing);
  void append(const LinePiece& piece);

  bool open_ = false;
  LogPosition first_;
  std::int64_t ts_ns_ = 0;
  std::uint64_t line_bytes_ = 0;
  std::uint64_t raw_bytes_ = 0;
  std::string text_;
};

}  // namespace observeai::agent
