#include "agent/metrics/file_reader.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace observeai::agent {
namespace {

void write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

TEST_CASE("a kept file is read again from its start") {
  observeai::test::TempDir dir;
  write(dir / "a", "one");
  FileReader reader;
  KeptFile file(dir / "a");
  CHECK(file.read(reader).text == "one");
  CHECK(reader.kept() == 1);
  write(dir / "a", "longer than before");
  CHECK(file.read(reader).text == "longer than before");
  write(dir / "a", "");
  const FileText empty = file.read(reader);
  CHECK(empty);
  CHECK(empty.text.empty());
}

TEST_CASE("content larger than the first buffer is read whole, beyond the limit it is refused") {
  observeai::test::TempDir dir;
  FileReader reader;
  const std::string large(100'000, 'x');
  write(dir / "large", large);
  CHECK(reader.read_once(dir / "large").text == large);
  write(dir / "edge", std::string(FileReader::kMaxFileBytes - 1, 'x'));
  CHECK(reader.read_once(dir / "edge").text.size() == FileReader::kMaxFileBytes - 1);
  write(dir / "huge", std::string(FileReader::kMaxFileBytes + 1, 'x'));
  CHECK(reader.read_once(dir / "huge").error == EFBIG);
  KeptFile kept(dir / "huge");
  CHECK(kept.read(reader).error == EFBIG);
  CHECK(reader.kept() == 0);  // A failed read gives its descriptor back
}

TEST_CASE("at the limit of kept descriptors files are still read") {
  observeai::test::TempDir dir;
  write(dir / "a", "a");
  FileReader reader(1);
  KeptFile first(dir / "a");
  KeptFile second(dir / "a");
  CHECK(first.read(reader).text == "a");
  CHECK(second.read(reader).text == "a");
  CHECK(reader.kept() == 1);
  { const KeptFile moved = std::move(first); }
  CHECK(reader.kept() == 0);
  CHECK(second.read(reader).text == "a");
  CHECK(reader.kept() == 1);
}

TEST_CASE("a missing file is an error each time until it is there") {
  observeai::test::TempDir dir;
  FileReader reader;
  KeptFile file(dir / "later");
  CHECK(file.read(reader).error == ENOENT);
  CHECK(file.read(reader).error == ENOENT);
  write(dir / "later", "now");
  CHECK(file.read(reader).text == "now");
  CHECK(reader.read_once(dir.path()).error == EISDIR);
}

}  // namespace
}  // namespace observeai::agent
