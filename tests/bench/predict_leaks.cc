// Forecasts of exhaustion for every minute of every series in a folder.
//   bench_predict_leaks INPUT OUT
// INPUT/*.csv: minute,used_pct   OUT/*.csv: minute,p30,tte_p10,tte_p50,tte_p90,alarm
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/predict/exhaustion.h"

using namespace observeai;
namespace fs = std::filesystem;

namespace {

constexpr double kLimit = 100;  // used_pct is in per cent of the limit

struct Row {
  std::int64_t minute = 0;
  double used = 0;
};

// "12,34.5"; an empty value is not known.
Result<Row> row_of(std::string_view line) {
  Row row;
  const char* end = line.data() + line.size();
  const auto minute = std::from_chars(line.data(), end, row.minute);
  if (minute.ec != std::errc{} || minute.ptr == end || *minute.ptr != ',') {
    return Error(Errc::kInvalid, "expected minute,used_pct");
  }
  const char* begin = minute.ptr + 1;
  if (begin == end) {
    row.used = std::nan("");
    return row;
  }
  const auto used = std::from_chars(begin, end, row.used);
  if (used.ec != std::errc{} || used.ptr != end) {
    return Error(Errc::kInvalid, "expected minute,used_pct");
  }
  row.used /= kLimit;
  return row;
}

Result<std::vector<Row>> read_series(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::vector<Row> rows;
  std::size_t number = 0;
  while (std::getline(in, line)) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (number == 1) {
      if (line != "minute,used_pct") {
        return Error(Errc::kInvalid, path.string() + ": the header must be minute,used_pct");
      }
      continue;
    }
    const auto row = row_of(line);
    if (!row) {
      return Error(Errc::kInvalid,
                   path.string() + ":" + std::to_string(number) + ": " + row.error().message());
    }
    if (!rows.empty() && row->minute <= rows.back().minute) {
      return Error(Errc::kInvalid,
                   path.string() + ":" + std::to_string(number) + ": minutes must grow");
    }
    rows.push_back(*row);
  }
  if (number == 0) return Error(Errc::kInvalid, path.string() + ": empty or not readable");
  return rows;
}

void append(std::string& out, double value, const char* format) {
  char text[32];
  const int length = std::snprintf(text, sizeof text, format, value);
  out.append(text, static_cast<std::size_t>(length));
}

// Not in sight: an empty cell.
void append_left(std::string& out, double steps) {
  out += ',';
  if (std::isfinite(steps)) append(out, steps, "%.2f");
}

std::string forecasts_of(const std::vector<Row>& rows) {
  predict::ExhaustionForecaster forecaster;
  std::string out = "minute,p30,tte_p10,tte_p50,tte_p90,alarm\n";
  for (const Row& row : rows) {
    const predict::Forecast forecast = forecaster.observe(row.minute, row.used);
    out += std::to_string(row.minute);
    out += ',';
    append(out, forecast.p_horizon, "%.5f");
    append_left(out, forecast.left_p10);
    append_left(out, forecast.left_p50);
    append_left(out, forecast.left_p90);
    out += forecast.alarm ? ",1\n" : ",0\n";
  }
  return out;
}

Result<void> run(const fs::path& input, const fs::path& output) {
  std::error_code error;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(input, error)) {
    if (entry.path().extension() == ".csv") files.push_back(entry.path());
  }
  if (error) return Error(Errc::kNotFound, input.string() + ": " + error.message());
  if (files.empty()) return Error(Errc::kNotFound, input.string() + ": holds no *.csv");
  std::ranges::sort(files);
  fs::create_directories(output, error);
  if (error) return Error(Errc::kUnavailable, output.string() + ": " + error.message());
  std::size_t total = 0;
  for (std::size_t i = 0; i < files.size(); ++i) {
    TRY(const auto rows, read_series(files[i]));
    total += rows.size();
    std::ofstream out(output / files[i].filename(), std::ios::binary);
    out << forecasts_of(rows);
    if (!out.flush()) {
      return Error(Errc::kUnavailable,
                   (output / files[i].filename()).string() + ": cannot be written");
    }
    if ((i + 1) % 100 == 0 || i + 1 == files.size()) {
      std::fprintf(stderr, "%zu of %zu series\n", i + 1, files.size());
    }
  }
  std::printf("{\"series\": %zu, \"rows\": %zu}\n", files.size(), total);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bench_predict_leaks INPUT OUT\n");
    return 2;
  }
  const auto done = run(argv[1], argv[2]);
  if (done) return 0;
  std::fprintf(stderr, "bench_predict_leaks: %s\n", done.error().message().c_str());
  return 1;
}
