#include "controlplane/cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // A text column never shrinks below this
constexpr std::size_t kGone = std::numeric_limits<std::size_t>::max();

char32_t decode(std::string_view sequence) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  switch (sequence.size()) {
    case 1:
      return byte(0);
    case 2:
      return static_cast<char32_t>((byte(0) & 0x1F) << 6 | (byte(1) & 0x3F));
    case 3:
      return static_cast<char32_t>((byte(0) & 0x0F) << 12 | (byte(1) & 0x3F) << 6 |
                                   (byte(2) & 0x3F));
    default:
      return static_cast<char32_t>((byte(0) & 0x07) << 18 | (byte(1) & 0x3F) << 12 |
                                   (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F));
  }
}

std::size_t code_point_width(char32_t c) {
  if (c < 0x80) return 1;
  const int width = ::wcwidth(static_cast<wchar_t>(c));
  return width < 0 ? 1 : static_cast<std::size_t>(width);
}

std::string pad(std::size_t count) {
  return std::string(count, ' ');
}

}  // namespace

Terminal detect_terminal(int fd) {
  Terminal terminal;
  const bool is_terminal = ::isatty(fd) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  terminal.interactive = is_terminal;
  terminal.colour = is_terminal && (no_colour == nullptr || *no_colour == '\0');
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    terminal.unicode = locale.find("UTF-8") != std::string_view::npos ||
                       locale.find("utf8") != std::string_view::npos;
    break;
  }
  struct winsize size {};
  if (is_terminal && ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) {
    terminal.columns = size.ws_col;
  } else {
    // Not a terminal: rows are for tools and must not be cut.
    terminal.columns = is_terminal ? 80 : 100'000;
  }
  return terminal;
}

std::string paint(const Terminal& terminal, Tone tone, std::string_view text) {
  if (!terminal.colour || tone == Tone::kPlain) return std::string(text);
  const char* code = "0";
  if (tone == Tone::kGood) code = "32";
  if (tone == Tone::kWarning) code = "33";
  if (tone == Tone::kBad) code = "31";
  if (tone == Tone::kFaint) code = "2";
  if (tone == Tone::kStrong) code = "1";
  return std::string("\x1b[").append(code).append("m").append(text).append("\x1b[0m");
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const auto length = text::utf8_sequence_length(text);
    width += length == 0 ? 1 : code_point_width(decode(text.substr(0, length)));
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return width;
}

std::string fit(const Terminal& terminal, std::string_view text, std::size_t columns) {
  if (display_width(text) <= columns) return std::string(text);
  std::string out;
  std::size_t width = 0;
  while (!text.empty()) {
    const auto length = std::max<std::size_t>(text::utf8_sequence_length(text), 1);
    const auto next = code_point_width(decode(text.substr(0, length)));
    if (width + next + 1 > columns) break;
    out.append(text.substr(0, length));
    width += next;
    text.remove_prefix(length);
  }
  return out + (terminal.unicode ? "…" : "~");
}

// A column that had to go has the width kGone.
void Table::narrow(std::vector<std::size_t>& widths, std::size_t columns) const {
  const auto excess = [&] {
    std::size_t sum = 0;
    for (const auto width : widths) sum += width == kGone ? 0 : width + kGap;
    sum -= std::min(sum, kGap);
    return sum > columns ? sum - columns : 0;
  };
  const auto shrink = [&](std::size_t i) {
    if (widths[i] > kNarrowest) widths[i] -= std::min(excess(), widths[i] - kNarrowest);
  };
  for (const auto& heading : gives_) {
    const auto i = static_cast<std::size_t>(std::find(headings_.begin(), headings_.end(), heading) -
                                            headings_.begin());
    if (i == headings_.size() || excess() == 0) continue;
    shrink(i);
    if (excess() > 0) widths[i] = kGone;
  }
  while (excess() > 0) {
    std::size_t widest = 0;
    for (std::size_t i = 1; i < widths.size(); ++i) {
      const bool gives = !headings_[i].starts_with('>') && widths[i] != kGone;
      if (gives && widths[i] > kNarrowest && (widest == 0 || widths[i] > widths[widest]))
        widest = i;
    }
    if (widest == 0) break;
    --widths[widest];
  }
  if (!widths.empty() && !headings_[0].starts_with('>')) shrink(0);
}

std::string Table::render(const Terminal& terminal) const {
  std::vector<std::size_t> widths(headings_.size());
  std::vector<bool> right(headings_.size());
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    right[i] = headings_[i].starts_with('>');
    widths[i] = display_width(headings_[i]) - (right[i] ? 1 : 0);
    for (const auto& row : rows_) {
      if (i < row.size()) widths[i] = std::max(widths[i], display_width(row[i].text));
    }
  }
  narrow(widths, terminal.columns);
  std::vector<std::size_t> shown;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (widths[i] != kGone) shown.push_back(i);
  }

  std::string out;
  const auto put = [&](std::size_t i, const Cell& cell, bool last) {
    const std::string text = fit(terminal, cell.text, widths[i]);
    const std::string filler = pad(widths[i] - std::min(widths[i], display_width(text)));
    if (right[i]) out += filler;
    out += paint(terminal, cell.tone, text);
    if (!right[i] && !last) out += filler;
    if (!last) out += pad(kGap);
  };
  for (const auto i : shown) {
    put(i, Cell(headings_[i].substr(right[i] ? 1 : 0), Tone::kFaint), i == shown.back());
  }
  out += '\n';
  for (const auto& row : rows_) {
    for (const auto i : shown) put(i, i < row.size() ? row[i] : Cell(""), i == shown.back());
    out += '\n';
  }
  return out;
}

std::string unit_of_metric(std::string_view name) {
  if (name.find("_bytes") != std::string_view::npos) return "bytes";
  // cAdvisor leaves the unit out of these.
  for (const auto* plain : {"container_memory_rss", "container_memory_cache",
                            "container_memory_swap", "container_memory_mapped_file"}) {
    if (name == plain) return "bytes";
  }
  if (name.find("_seconds") != std::string_view::npos) return "seconds";
  return "";
}

std::string format_value(double value, std::string_view unit) {
  if (value != value) return "-";
  if (unit == "bytes") return text::format_bytes(value);
  std::array<char, 32> out{};
  const double size = value < 0 ? -value : value;
  if (size >= 1e9) {
    std::snprintf(out.data(), out.size(), "%.3gG", value / 1e9);
  } else if (size >= 1e6) {
    std::snprintf(out.data(), out.size(), "%.4gM", value / 1e6);
  } else if (size >= 1e4) {
    std::snprintf(out.data(), out.size(), "%.4gk", value / 1e3);
  } else {
    std::snprintf(out.data(), out.size(), "%.4g", value);
  }
  return out.data() + std::string(unit == "seconds" ? "s" : "");
}

}  // namespace observeai::controlplane::cli
