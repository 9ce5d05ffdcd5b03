#include "controlplane/cli/page.h"

#include <algorithm>

#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

constexpr std::size_t kWidest = 120;
constexpr std::size_t kIndent = 2;
constexpr std::size_t kLabelColumns = 12;
constexpr std::size_t kNameColumns = 19;   // "maintenance_freeze"
constexpr std::size_t kValueColumns = 22;  // A longer value has no column of its own
constexpr std::size_t kNarrowest = 20;     // What a paragraph has at least

std::string padded(std::string_view text, std::size_t columns) {
  const auto width = display_width(text);
  return std::string(text) + std::string(width < columns ? columns - width : 1, ' ');
}

// The longest beginning that fits; at least one character.
std::size_t fitting(std::string_view text, std::size_t columns) {
  std::size_t bytes = 0;
  while (bytes < text.size()) {
    const auto next = std::max<std::size_t>(text::utf8_sequence_length(text.substr(bytes)), 1);
    if (bytes > 0 && display_width(text.substr(0, bytes + next)) > columns) break;
    bytes += next;
  }
  return bytes;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t columns) {
  std::vector<std::string> out(1);
  for (const auto part : text::split(text, ' ')) {
    std::string_view word = part;
    if (word.empty()) continue;
    const auto used = display_width(out.back());
    if (used > 0 && used + 1 + display_width(word) <= columns) {
      out.back().append(" ").append(word);
      continue;
    }
    if (used > 0) out.emplace_back();
    while (display_width(word) > columns) {
      const auto bytes = fitting(word, columns);
      out.back() = word.substr(0, bytes);
      word.remove_prefix(bytes);
      out.emplace_back();
    }
    out.back() = word;
  }
  return out;
}

Page::Page(std::ostream& out, const Terminal& terminal)
    : out_(out), terminal_(terminal), columns_(std::min(terminal.columns, kWidest)) {}

void Page::hang(const std::string& head, std::size_t indent, const std::string& value, Tone tone) {
  const auto room = std::max(columns_ > indent ? columns_ - indent : 0, kNarrowest);
  bool first = true;
  for (const auto& line : wrapped(value, room)) {
    out_ << (first ? head : std::string(indent, ' ')) << paint(terminal_, tone, line) << "\n";
    first = false;
  }
}

void Page::section(std::string_view name, const std::string& remark) {
  out_ << "\n" << paint(terminal_, Tone::kStrong, name);
  if (!remark.empty()) out_ << "  " << remark;
  out_ << "\n";
}

void Page::field(std::string_view label, const std::string& value, Tone tone) {
  if (value.empty()) return;
  hang(std::string(kIndent, ' ') + paint(terminal_, Tone::kFaint, padded(label, kLabelColumns)),
       kIndent + kLabelColumns, value, tone);
}

void Page::finding(const Cell& mark, const std::string& name, const std::string& value,
                   const std::string& sentence) {
  const auto head = std::string(kIndent, ' ') + paint(terminal_, mark.tone, mark.text) + " " +
                    padded(name, kNameColumns);
  const auto indent = kIndent + display_width(mark.text) + 1 + kNameColumns;
  if (display_width(value) < kValueColumns && columns_ >= indent + kValueColumns + 2 * kNarrowest) {
    hang(head + paint(terminal_, mark.tone, padded(value, kValueColumns)), indent + kValueColumns,
         sentence, Tone::kPlain);
    return;
  }
  hang(head, indent, value + (value.empty() || sentence.empty() ? "" : ": ") + sentence,
       Tone::kPlain);
}

void Page::grid(const std::vector<Cell>& cells) {
  constexpr std::size_t kCellColumns = 38;
  const auto in_line = std::max<std::size_t>(columns_ / kCellColumns, 1);
  std::string line;
  std::size_t count = 0;
  const auto flush = [&] {
    while (line.ends_with(' ')) line.pop_back();
    if (!line.empty()) out_ << line << "\n";
    line.clear();
    count = 0;
  };
  for (const auto& cell : cells) {
    const auto text = fit(terminal_, cell.text, kCellColumns - kIndent - 1);
    const auto width = display_width(text) + kIndent;
    line += std::string(kIndent, ' ') + paint(terminal_, cell.tone, text);
    if (++count == in_line) {
      flush();
    } else {
      line += std::string(kCellColumns - width, ' ');
    }
  }
  flush();
}

void Page::text(std::size_t indent, const std::string& value, Tone tone) {
  if (!value.empty()) hang(std::string(indent, ' '), indent + kIndent, value, tone);
}

void Page::line(std::size_t indent, const std::string& value, Tone tone) {
  out_ << std::string(indent, ' ') << paint(terminal_, tone, value) << "\n";
}

void Page::rule() {
  std::string line;
  for (std::size_t i = 0; i < columns_; ++i) line += terminal_.unicode ? "─" : "-";
  out_ << paint(terminal_, Tone::kFaint, line) << "\n";
}

}  // namespace observeai::controlplane::cli
