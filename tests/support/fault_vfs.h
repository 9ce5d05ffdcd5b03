// An SQLite file layer that fails at a chosen place, by decoration of the real one.
#pragma once

#include <cstdint>
#include <functional>

namespace observeai::test {

// What a site (a write, a sync or a truncation) does when its turn comes.
enum class IoFault {
  kNone,
  kError,         // Nothing is done: EIO
  kShort,         // Half of a write is done: EIO
  kFull,          // Half of a write is done: the disk is full
  kDoneButError,  // Everything is done, and the answer is EIO all the same
};

// Replaces SQLite's default for databases opened from now on, until destroyed. One at a time, one thread.
// Nothing is really synced, which is quick: what dies in a test is a process, never the power.
class FaultVfs {
 public:
  FaultVfs();
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  // The site number `at` from now (0 = the next one) fails, and all after it when `for_good`.
  void fail(IoFault fault, std::uint64_t at, bool for_good);
  void heal();
  // Called before each site: the files are then as kill -9 leaves them. Empty: no more.
  void watch(std::function<void()> before_site);
  std::uint64_t sites() const;   // Passed since the last fail() or heal()
  std::uint64_t faults() const;  // That happened
};

}  // namespace observeai::test
