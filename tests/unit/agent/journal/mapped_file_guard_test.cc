#include "agent/journal/mapped_file_guard.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

constexpr std::size_t kBytes = 4 * 4096;

// A file of kBytes, mapped, of which nothing is left.
const volatile char* map_and_truncate(const std::string& path) {
  std::ofstream(path) << std::string(kBytes, 'x');
  const int fd = ::open(path.c_str(), O_RDWR);
  REQUIRE(fd >= 0);
  void* const mapped = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
  REQUIRE(mapped != MAP_FAILED);
  REQUIRE(::ftruncate(fd, 0) == 0);
  ::close(fd);
  return static_cast<const volatile char*>(mapped);
}

// How a child ended that read beyond the file: the signal, or the code with which a handler before
// the guard's (a sanitizer's) left; 0 = well.
int end_of_reader(const volatile char* mapped, bool guarded) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!guarded) {
      { const MappedFileGuard earlier; }  // The handler is there, the guard is not
      ::_exit(mapped[0]);
    }
    const MappedFileGuard guard;
    ::_exit(mapped[0]);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("a page that is gone reads as zeros under a guard, and is counted") {
  const test::TempDir folder;
  const auto* mapped = map_and_truncate(folder / "file");
  const MappedFileGuard guard;
  CHECK(guard.hits() == 0);
  CHECK(mapped[0] == 0);
  CHECK(mapped[100] == 0);
  CHECK(guard.hits() == 1);
  CHECK(mapped[3 * 4096] == 0);
  CHECK(guard.hits() == 2);
  ::munmap(const_cast<char*>(mapped), kBytes);
}

TEST_CASE("without a guard the process ends as before") {
  const test::TempDir folder;
  const auto* mapped = map_and_truncate(folder / "file");
  CHECK(end_of_reader(mapped, false) != 0);
  CHECK(end_of_reader(mapped, true) == 0);
  ::munmap(const_cast<char*>(mapped), kBytes);
}
