// The texts of log records as columns: skeletons, the texts they are made of, and the values that
// go between these (detail/log_skeletons.h). Any bytes come back exactly.
//
// In `head` and the sections beside it, one after the other:
//   skeletons  varint: how many; for each varint: how many texts, then of each a varint: 0 the next text
//              that was not used yet, else the number of the text from 1
//   texts      as a number column their lengths; in `text` their bytes
//   lines      in `numbers` of each a varint: 0 the next skeleton that was not used yet, 1 a plain line,
//              else the number of the skeleton from 2
//   plain      as a number column the lengths of plain lines; in `text` their bytes
//   columns    in the order in which skeletons, read one after the other, use them first. A column is
//              the pair of a text with a value behind it and the text before that one, or none.
//              A byte for the kind, then
//                kDecimals  varint: how many digits at least, zeros before; a number column
//                kHexes     varint: how many digits; in `packed` of each its digits, two in a byte, the
//                           first above the second, a lone last one above zeros
//                kTexts     as a number column the lengths; in `text` the bytes
#pragma once

#include <array>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/detail/log_skeletons.h"
#include "protocol/wire/detail/number_column.h"

namespace observeai::wire::detail {

enum class ValueForm : std::uint8_t { kDecimals = 0, kHexes = 1, kTexts = 2 };

using DecimalBuffer = std::array<char, 20>;

// The number with at least `digits` digits, at most 20, in `buffer`.
std::string_view decimal_text(std::uint64_t number, std::size_t digits, DecimalBuffer& buffer);

void put_lines(const LogSkeletons& lines, Sections& out);

// Reads lines front to back. The bytes of the sections must outlive it. Memory: at most about 16 MB
// beside the counts of lines, whatever the bytes claim.
class LogLineReader {
 public:
  // kCorrupt: malformed, or values for more than kMaxBodyBytes of text.
  static Result<LogLineReader> create(std::size_t lines, SectionReader& from);

  // As often as there are lines. kCorrupt: all lines together are longer than kMaxBodyBytes.
  Result<std::string> next();

 private:
  struct Part {
    std::string_view text;
    std::uint32_t column = 0;  // Of the value behind it; the last part of a skeleton has none
  };
  struct Column {
    bool take(std::uint64_t count, SectionReader& from);
    bool take_texts(std::uint64_t count, SectionReader& from);

    ValueForm form = ValueForm::kTexts;
    std::uint32_t digits = 0;
    NumberColumn numbers;  // Or lengths
    std::string_view bytes;
  };

  bool take_skeletons(SectionReader& from);
  bool take_parts(const std::vector<std::uint32_t>& texts,
                  const std::vector<std::string_view>& bytes);
  bool take_lines(std::size_t count, SectionReader& from);
  bool take_columns(SectionReader& from);
  bool make_room(std::size_t bytes);
  bool append_text(std::string_view bytes);
  bool append_decimal(std::uint64_t number, std::uint32_t digits);
  bool append_long_decimal(std::uint64_t number, std::uint32_t digits);
  bool append_hex(Column& column);
  bool append_value(Column& column);

  std::vector<Part> parts_;          // Of one skeleton after the other
  std::vector<std::uint32_t> ends_;  // Of each skeleton, in parts_
  std::vector<std::uint32_t> lines_;
  std::vector<Column> columns_;
  Column plain_;
  std::size_t next_line_ = 0;
  std::size_t room_ = 0;  // Bytes that may still come
  const char* text_end_ = nullptr;
  std::vector<char> line_;  // The line that is being built, and room behind it
  std::size_t used_ = 0;    // Its bytes
};

}  // namespace observeai::wire::detail
