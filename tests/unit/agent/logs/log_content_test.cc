#include "agent/logs/log_content.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <fstream>
#include <string>
#include <vector>

#include "agent/logs/file_tail.h"
#include "agent/logs/log_siblings.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/logs/gzip_file.h"

using namespace observeai;
using namespace observeai::agent;

namespace {

LogContent open_content(const std::string& path) {
  return {UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path};
}

std::string some_log(std::size_t bytes) {
  std::string out;
  for (int i = 0; out.size() < bytes; ++i) {
    out += "line " + std::to_string(i) + " " + std::string(static_cast<std::size_t>(i % 90), 'x') +
           "\n";
  }
  return out;
}

std::string read_at(const LogContent& content, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  const auto n = content.read(offset, out);
  out.resize(static_cast<std::size_t>(std::max<std::ptrdiff_t>(n, 0)));
  return out;
}

}  // namespace

TEST_CASE("compressed content has the offsets of what was compressed, forwards and back") {
  const test::TempDir dir;
  const auto text = some_log(700'000);
  test::write_gzip(dir / "x.log.1.gz", text);
  const auto content = open_content(dir / "x.log.1.gz");
  CHECK(content.compressed());
  for (const std::uint64_t offset : {0UL, 1UL, 65'536UL, 65'500UL, 400'000UL, 10UL, 699'990UL}) {
    CAPTURE(offset);
    CHECK(read_at(content, offset, 70'000) == text.substr(offset, 70'000));
  }
  CHECK(read_at(content, text.size(), 10).empty());
  CHECK(read_at(content, text.size() + 5, 10).empty());
  CHECK_FALSE(content.damaged());
  CHECK(content.decoded_size(100) == 100);
  CHECK(content.decoded_size(1U << 30) == text.size());
}

TEST_CASE("gzip members that follow each other are one content; padding behind them is nothing") {
  const test::TempDir dir;
  test::write_gzip(dir / "1.gz", "first\n");
  test::write_gzip(dir / "2.gz", "second\n");
  std::ofstream joined(dir / "x.gz", std::ios::binary);
  for (const char* part : {"1.gz", "2.gz"})
    joined << std::ifstream(dir / part, std::ios::binary).rdbuf();
  joined << std::string(512, '\0');
  joined.close();
  const auto content = open_content(dir / "x.gz");
  CHECK(read_at(content, 0, 100) == "first\nsecond\n");
  CHECK_FALSE(content.damaged());
}

TEST_CASE("cut off or damaged: what comes before is read, and the rest is known to be missing") {
  const test::TempDir dir;
  const auto text = some_log(300'000);
  test::write_gzip(dir / "whole.gz", text);
  std::ifstream in(dir / "whole.gz", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::ofstream(dir / "cut.gz", std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  const auto cut = open_content(dir / "cut.gz");
  const auto got = read_at(cut, 0, text.size());
  CHECK(got.size() > 1000);
  CHECK(got.size() < text.size());
  CHECK(text.starts_with(got));
  CHECK(cut.damaged());
  std::ofstream(dir / "none.gz", std::ios::binary) << "no gzip at all";
  const auto none = open_content(dir / "none.gz");
  CHECK(read_at(none, 0, 100).empty());
  CHECK(none.damaged());
  std::ofstream(dir / "empty.gz", std::ios::binary) << "";
  const auto empty = open_content(dir / "empty.gz");
  CHECK(read_at(empty, 0, 100).empty());
}

TEST_CASE("a compressed copy is known by head and bytes before the place, and read on from there") {
  const test::TempDir dir;
  const auto text = some_log(200'000);
  const auto extent = text.find('\n', 120'000) + 1;
  std::ofstream(dir / "x.log", std::ios::binary) << text;
  auto seen = open_siblings(dir / "x.log");
  TailFile read_part(std::move(seen->front()), 1);
  read_part.consumed_through(extent);
  const auto print = read_part.print();

  const auto verdict_of = [&](const std::string& content) {
    test::write_gzip(dir / "x.log.1.gz", content);
    auto files = open_siblings(dir / "x.log");
    REQUIRE(files->size() == 2);
    return decide(print, files->front());
  };
  auto other_tail = text;
  other_tail[extent - 5] = '~';
  CHECK(verdict_of(other_tail) == Verdict::kOther);
  CHECK(verdict_of("another head\n" + text) == Verdict::kOther);
  CHECK(verdict_of(text.substr(0, 60'000)) == Verdict::kBegins);
  CHECK(verdict_of(text) == Verdict::kHolds);

  auto files = open_siblings(dir / "x.log");
  TailFile compressed(std::move(files->front()), 1, print);
  CHECK(compressed.extent() == extent);
  std::vector<char> buffer(4096);
  std::string_view data;
  CHECK(compressed.read(extent, buffer, data) == TailFile::Read::kData);
  CHECK(data == text.substr(extent, data.size()));
  CHECK(data.size() == buffer.size() - kTailBytes);
}
