#include <doctest/doctest.h>
#include <sys/stat.h>

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
