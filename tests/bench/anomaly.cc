// The detector over the series of a folder, as shared/bench reads them.
//   bench_anomaly nab|kpi INPUT OUT  ->  OUT/<series>.csv for each INPUT/<series>.csv, one line of JSON
// nab|kpi names the file format and nothing else; each series has a detector of its own, rows in order.
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "controlplane/series/detector.h"
#include "protocol/base/result.h"
#include "protocol/base/text.h"

using namespace observeai;
namespace fs = std::filesystem;

namespace {

struct Row {
  std::string_view time;
  std::string_view text;  // Of the value, as it stands there
  std::int64_t ts_ms = 0;
  double value = 0;  // NaN where the cell is empty
};

enum class Format { kNab, kKpi };

struct Totals {
  std::uint64_t rows = 0;
  std::uint64_t alarms = 0;
  double cpu_s = 0;
  std::size_t state_bytes = 0;
};

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) +
         static_cast<double>(usage.ru_utime.tv_usec) / 1e6;
}

Result<std::string> read_file(const fs::path& path) {
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
bool parse_date(std::string_view text, std::int64_t& ts_ms) {
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

Result<std::vector<Row>> parse_rows(std::string_view text, Format format) {
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

// First row to be reported of each series of a kpi set.
Result<std::map<std::string, std::size_t>> read_splits(const fs::path& folder) {
  TRY(const auto text, read_file(folder / "meta.json"));
  boost::system::error_code failed;
  const auto meta = boost::json::parse(text, failed);
  const auto* root = failed ? nullptr : meta.if_object();
  const auto* series = root && root->contains("series") ? root->at("series").if_object() : nullptr;
  if (!series) return Error(Errc::kInvalid, "meta.json: no object \"series\"");
  std::map<std::string, std::size_t> splits;
  for (const auto& [id, entry] : *series) {
    const auto* fields = entry.if_object();
    const auto* split = fields ? fields->if_contains("split") : nullptr;
    if (!split || !split->is_int64() || split->as_int64() < 0) {
      return Error(Errc::kInvalid, "meta.json: " + std::string(id) + " has no split");
    }
    splits[id] = static_cast<std::size_t>(split->as_int64());
  }
  return splits;
}

std::string report(const std::vector<Row>& rows, Format format, std::size_t split, Totals& totals) {
  std::string out =
      format == Format::kNab ? "timestamp,value,anomaly_score\n" : "index,score,alarm\n";
  series::Detector detector;
  std::vector<series::Verdict> verdicts;
  verdicts.reserve(rows.size());
  const double begin = cpu_seconds();
  for (const auto& row : rows) verdicts.push_back(detector.observe(row.ts_ms, row.value));
  totals.cpu_s += cpu_seconds() - begin;
  totals.rows += rows.size();
  totals.state_bytes = std::max(totals.state_bytes, detector.encode().size());
  char number[32];
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& verdict = verdicts[i];
    std::snprintf(number, sizeof number, "%.6f", verdict.score);
    if (format == Format::kNab) {
      out.append(rows[i].time).append(",").append(rows[i].text).append(",").append(number);
    } else {
      if (i < split) continue;
      out.append(std::to_string(i)).append(",").append(number).append(verdict.alarm ? ",1" : ",0");
    }
    if (verdict.alarm) ++totals.alarms;
    out += '\n';
  }
  return out;
}

Result<Totals> run(Format format, const fs::path& input, const fs::path& output) {
  std::error_code failed;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(input, failed)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  if (failed) return Error(Errc::kNotFound, input.string() + ": " + failed.message());
  if (files.empty()) return Error(Errc::kNotFound, input.string() + ": no .csv file in it");
  std::sort(files.begin(), files.end());
  std::map<std::string, std::size_t> splits;
  if (format == Format::kKpi) {
    TRY(splits, read_splits(input));
  }
  fs::create_directories(output, failed);
  if (failed) return Error(Errc::kInvalid, output.string() + ": " + failed.message());
  Totals totals;
  for (const auto& path : files) {
    const auto id = path.stem().string();
    if (format == Format::kKpi && !splits.contains(id)) {
      return Error(Errc::kInvalid, "meta.json: does not know " + id);
    }
    TRY(const auto text, read_file(path));
    auto rows = parse_rows(text, format);
    if (!rows) return std::move(rows).error().with_context(path.string());
    std::ofstream out(output / path.filename(), std::ios::binary);
    out << report(*rows, format, splits[id], totals);
    out.close();
    if (!out) return Error(Errc::kInvalid, (output / path.filename()).string() + ": not written");
    std::fprintf(stderr, "%s: %zu rows\n", id.c_str(), rows->size());
  }
  return totals;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view set = argc == 4 ? argv[1] : "";
  if (set != "nab" && set != "kpi") {
    std::fprintf(stderr, "usage: bench_anomaly nab|kpi INPUT OUT\n");
    return 2;
  }
  const auto totals = run(set == "nab" ? Format::kNab : Format::kKpi, argv[2], argv[3]);
  if (!totals) {
    std::fprintf(stderr, "bench_anomaly: %s\n", totals.error().message().c_str());
    return 1;
  }
  std::printf("{\"rows\":%llu,\"alarms\":%llu,\"cpu_us_per_row\":%.3f,\"state_bytes\":%zu}\n",
              static_cast<unsigned long long>(totals->rows),
              static_cast<unsigned long long>(totals->alarms),
              totals->cpu_s * 1e6 / static_cast<double>(std::max<std::uint64_t>(1, totals->rows)),
              totals->state_bytes);
  return 0;
}
