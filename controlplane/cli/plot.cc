#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>

#include "controlplane/cli/terminal.h"
#include "protocol/base/text.h"

namespace observeai::controlplane::cli {
namespace {

// A grid of dots, 2 x 4 in each character (Unicode braille), or one '*' without Unicode.
class Canvas {
 public:
  Canvas(std::size_t columns, std::size_t rows, bool unicode)
      : columns_(columns), rows_(rows), unicode_(unicode), cells_(columns * rows) {}
  std::size_t dots_wide() const { return columns_ * 2; }
  std::size_t dots_high() const { return rows_ * 4; }

  // y counts from the bottom.
  void set(std::size_t x, std::size_t y) {
    constexpr unsigned char kDots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    const std::size_t from_top = dots_high() - 1 - y;
    cells_[from_top / 4 * columns_ + x / 2] |= kDots[from_top % 4][x % 2];
  }
  std::string row(std::size_t index) const {
    std::string out;
    for (std::size_t i = 0; i < columns_; ++i) {
      const unsigned char dots = cells_[index * columns_ + i];
      if (!unicode_) {
        out += dots != 0 ? '*' : ' ';
        continue;
      }
      // U+2800 + dots
      out += '\xE2';
      out += static_cast<char>(0xA0 | dots >> 6);
      out += static_cast<char>(0x80 | (dots & 0x3F));
    }
    return out;
  }

 private:
  std::size_t columns_;
  std::size_t rows_;
  bool unicode_;
  std::vector<unsigned char> cells_;
};

std::string local_time(std::int64_t ts_ms, bool with_date) {
  const std::time_t seconds = ts_ms / 1000;
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  char out[32];
  std::strftime(out, sizeof out, with_date ? "%m-%d %H:%M" : "%H:%M:%S", &parts);
  return out;
}

void draw(Canvas& canvas, const std::vector<PlotPoint>& points, double low, double high,
          std::int64_t first, std::int64_t last) {
  const double span = static_cast<double>(std::max<std::int64_t>(last - first, 1));
  const double wide = static_cast<double>(canvas.dots_wide() - 1);
  const double tall = static_cast<double>(canvas.dots_high() - 1);
  double old_x = -1;
  double old_y = 0;
  for (const auto& point : points) {
    if (std::isnan(point.value)) {
      old_x = -1;
      continue;
    }
    const double x = std::round(static_cast<double>(point.ts_ms - first) / span * wide);
    const double y = std::round((point.value - low) / (high - low) * tall);
    const double from_x = old_x < 0 ? x : old_x;
    const double from_y = old_x < 0 ? y : old_y;
    const double steps = std::max({std::abs(x - from_x), std::abs(y - from_y), 1.0});
    for (double step = 0; step <= steps; ++step) {
      canvas.set(static_cast<std::size_t>(std::round(from_x + (x - from_x) * step / steps)),
                 static_cast<std::size_t>(std::round(from_y + (y - from_y) * step / steps)));
    }
    old_x = x;
    old_y = y;
  }
}

}  // namespace

std::string plot(const Terminal& terminal, const std::vector<PlotPoint>& points, std::size_t rows,
                 std::string_view unit) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const auto& point : points) {
    if (std::isnan(point.value)) continue;
    low = std::min(low, point.value);
    high = std::max(high, point.value);
  }
  if (!(low <= high)) return "no points in this range\n";
  // A flat line stands in the middle instead of dividing by nothing.
  if (high - low < 1e-12 * std::max(std::abs(high), 1.0)) {
    const double margin = std::max(std::abs(high) * 0.1, 1.0);
    low = low >= 0 ? std::max(0.0, low - margin) : low - margin;
    high += margin;
  }
  const std::string top = format_value(high, unit);
  const std::string bottom = format_value(low, unit);
  const std::size_t axis = std::max(display_width(top), display_width(bottom));
  const std::size_t wanted = std::min<std::size_t>(terminal.columns, 100);
  const std::size_t columns = wanted > axis + 12 ? wanted - axis - 2 : 10;

  Canvas canvas(columns, rows, terminal.unicode);
  const std::int64_t first = points.front().ts_ms;
  const std::int64_t last = points.back().ts_ms;
  draw(canvas, points, low, high, first, last);

  std::string out;
  for (std::size_t i = 0; i < rows; ++i) {
    const std::string& label = i == 0 ? top : i + 1 == rows ? bottom : std::string();
    out += std::string(axis - display_width(label), ' ') + label;
    out += terminal.unicode ? " ┤" : " |";
    out += canvas.row(i) + "\n";
  }
  const bool long_range = last - first > 20LL * 3'600'000;
  const std::string left = local_time(first, long_range);
  const std::string right = local_time(last, long_range);
  const std::size_t gap =
      columns > left.size() + right.size() ? columns - left.size() - right.size() : 1;
  out += std::string(axis + 2, ' ') + left + std::string(gap, ' ') + right + "\n";
  return out;
}

}  // namespace observeai::controlplane::cli
