// Series of the anomaly benchmark as files: rows of timestamp,value.
#pragma once

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/base/text.h"

namespace observeai::bench {

namespace fs = std::filesystem;

struct Row {
  std::string_view time;
  std::string_view text;  // Of the value, as it stands there
  std::int64_t ts_ms = 0;
  double value = 0;  // NaN where the cell is empty
};

enum class Format { kNab, kKpi };

inline Result<std::string> read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in || !text) return Error(Errc::kNotFound, path.string() + ": cannot be read");
  return text.str();
}

template <class T>
bool parse(std::string_view text, T& value) {
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  return code == std::errc{} && end == text.data() + text.size();
}

// "2014-04-10 00:04:00" (a fraction and a T are accepted), taken as UTC.
inline bool parse_date(std::string_view text, std::int64_t& ts_ms) {
  if (text.size() < 19) return false;
  int year = 0;
  unsigned month = 0, day = 0, hour = 0, minute = 0, second = 0;
  const bool read = parse(text.substr(0, 4), year) && parse(text.substr(5, 2), month) &&
                    parse(text.substr(8, 2), day) && parse(text.substr(11, 2), hour) &&
                    parse(text.substr(14, 2), minute) && parse(text.substr(17, 2), second);
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!read || !date.ok() || hour > 23 || minute > 59 || second > 60) return false;
  const auto days = std::chrono::sys_days(date).time_since_epoch().count();
  ts_ms = (days * 86'400LL + hour * 3'600 + minute * 60 + second) * 1'000;
  return true;
}

inline Result<std::vector<Row>> parse_rows(std::string_view text, Format format) {
  std::vector<Row> rows;
  int number = 0;
  for (auto line : text::split(text, '\n')) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (number == 1) {
      if (line != "timestamp,value") {
        return Error(Errc::kInvalid, "line 1: the header must be timestamp,value");
      }
      continue;
    }
    if (line.empty()) continue;
    const auto comma = line.find(',');
    const auto where = "line " + std::to_string(number) + ": ";
    if (comma == std::string_view::npos) return Error(Errc::kInvalid, where + "no comma");
    Row row{line.substr(0, comma), line.substr(comma + 1)};
    const bool timed =
        format == Format::kNab ? parse_date(row.time, row.ts_ms) : parse(row.time, row.ts_ms);
    if (!timed) return Error(Errc::kInvalid, where + "not a time stamp: " + std::string(row.time));
    if (format == Format::kKpi) row.ts_ms *= 1'000;
    if (row.text.empty()) {
      row.value = NAN;
    } else if (!parse(row.text, row.value)) {
      return Error(Errc::kInvalid, where + "not a number: " + std::string(row.text));
    }
    rows.push_back(row);
  }
  return rows;
}

}  // namespace observeai::bench
