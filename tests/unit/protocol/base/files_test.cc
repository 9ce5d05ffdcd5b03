#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "protocol/base/files.h"
#include "tests/support/temp_dir.h"

using namespace observeai;

TEST_CASE("a file is written whole, with its mode, and read back") {
  test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "key", "secret", 0600));
  REQUIRE(files::write_atomic(dir / "key", "secret2", 0600));
  CHECK(files::read(dir / "key").value() == "secret2");
  struct stat info {};
  REQUIRE(::stat((dir / "key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("errors name the path and carry the code") {
  test::TempDir dir;
  const auto missing = files::read(dir / "none");
  CHECK(missing.error().code() == Errc::kNotFound);
  CHECK(missing.error().message().find(dir / "none") != std::string::npos);
  REQUIRE(files::write_atomic(dir / "long", std::string(100, 'x'), 0644));
  CHECK(files::read(dir / "long", 99).error().code() == Errc::kLimit);
  CHECK_FALSE(files::write_atomic(dir / "no/such/folder", "x", 0644));
  CHECK(files::make_directories(dir / "a/b/c", 0700));
  CHECK(files::exists(dir / "a/b/c"));
}

TEST_CASE("a link that waits under the temporary name is not written through") {
  test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "victim", "untouched", 0644));
  const auto planted = dir / "key.new." + std::to_string(::getpid());
  REQUIRE(::symlink((dir / "victim").c_str(), planted.c_str()) == 0);
  REQUIRE(files::write_atomic(dir / "key", "secret", 0600));
  CHECK(files::read(dir / "victim").value() == "untouched");
  CHECK(files::read(dir / "key").value() == "secret");
  // A link at the file's own place is replaced, not followed.
  REQUIRE(::symlink((dir / "victim").c_str(), (dir / "link").c_str()) == 0);
  REQUIRE(files::write_atomic(dir / "link", "secret", 0600));
  CHECK(files::read(dir / "victim").value() == "untouched");
  CHECK_FALSE(std::filesystem::is_symlink(dir / "link"));
}

TEST_CASE("no temporary file stays behind, whatever becomes of the write") {
  test::TempDir dir;
  REQUIRE(files::write_atomic(dir / "a", "x", 0600));
  REQUIRE(files::make_directories(dir / "folder/inside", 0700));
  CHECK_FALSE(files::write_atomic(dir / "folder", "x", 0600));  // Cannot replace a folder
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "")) {
    (void)entry;
    ++entries;
  }
  CHECK(entries == 2);
}

TEST_CASE("a folder that others own or may write to is no place for state") {
  test::TempDir dir;
  const auto path = dir / "state";
  REQUIRE(files::make_directories(path, 0700));
  CHECK(files::make_directories(path, 0700));
  for (const mode_t mode : {0777, 0770, 0720, 0702, 01777}) {
    CAPTURE(mode);
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    const auto refused = files::make_directories(path, 0700);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::kDenied);
    CHECK(refused.error().message().find("chmod go-w " + path) != std::string::npos);
  }
  REQUIRE(::chmod(path.c_str(), 0775) == 0);
  CHECK(files::make_directories(path, 0775));
  REQUIRE(::chmod(path.c_str(), 0755) == 0);
  CHECK(files::make_directories(path, 0700));
  if (::geteuid() != 0) return;  // Only root can give a folder away
  REQUIRE(::chown(path.c_str(), 4242, 4242) == 0);
  const auto refused = files::make_directories(path, 0700);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message().find("belongs to user 4242") != std::string::npos);
}
