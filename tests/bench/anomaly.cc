// The detector over the series of a folder, as shared/bench reads them.
//   bench_anomaly nab|kpi INPUT OUT  ->  OUT/<series>.csv for each INPUT/<series>.csv, one line of JSON
// nab|kpi names the file format and nothing else; each series has a detector of its own, rows in order.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include "controlplane/series/detector.h"
#include "protocol/base/result.h"
#include "tests/bench/anomaly_rows.h"

using namespace observeai;
using namespace observeai::bench;

namespace {

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
