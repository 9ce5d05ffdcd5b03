// How fast the spool takes batches, and how fast it opens with 1 GiB in it.
//   bench_spool_rate FOLDER [MIB] [BODY_KIB]  ->  one line of JSON
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "agent/spool/spool.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Bytes that look like packed ones: no two bodies are alike.
std::string body_of(std::size_t bytes, std::uint64_t& state) {
  std::string body(bytes, '\0');
  for (auto& c : body) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    c = static_cast<char>(state >> 56);
  }
  return body;
}

CommitUnit unit_of(std::string body, std::uint64_t number) {
  CommitUnit unit;
  PendingBatch batch;
  batch.lane = wire::Lane::kLogs;
  batch.n = 1;
  batch.body = std::move(body);
  batch.counts = {{"log/container/a", 1, 1}};
  unit.batches.push_back(std::move(batch));
  unit.checkpoints = {{"log/container/a", std::to_string(number)}};
  return unit;
}

Result<void> run(const std::string& folder, std::uint64_t mib, std::size_t body_bytes) {
  const SystemClock clock;
  const SpoolLimits limits{8ULL << 30, 0};
  std::uint64_t random = 1;
  const std::string body = body_of(body_bytes, random);
  const std::uint64_t commits = (mib << 20) / body_bytes;
  TRY(auto spool, Spool::open(folder + "/rate", limits, clock));
  // As in an agent that is connected: what was committed is acknowledged a little later.
  auto begin = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  for (std::uint64_t i = 1; i <= commits; ++i) {
    TRY_VOID(spool->commit(unit_of(body, i)));
    if (i % 16 != 0) continue;
    TRY_VOID(spool->acknowledge({0, 0, i - 8, 0}));
  }
  const double wall = seconds_since(begin);
  const double cpu_used = cpu_seconds() - cpu;
  spool.reset();
  TRY(spool, Spool::open(folder + "/full", limits, clock));
  for (std::uint64_t i = 1; i <= (1ULL << 30) / body_bytes; ++i) {
    TRY_VOID(spool->commit(unit_of(body, i)));
  }
  spool.reset();
  begin = std::chrono::steady_clock::now();
  TRY(spool, Spool::open(folder + "/full", limits, clock));
  const double recovery = seconds_since(begin);
  const double written = static_cast<double>(commits * body_bytes) / (1 << 20);
  std::printf(
      "{\"mib_per_s\": %.1f, \"commits_per_s\": %.0f, \"mib_per_cpu_s\": %.1f, "
      "\"recover_1gib_s\": %.3f, \"body_kib\": %zu}\n",
      written / wall, static_cast<double>(commits) / wall, written / cpu_used, recovery,
      body_bytes >> 10);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::uint64_t mib = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 512;
  const std::size_t body_kib = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 256;
  const auto done = run(argv[1], mib, body_kib << 10);
  if (done) return 0;
  std::fprintf(stderr, "%s\n", done.error().message().c_str());
  return 1;
}
