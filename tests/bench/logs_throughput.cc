// How fast one core takes container logs from their files into the spool, and where the time goes: each
// line of the table adds a step to the one before it.
//   logs_throughput [MiB] [access|mix]     (default 192 MiB of both; written to a temporary folder first)
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

#include "agent/app/outbox.h"
#include "agent/logs/docker_json_line.h"
#include "agent/logs/log_collector.h"
#include "agent/logs/redactor.h"
#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_prefilter.h"
#include "agent/runtime/process_limits.h"
#include "protocol/base/clock.h"
#include "protocol/wire/batch_codec.h"
#include "tests/bench/log_lines.h"
#include "tests/support/temp_dir.h"

namespace {

using namespace observeai;

constexpr std::size_t kReadBytes = 1U << 20;  // As the agent's loop asks for

// CPU time of the process and time on the wall since it was made.
class Stopwatch {
 public:
  void report(const char* what, double bytes) const {
    const auto wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_);
    const double mib = bytes / (1 << 20);
    std::printf("  %-46s %7.0f MiB per CPU second %7.0f MiB/s\n", what, mib / (cpu() - cpu_begin_),
                mib / wall.count());
  }

 private:
  static double cpu() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  double cpu_begin_ = cpu();
};

template <class F>
void for_each_line(const std::string& block, const F& f) {
  for (std::size_t at = 0; at < block.size();) {
    const auto end = block.find('\n', at);
    f(std::string_view(block).substr(at, end - at));
    at = end + 1;
  }
}

// Decoding and redaction alone, on lines in memory.
void bench_functions(bench::Lines kind) {
  constexpr int kRounds = 8;
  std::string block;
  for (std::size_t n = 0; block.size() < (8U << 20); ++n) bench::append_entry(kind, n, block);
  const double bytes = kRounds * static_cast<double>(block.size());
  const agent::Redactor redactor;
  std::string scratch;
  std::string out;
  std::string texts;
  std::size_t sum = 0;
  const Stopwatch decoding;
  for (int round = 0; round < kRounds; ++round) {
    for_each_line(block, [&](std::string_view line) {
      sum += agent::decode_docker_json_line(line, scratch).text.size();
    });
  }
  decoding.report("decode (in memory)", bytes);
  for_each_line(block, [&](std::string_view line) {
    texts += agent::decode_docker_json_line(line, scratch).text;
    texts += '\n';
  });
  const Stopwatch redacting;
  for (int round = 0; round < kRounds; ++round) {
    for_each_line(texts, [&](std::string_view text) { sum += redactor.redact(text, out) ? 1 : 0; });
  }
  redacting.report("redact (in memory, of decoded text)",
                   kRounds * static_cast<double>(texts.size()));
  agent::SecretPrefilter filter;
  agent::add_secret_anchors(filter);
  filter.seal();
  const Stopwatch filtering;
  for (int round = 0; round < kRounds; ++round) {
    for_each_line(texts, [&](std::string_view text) {
      for (auto at = filter.next(text, 0); at != agent::SecretPrefilter::kNone; ++sum) {
        at = filter.next(text, at + 1);
      }
    });
  }
  filtering.report("its prefilter alone", kRounds * static_cast<double>(texts.size()));
  if (sum == 0) std::printf("nothing was read\n");
}

enum class Through { kCollector, kCodec, kSpool };

agent::LogCommit to_commit(agent::LogRead read) {
  agent::LogCommit commit;
  commit.records = std::move(read.records);
  commit.checkpoints = std::move(read.checkpoints);
  commit.counts = std::move(read.counts);
  return commit;
}

// True: every line arrived.
bool bench_pipeline(const std::string& path, std::uint64_t size, Through through,
                    const char* what) {
  const test::TempDir dir;
  const SystemClock clock;
  auto spool =
      agent::Spool::open(dir.path(), {.max_bytes = 4ULL << 30, .min_free_bytes = 0}, clock);
  if (!spool) return std::printf("%s\n", spool.error().message().c_str()) < 0;
  auto outbox = agent::Outbox::create(**spool, clock, [] {});
  if (!outbox) return std::printf("%s\n", outbox.error().message().c_str()) < 0;
  agent::LogCollector collector(clock);
  agent::ObservedContainer container;
  container.facts.id = std::string(64, 'a');
  container.facts.state = "running";
  container.log_path = path;
  collector.set_containers(std::span(&container, 1));
  std::uint64_t bytes_read = 0;
  std::uint64_t packed = 0;
  const Stopwatch stopwatch;
  do {
    auto read = collector.read(kReadBytes);
    for (const auto& counts : read.counts) bytes_read += counts.bytes_read;
    if (through == Through::kCodec && !read.records.empty()) {
      wire::LogBatch batch{std::move(read.records)};
      const auto body = wire::encode_logs(batch);
      packed += body ? body->size() : 0;
      read.records = std::move(batch.records);
    }
    auto commit = to_commit(std::move(read));
    if (through == Through::kSpool && !outbox->commit_logs(std::move(commit))) break;
    collector.reuse(std::move(commit.records));
    collector.committed();
  } while (collector.more());
  stopwatch.report(what, static_cast<double>(size));
  if (packed > 0) {
    std::printf("  %-46s %7.1f times smaller\n", "",
                static_cast<double>(size) / static_cast<double>(packed));
  }
  return bytes_read == size;
}

bool measure(bench::Lines kind, std::size_t mib) {
  const test::TempDir dir;
  const auto path = dir / "container-json.log";
  std::uint64_t size = 0;
  std::uint64_t lines = 0;
  {
    std::ofstream file(path, std::ios::binary);
    for (std::string line; size < mib << 20; ++lines) {
      line.clear();
      bench::append_entry(kind, lines, line);
      file << line;
      size += line.size();
    }
  }
  std::printf("%s: %llu lines of %.0f bytes as json-file\n",
              kind == bench::Lines::kAccess ? "access" : "mix",
              static_cast<unsigned long long>(lines),
              static_cast<double>(size) / static_cast<double>(lines));
  bench_functions(kind);
  return bench_pipeline(path, size, Through::kCollector, "collector: read, decode, redact") &&
         bench_pipeline(path, size, Through::kCodec, "+ encode, zstd") &&
         bench_pipeline(path, size, Through::kSpool, "+ ledger, spool with fsync");
}

}  // namespace

int main(int argc, char** argv) {
  agent::keep_one_heap();  // As the agent does
  const std::size_t mib = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 192;
  const std::string only = argc > 2 ? argv[2] : "";
  bool whole = true;
  if (only != "mix") whole = measure(bench::Lines::kAccess, mib) && whole;
  if (only != "access") whole = measure(bench::Lines::kMix, mib) && whole;
  if (!whole) std::printf("lines are missing\n");
  return whole ? 0 : 1;
}
