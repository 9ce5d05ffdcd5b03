#include "agent/logs/log_siblings.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;
namespace fs = std::filesystem;

namespace {

void write(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

// Names without the folder, oldest first.
std::vector<std::string> names_of(const Result<std::vector<SeenFile>>& seen) {
  REQUIRE(seen);
  std::vector<std::string> out;
  for (const auto& file : *seen) out.push_back(fs::path(file.path).filename());
  return out;
}
using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("rotated names: the table of log_siblings.h") {
  const auto number = [](const char* base, const char* name) {
    const auto rotated = parse_rotated(base, name);
    return rotated ? static_cast<int>(rotated->number) : -1;
  };
  CHECK(number("app.log", "app.log.1") == 1);
  CHECK(number("app.log", "app.log.12.gz") == 12);
  CHECK(number("app.log", "app.log-20261121") == 0);
  CHECK(number("app.log", "app.log-20261121-1763712000.gz") == 0);
  CHECK(number("app.log", "app-20261121.log") == 0);
  CHECK(number("app.log", "app-20261121.log.gz") == 0);
  CHECK(number("0.log", "0.log.20261121-074500") == 0);
  CHECK(number("syslog", "syslog.1") == 1);
  for (const char* other :
       {"app.log", "app.log.0", "app.log.x", "app.log.1.tmp", "app.log.1.bz2", "app.log-x",
        "app.log.gz", "app-2.log", "other.log.1", "app.log-", "app-20261121.txt", "ap.log.1"}) {
    CAPTURE(other);
    CHECK(number("app.log", other) == -1);
  }
  CHECK(parse_rotated("app.log", "app.log.2.gz")->compressed);
  CHECK_FALSE(parse_rotated("app.log", "app.log.2")->compressed);
  CHECK(live_names_of("app.log.2.gz") == Names{"app.log"});
  CHECK(live_names_of("app-20261121.log") == Names{"app.log"});
  CHECK(live_names_of("app.log").empty());
}

TEST_CASE("siblings are opened oldest first, the live file last; others are left alone") {
  const test::TempDir dir;
  const auto path = dir / "x.log";
  for (const char* name :
       {"", ".1", ".2", ".10", ".3.gz", ".2.gz", ".0", ".x", "y", ".1.tmp", ".4.bz2"})
    write(path + name, "a");
  CHECK(names_of(open_siblings(path)) ==
        Names{"x.log.10", "x.log.3.gz", "x.log.2", "x.log.1", "x.log"});
  CHECK(open_siblings(dir / "none.log")->empty());
  CHECK(open_siblings(dir / "no/folder").error().code() == Errc::kNotFound);

  const auto pod = dir / "0.log";
  for (const char* name : {"", ".20261121-074500.gz", ".20261121-080000", ".20261120-235900.gz"})
    write(pod + name, "a");
  CHECK(names_of(open_siblings(pod)) == Names{"0.log.20261120-235900.gz",
                                              "0.log.20261121-074500.gz", "0.log.20261121-080000",
                                              "0.log"});
}

TEST_CASE("what is no file is refused, without waiting for a pipe's writer") {
  const test::TempDir dir;
  fs::create_directory(dir / "d.log");
  CHECK(open_siblings(dir / "d.log").error().code() == Errc::kDenied);
  REQUIRE(::mkfifo((dir / "p.log").c_str(), 0600) == 0);
  CHECK(open_siblings(dir / "p.log").error().code() == Errc::kDenied);
  write(dir / "secret", "not for the owner of the log");
  fs::create_symlink(dir / "secret", dir / "l.log");
  CHECK(open_siblings(dir / "l.log").error().code() == Errc::kDenied);
}

TEST_CASE("a trusted link: the file at its end, and those that differ from it in digits") {
  const test::TempDir dir;
  for (const char* name : {"a-8.log", "a-9.log", "a-10.log", "a-11.log", "b-9.log"})
    write(dir / name, "a");
  fs::create_symlink("a-10.log", dir / "current");
  CHECK(names_of(open_siblings(dir / "current", Links::kTrusted)) ==
        Names{"a-8.log", "a-9.log", "a-10.log"});
  CHECK(open_log(dir / "current", Links::kRefused).error().code() == Errc::kDenied);
  CHECK(open_log(dir / "nothing", Links::kTrusted).error().code() == Errc::kNotFound);
  fs::create_symlink("loop", dir / "loop");
  CHECK(open_log(dir / "loop", Links::kTrusted).error().code() == Errc::kDenied);
}

TEST_CASE("a link is followed when root made it or the file is its owner's") {
  if (::geteuid() != 0) return;  // Only root can give files away
  const test::TempDir dir;
  const auto link_of = [&](const char* name, const std::string& target, uid_t owner) {
    fs::create_symlink(target, dir / name);
    REQUIRE(::lchown((dir / name).c_str(), owner, owner) == 0);
    return dir / name;
  };
  const auto file_of = [&](const char* name, uid_t owner) {
    write(dir / name, "a");
    REQUIRE(::chown((dir / name).c_str(), owner, owner) == 0);
    return dir / name;
  };
  const auto roots = file_of("shadow", 0);
  const auto users = file_of("users", 1234);
  CHECK(open_log(link_of("1", users, 1234), Links::kTrusted));
  CHECK(open_log(link_of("2", users, 0), Links::kTrusted));
  CHECK(open_log(link_of("3", roots, 1234), Links::kTrusted).error().code() == Errc::kDenied);
  // Also when a folder on the way is such a link.
  fs::create_directory(dir / "real");
  write(dir / "real/x.log", "a");
  link_of("planted", dir / "real", 1234);
  CHECK(open_log(dir / "planted/x.log", Links::kTrusted).error().code() == Errc::kDenied);
  CHECK(open_siblings(dir / "planted/x.log", Links::kTrusted).error().code() == Errc::kDenied);
}
