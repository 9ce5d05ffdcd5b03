// Writes numbered lines into a json-file log as Docker's engine does, all at once or at a steady rate:
//   log_writer FILE SOURCE access|mix BYTES [BYTES_PER_SECOND]
// A line's text begins with "<source> <number> ", from 1. Prints how many lines it wrote.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/bench/log_lines.h"

namespace {

using observeai::bench::Lines;
using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kBlockBytes = 64U << 10;
constexpr std::chrono::milliseconds kTick{10};

bool write_all(int fd, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const auto n = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (n <= 0) return false;
    done += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: log_writer FILE SOURCE access|mix BYTES [BYTES_PER_SECOND]\n");
    return 2;
  }
  const int fd = ::open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return std::perror(argv[1]), 1;
  const std::string source = argv[2];
  const auto kind = std::string(argv[3]) == "mix" ? Lines::kMix : Lines::kAccess;
  const auto bytes = std::strtoull(argv[4], nullptr, 10);
  const auto rate = argc > 5 ? std::strtod(argv[5], nullptr) : 0;
  const auto begin = SteadyClock::now();
  std::uint64_t written = 0;
  std::uint64_t lines = 0;
  std::string block;
  while (written < bytes) {
    const std::chrono::duration<double> taken = SteadyClock::now() - begin;
    const auto due = rate > 0 ? static_cast<std::uint64_t>(taken.count() * rate) : bytes;
    block.clear();
    const std::uint64_t wanted = std::min<std::uint64_t>(due, bytes);
    const std::uint64_t room =
        std::min<std::uint64_t>(kBlockBytes, wanted - std::min(wanted, written));
    while (block.size() < room) {
      ++lines;
      observeai::bench::append_numbered_entry(kind, source, lines, block);
    }
    if (!write_all(fd, block)) return std::perror(argv[1]), 1;
    written += block.size();
    if (rate > 0 && written >= due) std::this_thread::sleep_for(kTick);
  }
  std::printf("%llu\n", static_cast<unsigned long long>(lines));
  return 0;
}
