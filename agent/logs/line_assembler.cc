#include "agent/logs/line_assembler.h"

#include <algorithm>
#include <utility>

#include "protocol/wire/signals.h"

namespace observeai::agent {
namespace {

std::uint32_t length_flag(std::uint64_t bytes) {
  return bytes > kMaxLineBytes ? wire::log_flags::kTruncated : 0;
}

}  // namespace

void LineAssembler::append(const LinePiece& piece) {
  constexpr std::size_t kKeep = kMaxLineBytes + kRedactionMargin;
  const auto room = kKeep - std::min(kKeep, text_.size());
  text_.append(piece.text.substr(0, room));
  line_bytes_ += piece.text.size();
  raw_bytes_ += piece.raw_bytes;
}

std::optional<AssembledLine> LineAssembler::add(const LinePiece& piece, std::string& backing) {
  if (!open_ && piece.complete) {
    return AssembledLine{piece.text.substr(0, kMaxLineBytes + kRedactionMargin),
                         piece.ts_ns,
                         length_flag(piece.text.size()),
                         piece.text.size(),
                         piece.raw_bytes,
                         piece.at};
  }
  if (!open_) {
    open_ = true;
    first_ = piece.at;
    ts_ns_ = piece.ts_ns;
  }
  append(piece);
  if (piece.complete) return close(0, backing);
  if (line_bytes_ > kMaxOpenLineBytes) return close(wire::log_flags::kUnterminated, backing);
  return std::nullopt;
}

std::optional<AssembledLine> LineAssembler::flush(std::string& backing) {
  if (!open_) return std::nullopt;
  return close(wire::log_flags::kUnterminated, backing);
}

AssembledLine LineAssembler::close(std::uint32_t flags, std::string& backing) {
  backing = std::exchange(text_, {});
  AssembledLine line{backing,     ts_ns_,     flags | length_flag(line_bytes_),
                     line_bytes_, raw_bytes_, first_};
  reset();
  return line;
}

void LineAssembler::reset() {
  open_ = false;
  text_.clear();
  text_.shrink_to_fit();
  line_bytes_ = 0;
  raw_bytes_ = 0;
}

}  // namespace observeai::agent
