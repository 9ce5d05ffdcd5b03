#include "agent/logs/file_tail.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "agent/logs/fingerprint.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

void write(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

SeenFile open_only(const std::string& path) {
  auto seen = open_siblings(path);
  REQUIRE(seen);
  REQUIRE(seen->size() == 1);
  return std::move(seen->front());
}

std::string read_at(TailFile& file, std::uint64_t offset,
                    TailFile::Read expected = TailFile::Read::kData) {
  std::vector<char> buffer(4096);
  std::string_view data;
  CHECK(file.read(offset, buffer, data) == expected);
  return std::string(data);
}

}  // namespace

TEST_CASE("SipHash-2-4 gives the values of its paper") {
  std::string input;
  CHECK(sip_hash_2_4(0x0706050403020100, 0x0f0e0d0c0b0a0908, input) == 0x726fdb47dd0e0e31);
  for (char c = 0; c < 15; ++c) input.push_back(c);
  CHECK(sip_hash_2_4(0x0706050403020100, 0x0f0e0d0c0b0a0908, input) == 0xa129ca6149be45e5);
}

TEST_CASE("decide: the table of file_tail.h") {
  const FileKey a{1, 2, 3};
  const FilePrint print{a, 100, 100, 11, 64, 22};
  struct Row {
    FileKey key;
    std::uint64_t size;
    std::optional<std::uint64_t> tail;
    std::optional<std::uint64_t> head;
    Verdict verdict;
  };
  const std::vector<Row> rows{
      {a, 100, 22, 11, Verdict::kResume},
      {a, 500, 22, 11, Verdict::kResume},
      {a, 99, std::nullopt, std::nullopt, Verdict::kTruncated},
      {a, 0, std::nullopt, std::nullopt, Verdict::kTruncated},
      {a, 100, 23, 11, Verdict::kTruncated},
      {a, 100, 23, 12, Verdict::kNew},
      {{1, 9, 3}, 100, 22, 11, Verdict::kAdopt},
      {{1, 2, 4}, 300, 22, 11, Verdict::kAdopt},
      {{9, 2, 3}, 300, 22, 12, Verdict::kUnrelated},
      {{9, 2, 3}, 300, 23, 11, Verdict::kUnrelated},
      {{9, 2, 3}, 99, std::nullopt, 11, Verdict::kUnrelated},
  };
  for (const auto& row : rows) {
    CAPTURE(row.size);
    CHECK(decide(print, {row.key, row.size, row.head, row.tail}) == row.verdict);
  }
  const FilePrint untouched{a, 0, 0, 5, 0, 5};
  CHECK(decide(untouched, {a, 10, 5, 5}) == Verdict::kResume);
  CHECK(decide(untouched, {{1, 9, 9}, 10, 5, 5}) == Verdict::kUnrelated);
}

TEST_CASE("siblings are opened oldest first, the live file last; others are left alone") {
  const test::TempDir dir;
  const auto path = dir / "x.log";
  for (const char* name : {"", ".1", ".2", ".10", ".3.gz", ".0", ".x", "y", ".1.tmp"})
    write(path + name, "a");
  auto seen = open_siblings(path);
  REQUIRE(seen);
  std::vector<unsigned> rotations;
  for (const auto& file : *seen) rotations.push_back(file.rotation);
  CHECK(rotations == std::vector<unsigned>{10, 2, 1, 0});
  CHECK(open_siblings(dir / "none.log")->empty());
  CHECK(open_siblings(dir / "no/folder").error().code() == Errc::kNotFound);
}

TEST_CASE("what is no file is refused, without waiting for a pipe's writer") {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "d.log");
  CHECK(open_siblings(dir / "d.log").error().code() == Errc::kDenied);
  REQUIRE(::mkfifo((dir / "p.log").c_str(), 0600) == 0);
  CHECK(open_siblings(dir / "p.log").error().code() == Errc::kDenied);
}

TEST_CASE("prints grow with what was read and are the same whether read in parts or loaded") {
  const test::TempDir dir;
  std::string content(3000, '\0');
  std::iota(content.begin(), content.end(), 'a');
  write(dir / "f", content);
  for (const std::size_t extent : {1UL, 63UL, 64UL, 65UL, 1023UL, 1024UL, 1025UL, 2999UL}) {
    CAPTURE(extent);
    TailFile file(open_only(dir / "f"), 1);
    for (std::size_t at = 0; at < extent;) {
      const auto n = std::min<std::size_t>(extent - at, 50);
      file.consumed(at, std::string_view(content).substr(at, n));
      at += n;
    }
    TailFile jumped(open_only(dir / "f"), 1);
    jumped.consumed_through(extent);
    CHECK(file.print() == jumped.print());
    TailFile loaded(open_only(dir / "f"), 1, file.print());
    CHECK(loaded.print() == file.print());
    CHECK(read_at(loaded, extent) == content.substr(extent));
    CHECK(read_at(loaded, extent - 1) == content.substr(extent - 1));
    CHECK(file.print().head ==
          fingerprint(std::string_view(content).substr(0, std::min(extent, kHeadBytes))));
  }
}

TEST_CASE("a read notices that what was read before changed") {
  const test::TempDir dir;
  write(dir / "f", std::string(200, 'a'));
  TailFile file(open_only(dir / "f"), 1);
  file.consumed_through(150);
  CHECK(read_at(file, 150) == std::string(50, 'a'));
  SUBCASE("truncated") {
    std::filesystem::resize_file(dir / "f", 0);
  }
  SUBCASE("truncated to a part") {
    std::filesystem::resize_file(dir / "f", 100);
  }
  SUBCASE("truncated and refilled beyond") {
    std::filesystem::resize_file(dir / "f", 0);
    write(dir / "f", std::string(400, 'b'));
  }
  SUBCASE("truncated, and a writer without O_APPEND goes on behind a hole") {
    std::filesystem::resize_file(dir / "f", 0);
    std::filesystem::resize_file(dir / "f", 300);
  }
  read_at(file, 150, TailFile::Read::kChanged);
  read_at(file, 0, TailFile::Read::kChanged);
}
