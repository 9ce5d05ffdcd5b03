// Cuts JSON that arrives in pieces into values, so that a list of any length and a stream without
// end cost the memory of one element. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::agent {

using PieceHandler = std::function<void(std::string_view)>;

// A JSON array of objects. Elements longer than the limit are left out and counted; the text inside
// an element is not validated here.
class ArraySplitter {
 public:
  explicit ArraySplitter(std::size_t max_element_bytes) : limit_(max_element_bytes) {}

  // Calls `on_element` for each object completed by `piece`. kCorrupt when this is no array of
  // objects; the splitter is useless then.
  Result<void> feed(std::string_view piece, const PieceHandler& on_element);
  bool finished() const { return phase_ == Phase::kAfter; }  // The closing bracket was seen.
  std::uint64_t oversized() const { return oversized_; }

 private:
  enum class Phase { kBefore, kBetween, kInside, kAfter };
  Result<void> step_outside(char c);
  bool step_inside(char c);  // True at the end of the element.

  const std::size_t limit_;
  Phase phase_ = Phase::kBefore;
  std::string element_;
  bool too_long_ = false;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  std::uint64_t oversized_ = 0;
};

// Lines that end in '\n'. Lines longer than the limit are left out and counted; empty ones too, but
// not counted.
class LineSplitter {
 public:
  explicit LineSplitter(std::size_t max_line_bytes) : limit_(max_line_bytes) {}
  void feed(std::string_view piece, const PieceHandler& on_line);
  std::uint64_t oversized() const { return oversized_; }

 private:
  const std::size_t limit_;
  std::string line_;
  bool too_long_ = false;
  std::uint64_t oversized_ = 0;
};

}  // namespace observeai::agent
