#include "agent/discovery/stream_split.h"

#include "protocol/base/text.h"

namespace observeai::agent {

namespace {
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
}  // namespace

Result<void> ArraySplitter::feed(std::string_view piece, const PieceHandler& on_element) {
  for (const char c : piece) {
    if (phase_ != Phase::kInside) {
      TRY_VOID(step_outside(c));
      if (phase_ != Phase::kInside) continue;
    }
    if (element_.size() < limit_) {
      element_.push_back(c);
    } else {
      too_long_ = true;
    }
    if (!step_inside(c)) continue;
    phase_ = Phase::kBetween;
    if (too_long_) {
      ++oversized_;
    } else {
      on_element(element_);
    }
  }
  return {};
}

Result<void> ArraySplitter::step_outside(char c) {
  if (is_space(c)) return {};
  if (phase_ == Phase::kBefore && c == '[') {
    phase_ = Phase::kBetween;
    return {};
  }
  if (phase_ == Phase::kBetween) {
    if (c == ',') return {};
    if (c == ']') {
      phase_ = Phase::kAfter;
      return {};
    }
    if (c == '{') {
      phase_ = Phase::kInside;
      element_.clear();
      too_long_ = false;
      depth_ = 0;
      in_string_ = false;
      escaped_ = false;
      return {};
    }
  }
  return Error(Errc::kCorrupt, "not a JSON array of objects: unexpected '" +
                                   text::escape_unprintable(std::string_view(&c, 1), 8) + "'");
}

bool ArraySplitter::step_inside(char c) {
  if (in_string_) {
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    return false;
  }
  if (c == '"') in_string_ = true;
  if (c == '{' || c == '[') ++depth_;
  if (c == '}' || c == ']') --depth_;
  return depth_ == 0;
}

void LineSplitter::feed(std::string_view piece, const PieceHandler& on_line) {
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    const std::string_view part = piece.substr(0, end);
    if (line_.size() + part.size() <= limit_) {
      line_.append(part);
    } else {
      too_long_ = true;
    }
    if (end == std::string_view::npos) return;
    piece.remove_prefix(end + 1);
    if (too_long_) {
      ++oversized_;
    } else if (!text::trim(line_).empty()) {
      on_line(line_);
    }
    line_.clear();
    too_long_ = false;
  }
}

}  // namespace observeai::agent
