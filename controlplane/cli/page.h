// A page of labelled paragraphs on a terminal: what does not fit a line goes on below, indented. At most
// 120 columns wide, however wide the terminal is: longer lines are not read.
#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/cli/terminal.h"

namespace observeai::controlplane::cli {

class Page {
 public:
  Page(std::ostream& out, const Terminal& terminal);

  std::size_t columns() const { return columns_; }
  // A blank line, then a heading in capitals.
  void section(std::string_view name, const std::string& remark = "");
  // `label` in a column of its own, `value` beside it. Nothing when the value is empty.
  void field(std::string_view label, const std::string& value, Tone tone = Tone::kPlain);
  // "mark name  value  sentence", or "value: sentence" where there is no room for so many columns.
  void finding(const Cell& mark, const std::string& name, const std::string& value,
               const std::string& sentence);
  // Short texts side by side, as many in a line as fit.
  void grid(const std::vector<Cell>& cells);
  // A paragraph, indented by so many columns; its further lines by two more.
  void text(std::size_t indent, const std::string& value, Tone tone = Tone::kPlain);
  // One line, however long it is: for copying.
  void line(std::size_t indent, const std::string& value, Tone tone = Tone::kPlain);
  void rule();

 private:
  void hang(const std::string& head, std::size_t indent, const std::string& value, Tone tone);

  std::ostream& out_;
  const Terminal& terminal_;
  const std::size_t columns_;
};

// At words; a word that is longer than a line is cut where the line ends. At least one line.
std::vector<std::string> wrapped(std::string_view text, std::size_t columns);

}  // namespace observeai::controlplane::cli
