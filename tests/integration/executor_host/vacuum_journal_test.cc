// disk.vacuum_journal on the files of a real journald that goes on writing.
#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include "agent/executor/actions/disk_kinds.h"
#include "agent/executor/facts.h"
#include "agent/executor/unique_fd.h"
#include "tests/integration/executor_host/in_systemd.h"

using namespace observeai;
using namespace observeai::agent::executor;
namespace fs = std::filesystem;

namespace {

constexpr const char* kName = "disk.vacuum_journal";
constexpr std::int64_t kKeep = 9 << 20;

wire::Parameters keep(std::int64_t bytes) {
  return {{"keep_bytes", bytes}};
}

// About 5 MB of lines, then a rotation.
void fill_and_rotate() {
  test::call("/bin/sh",
             {"-c", "head -c 4000000 /dev/urandom | base64 -w 900 | systemd-cat -t fill"});
  test::call("/usr/bin/journalctl", {"--sync"});
  test::call("/usr/bin/journalctl", {"--rotate"});
}

std::vector<fs::directory_entry> journals(bool archived) {
  std::vector<fs::directory_entry> out;
  for (const auto& one : fs::recursive_directory_iterator("/var/log/journal"))
    if (one.is_regular_file() &&
        parse_journal_name(one.path().filename().string()).has_value() == archived)
      out.push_back(one);
  return out;
}

std::uintmax_t archived_bytes() {
  std::uintmax_t sum = 0;
  for (const auto& one : journals(true)) sum += one.file_size();
  return sum;
}

}  // namespace

TEST_CASE("archived journals go, the oldest first; the one in use stays and is written on") {
  test::InSystemd rig;
  for (int i = 0; i < 5; ++i) fill_and_rotate();
  test::call("/bin/sh", {"-c", "echo kept-before | systemd-cat -t mark"});
  test::call("/usr/bin/journalctl", {"--sync"});
  REQUIRE(archived_bytes() > kKeep);
  const auto in_use = journals(false).size();
  REQUIRE(in_use >= 1);
  const auto outcome = rig.carry_out(kName, keep(kKeep));
  CHECK(outcome.real.size() >= 2);
  for (const auto& change : outcome.real) CHECK_FALSE(fs::exists(change.what));
  CHECK(archived_bytes() <= kKeep);
  CHECK(archived_bytes() > 0);
  CHECK(journals(false).size() == in_use);
  CHECK(rig.refused(kName, keep(kKeep)) == Errc::kUnavailable);

  // What stays is younger than what went.
  std::uint64_t youngest_gone = 0;
  for (const auto& change : outcome.real)
    youngest_gone = std::max(
        youngest_gone, parse_journal_name(fs::path(change.what).filename().string())->time_us);
  for (const auto& one : journals(true))
    CHECK(parse_journal_name(one.path().filename().string())->time_us >= youngest_gone);

  test::call("/bin/sh", {"-c", "echo kept-after | systemd-cat -t mark"});
  test::call("/usr/bin/journalctl", {"--sync"});
  CHECK(test::call("/usr/bin/journalctl", {"-t", "mark", "-o", "cat", "--no-pager"}) ==
        "kept-before\nkept-after\n");
}

TEST_CASE("readers are no hindrance, a writer is; a name alone makes no archived journal") {
  test::InSystemd rig;
  for (int i = 0; i < 3; ++i) fill_and_rotate();
  auto seen = rig.assess(kName, keep(8 << 20));
  REQUIRE(seen.has_value());
  const std::string first = seen->diff.at(0).what;
  const UniqueFd reader(::open(first.c_str(), O_RDONLY));
  CHECK(rig.assess(kName, keep(8 << 20))->diff.at(0).what == first);
  {
    const UniqueFd writer(::open(first.c_str(), O_RDWR));
    const auto held = rig.assess(kName, keep(0x800000));
    REQUIRE(held.has_value());
    // journald itself may have the youngest open still.
    CHECK(std::stoi(held->facts.at(0).value) >= 1);
    for (const auto& change : held->diff) CHECK(change.what != first);
  }
  // The oldest of all by its name, and not archived by its header; and a link of that kind.
  const auto folder = fs::path(first).parent_path();
  const auto like = [&](const char* time) {
    return folder / (std::string("system@0123456789abcdef0123456789abcdef-0000000000000001-") +
                     time + ".journal");
  };
  std::ofstream(like("0000000000000001")) << "LPKSHHRH" << std::string(9'000'000, '\1');
  fs::create_symlink("/etc/passwd", like("0000000000000002"));
  const auto outcome = rig.carry_out(kName, keep(8 << 20));
  for (const auto& change : outcome.real)
    CHECK(change.what.find("@0123456789abcdef") == std::string::npos);
  CHECK(fs::exists(like("0000000000000001")));
  CHECK(fs::exists("/etc/passwd"));
  fs::remove(like("0000000000000001"));
  fs::remove(like("0000000000000002"));
}

TEST_CASE("a journal folder behind a link is refused") {
  test::InSystemd rig;
  fs::create_directory_symlink("/var/log/journal", "/run/journal-link");
  rig.host.journal_directory = "/run/journal-link";
  CHECK(rig.refused(kName, keep(8 << 20)) == Errc::kDenied);
}
