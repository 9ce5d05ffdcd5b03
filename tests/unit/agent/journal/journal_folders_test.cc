#include "agent/journal/journal_folders.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "agent/journal/journal_reader.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

// Cannot be opened, not even by root: it leads to itself.
void make_unreadable(const std::string& path) {
  std::filesystem::create_symlink(path, path);
}

}  // namespace

TEST_CASE("files that can be opened are no problem, nor is a folder that is not there") {
  const test::TempDir dir;
  std::ofstream(dir / "system.journal") << "x";
  make_unreadable(dir / "other.log");
  CHECK(unreadable_journal_file(dir / "none").empty());
  CHECK(unreadable_journal_file(dir / ".").empty());
}

TEST_CASE("a file that cannot be opened is named, also in a machine's folder") {
  const test::TempDir dir;
  const auto machine = dir / std::string(32, 'a');
  std::filesystem::create_directory(machine);
  make_unreadable(machine + "/system.journal");
  const auto problem = unreadable_journal_file(dir / ".");
  CHECK(problem.find("system.journal: ") != std::string::npos);
  CHECK_FALSE(unreadable_journal_file(machine + "/system.journal").empty());  // Not a folder
}

TEST_CASE("a journal that looks empty because nothing of it may be read says so with each read") {
  const test::TempDir dir;
  make_unreadable(dir / "system.journal");
  ManualClock clock;
  const auto reader = make_sd_journal_reader(dir / ".", clock);
  for (int i = 0; i < 2; ++i) {
    const auto read = reader->read({}, {});
    REQUIRE(read);
    CHECK(read->entries.empty());
    CHECK(read->damage.find("system.journal: ") != std::string::npos);
  }
  std::filesystem::remove(dir / "system.journal");
  reader->close();
  CHECK(reader->read({}, {}).value().damage.empty());
}

TEST_CASE("the descriptor that tells of news is the caller's own, and stays what it is") {
  const test::TempDir dir;
  const ManualClock clock;
  const auto reader = make_sd_journal_reader(dir / ".", clock);
  CHECK(reader->duplicate_wake_fd() == -1);
  REQUIRE(reader->read({}, {}));
  const int own = reader->duplicate_wake_fd();
  REQUIRE(own >= 0);
  reader->close();
  CHECK(reader->duplicate_wake_fd() == -1);
  CHECK(::fcntl(own, F_GETFD) == FD_CLOEXEC);
  CHECK(::close(own) == 0);
}
