// How fast one core reads, decodes and redacts container logs. Prints MiB of raw json-file per
// second.
//   logs_throughput [MiB]      (default 192; the file is written to a temporary folder first)
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "agent/logs/docker_json_line.h"
#include "agent/logs/log_collector.h"
#include "agent/logs/redactor.h"
#include "protocol/base/clock.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace observeai;

// An ordinary access log line, 256 bytes as a json-file entry.
std::string entry(std::size_t n) {
  std::string text =
      "10.1." + std::to_string(n % 200) + "." + std::to_string(n % 250) +
      " - - [21/Nov/2026:07:45:00 +0000] GET /api/v1/orders/" + std::to_string(n % 1'000'000) +
      "?page=3 HTTP/1.1 200 5123 service=checkout latency_ms=" + std::to_string(n % 977);
  std::string line = R"({"log":")" + text;
  const std::string rest = R"(\n","stream":"stdout","time":"2026-11-21T07:45:00.123456789Z"})";
  while (line.size() + rest.size() < 255) line.push_back(static_cast<char>('a' + line.size() % 26));
  return line + rest + "\n";
}

double cpu_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

void report(const char* what, double bytes, double seconds) {
  std::printf("%-44s %8.0f MiB/s\n", what, bytes / (1 << 20) / seconds);
}

void bench_functions() {
  std::string block;
  for (std::size_t n = 0; block.size() < (8U << 20); ++n) block += entry(n);
  const agent::Redactor redactor;
  std::string scratch;
  std::string out;
  std::size_t sum = 0;
  for (const bool redact : {false, true}) {
    const auto begin = cpu_seconds();
    for (int round = 0; round < 8; ++round) {
      for (std::size_t at = 0; at < block.size();) {
        const auto end = block.find('\n', at);
        const auto line = std::string_view(block).substr(at, end - at);
        const auto decoded = agent::decode_docker_json_line(line, scratch);
        if (redact && redactor.redact(decoded.text, out)) ++sum;
        sum += decoded.text.size();
        at = end + 1;
      }
    }
    report(redact ? "decode + redact (in memory)" : "decode (in memory)",
           8.0 * static_cast<double>(block.size()), cpu_seconds() - begin);
  }
  const auto begin = cpu_seconds();
  for (int round = 0; round < 8; ++round) {
    for (std::size_t at = 0; at + 160 < block.size(); at += 160) {
      if (redactor.redact(std::string_view(block).substr(at, 160), out)) ++sum;
    }
  }
  report("redact clean text (160-byte texts)", 8.0 * static_cast<double>(block.size()),
         cpu_seconds() - begin);
  if (sum == 0) std::printf("nothing was read\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t mib = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 192;
  bench_functions();
  const test::TempDir dir;
  const auto path = dir / "container-json.log";
  std::uint64_t size = 0;
  {
    std::ofstream file(path, std::ios::binary);
    for (std::size_t n = 0; size < mib << 20; ++n) {
      const auto line = entry(n);
      file << line;
      size += line.size();
    }
  }
  const SystemClock clock;
  agent::LogCollector collector(clock);
  agent::ObservedContainer container;
  container.facts.id = std::string(64, 'a');
  container.facts.state = "running";
  container.log_path = path;
  collector.set_containers(std::span(&container, 1));
  std::uint64_t records = 0;
  const auto begin = cpu_seconds();
  do {
    const auto read = collector.read(1 << 20);
    records += read.records.size();
    collector.committed();
  } while (collector.more());
  report("LogCollector: read + decode + redact", static_cast<double>(size), cpu_seconds() - begin);
  std::printf("%llu records of %llu bytes\n", static_cast<unsigned long long>(records),
              static_cast<unsigned long long>(size));
  return records * 256 == size ? 0 : 1;
}
