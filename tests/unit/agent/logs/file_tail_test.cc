#include "agent/logs/file_tail.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/logs/fingerprint.h"
#include "agent/logs/log_chain.h"
#include "agent/logs/log_siblings.h"
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
  const FileKey a{0x801, 2, 3};
  const FilePrint print{a, 100, 80, 11, 64, 22};
  struct Row {
    FileKey key;
    std::uint64_t size;
    std::optional<std::uint64_t> tail;
    std::optional<std::uint64_t> head;
    Verdict verdict;
  };
  const std::vector<Row> rows{
      {a, 100, 22, 11, Verdict::kHolds},
      {a, 500, 22, 11, Verdict::kHolds},
      {a, 500, 22, 12, Verdict::kHolds},
      {a, 99, std::nullopt, 11, Verdict::kBegins},
      {a, 99, std::nullopt, 12, Verdict::kOther},
      {a, 0, std::nullopt, std::nullopt, Verdict::kOther},
      {a, 100, 23, 11, Verdict::kOther},
      {a, 100, 23, 12, Verdict::kOther},
      {{0x801, 9, 3}, 100, 22, 11, Verdict::kHolds},
      {{0x801, 2, 4}, 300, 22, 11, Verdict::kHolds},
      {{0x802, 2, 3}, 300, 22, 12, Verdict::kOther},
      {{0x802, 2, 3}, 300, 23, 11, Verdict::kOther},
      {{0x802, 2, 3}, 99, std::nullopt, 11, Verdict::kBegins},
      {{0x802, 2, 3}, 99, std::nullopt, std::nullopt, Verdict::kOther},
  };
  for (const auto& row : rows) {
    CAPTURE(row.size);
    CHECK(decide(print, {row.key, row.size, row.head, row.tail}) == row.verdict);
  }
  const FilePrint untouched{a, 0, 0, 5, 0, 5};
  CHECK(decide(untouched, {a, 10, 5, 5}) == Verdict::kHolds);
  CHECK(decide(untouched, {{1, 9, 9}, 10, 5, 5}) == Verdict::kOther);
  const FilePrint no_whole_line{a, 100, 0, 11, 64, 22};
  CHECK(decide(no_whole_line, {a, 100, 11, 22}) == Verdict::kHolds);
  CHECK(decide(no_whole_line, {{1, 9, 9}, 100, 11, 22}) == Verdict::kOther);
  CHECK(decide(no_whole_line, {a, 99, 11, std::nullopt}) == Verdict::kOther);
}

TEST_CASE(
    "a file is known again when its mount has another number, unless a disk has that number") {
  const FileKey on_nfs{52, 2, 3};  // 0:52
  const FilePrint no_whole_line{on_nfs, 100, 0, 11, 64, 22};
  CHECK(decide(no_whole_line, {{60, 2, 3}, 100, 11, 22}) == Verdict::kHolds);
  CHECK(decide(no_whole_line, {{60, 2, 3}, 100, 11, 23}) == Verdict::kOther);
  CHECK(decide(no_whole_line, {{60, 9, 3}, 100, 11, 22}) == Verdict::kOther);
  CHECK(decide(no_whole_line, {{60, 2, 4}, 100, 11, 22}) == Verdict::kOther);
  CHECK(decide(no_whole_line, {{0x801, 2, 3}, 100, 11, 22}) == Verdict::kOther);
}

TEST_CASE("a log whose mount came anew was not truncated") {
  const test::TempDir dir;
  const std::string path = dir / "a.log";
  std::ofstream(path) << "one\ntwo\n";
  auto open = [&](std::uint64_t device) {
    auto seen = open_siblings(path, Links::kTrusted).value();
    seen.front().facts.key.device = device;
    return seen;
  };
  auto first = open(52);
  TailFile read(std::move(first.front()), 1);
  read.consumed_through(8);
  CheckpointState state{path, {}, {{1, read.print()}}, {}};
  for (auto& stream : state.streams) stream.position = {1, 8};
  for (const std::uint64_t device : {52, 60, 0x801}) {
    CAPTURE(device);
    LogChain chain(false);
    LogNotes notes;
    REQUIRE(chain.attach(state, open(device), notes));
    CHECK(notes.size() == (device == 0x801 ? 1 : 0));  // A copy: lines may be lost
  }
}

TEST_CASE("prints grow with what was read and are the same whether read in parts or loaded") {
  for (const std::size_t line : {1UL, 63UL, 64UL, 65UL, 255UL, 256UL, 257UL, 2000UL, 9000UL}) {
    const test::TempDir dir;
    std::string content(10'000, 'x');
    for (std::size_t i = 0; i < content.size(); ++i)
      content[i] = static_cast<char>('a' + i * i % 23);
    content[line - 1] = '\n';
    content[line + 100] = '\n';
    write(dir / "f", content);
    const auto last = std::min(line, kTailBytes);
    const auto head = fingerprint(content.substr(0, std::min(line, kHeadBytes)) +
                                  content.substr(line - last, last));
    for (const std::size_t extent :
         {1UL, 63UL, 64UL, 65UL, 255UL, 256UL, 257UL, 1999UL, 2000UL, 8999UL, 9000UL, 9990UL}) {
      CAPTURE(line);
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
      CHECK(loaded.holds_content());
      CHECK(read_at(loaded, extent) == content.substr(extent, 4096 - std::min(extent, kTailBytes)));
      loaded.consumed_through(9995);
      CHECK(loaded.print().head == head);
      CHECK(file.print().head_bytes == (extent < line ? 0 : line));
      CHECK(file.print().head == (extent < line ? 0 : head));
      const auto seen = open_only(dir / "f");
      CHECK(decide(loaded.print(), seen) == Verdict::kHolds);
      if (extent >= line) CHECK(observe(seen.content, seen.facts, file.print()).head == head);
    }
  }
}

TEST_CASE("a file that ends before what was read goes on at its end") {
  const test::TempDir dir;
  write(dir / "f", "first line\n" + std::string(200, 'a'));
  TailFile file(open_only(dir / "f"), 1);
  file.consumed_through(150);
  std::filesystem::resize_file(dir / "f", 100);
  CHECK_FALSE(file.holds_content());
  auto seen = open_only(dir / "f");
  CHECK(decide(file.print(), seen) == Verdict::kBegins);
  TailFile part(std::move(seen), 1, file.print());
  CHECK(part.extent() == 100);
  CHECK(part.holds_content());
  CHECK(read_at(part, 100).empty());
}

TEST_CASE("a file is the beginning of another one when that one holds all of it") {
  const test::TempDir dir;
  std::string content(10'000, 'a');
  const auto is_beginning = [&](const std::string& one, const std::string& other) {
    std::ofstream(dir / "1", std::ios::trunc) << one;
    std::ofstream(dir / "2", std::ios::trunc) << other;
    const auto first = open_only(dir / "1");
    const auto second = open_only(dir / "2");
    return is_beginning_of(first.content, second.content);
  };
  CHECK(is_beginning(content, content));
  CHECK_FALSE(is_beginning("", content));
  for (const std::size_t n : {1UL, 4095UL, 4096UL, 4097UL, 9999UL}) {
    CAPTURE(n);
    auto part = content.substr(0, n);
    CHECK(is_beginning(part, content));
    CHECK_FALSE(is_beginning(content, part));
    part.back() = 'b';
    CHECK_FALSE(is_beginning(part, content));
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
