#include "agent/journal/mapped_pages.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

constexpr std::size_t kBytes = 4U << 20;

// Resident pages of this process that belong to files.
std::size_t shared_pages() {
  std::ifstream statm("/proc/self/statm");
  std::size_t size = 0;
  std::size_t resident = 0;
  std::size_t shared = 0;
  statm >> size >> resident >> shared;
  return shared;
}

struct Mapped {
  test::TempDir folder;
  const char* data = nullptr;
  explicit Mapped(const char* name) {
    std::ofstream(folder / name) << std::string(kBytes, 'x');
    const int fd = ::open((folder / name).c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(fd >= 0);
    void* const mapped = ::mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, fd, 0);
    ::close(fd);
    REQUIRE(mapped != MAP_FAILED);
    data = static_cast<const char*>(mapped);
  }
  ~Mapped() { ::munmap(const_cast<char*>(data), kBytes); }
  std::size_t touch() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < kBytes; i += 512) sum += static_cast<unsigned char>(data[i]);
    return sum;
  }
};

}  // namespace

TEST_CASE("pages of journal files are let go, and come back with the same content") {
  const Mapped journal("system.journal");
  const auto sum = journal.touch();
  const auto before = shared_pages();
  release_journal_pages();
  CHECK(shared_pages() + 900 < before);  // Of 1,024
  CHECK(journal.touch() == sum);
}

TEST_CASE("other mapped files are left alone") {
  const Mapped other("spool.db");
  other.touch();
  const auto before = shared_pages();
  release_journal_pages();
  CHECK(shared_pages() + 100 > before);
}
