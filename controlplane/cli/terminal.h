// What the console prints on: tables, colours and plots, decided once from the environment.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace observeai::controlplane::cli {

struct Terminal {
  bool interactive = false;  // A terminal: what was printed may be painted over
  bool colour = false;       // The same, and NO_COLOR is not set
  bool unicode = true;       // The locale says UTF-8
  std::size_t columns = 120;
};
Terminal detect_terminal(int fd);

enum class Tone { kPlain, kGood, kWarning, kBad, kFaint, kStrong };
std::string paint(const Terminal& terminal, Tone tone, std::string_view text);

// Columns on the terminal: combining marks and escape sequences take none, wide characters two.
std::size_t display_width(std::string_view text);
// At most `columns` wide, ending in "…" (or "~") when something was cut.
std::string fit(const Terminal& terminal, std::string_view text, std::size_t columns);

struct Cell {
  std::string text;
  Tone tone = Tone::kPlain;
  Cell(std::string value, Tone of = Tone::kPlain) : text(std::move(value)), tone(of) {}  // NOLINT
  Cell(const char* value) : text(value) {}                                               // NOLINT
};

// Rows under headings. Columns are as wide as their content. When that is more than the terminal has,
// the columns of `gives` shrink and then go, one after the other; then the widest text column shrinks,
// the first column last. A heading that begins with '>' is aligned right.
class Table {
 public:
  explicit Table(std::vector<std::string> headings, std::vector<std::string> gives = {})
      : headings_(std::move(headings)), gives_(std::move(gives)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  bool empty() const { return rows_.empty(); }
  std::string render(const Terminal& terminal) const;

 private:
  void narrow(std::vector<std::size_t>& widths, std::size_t columns) const;

  std::vector<std::string> headings_;
  std::vector<std::string> gives_;
  std::vector<std::vector<Cell>> rows_;
};

struct PlotPoint {
  std::int64_t ts_ms = 0;
  double value = 0;  // NaN: a gap
};
// A line plot of `rows` text lines with the value axis at the left and times below. `unit` is
// "bytes", "cores", "" ...: how the axis is written.
std::string plot(const Terminal& terminal, const std::vector<PlotPoint>& points, std::size_t rows,
                 std::string_view unit);

// "1.5 GiB", "0.03", "12.4k": short, for the unit given by a metric's name.
std::string format_value(double value, std::string_view unit);
// The unit that a metric's name announces: "bytes", "seconds", or "".
std::string unit_of_metric(std::string_view name);

}  // namespace observeai::controlplane::cli
