// Real journal files in a folder: rotated, vacuumed, damaged and cut short while they are read.
#include "tests/support/journal_files.h"

#include <doctest/doctest.h>
#include <poll.h>

#include <random>

#include "protocol/base/files.h"
#include "tests/integration/journal/journal_drain.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::test;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kStart = 1'700'000'000'000'000;

// Writes oracle lines of several units, with times that never repeat.
struct Generator {
  std::map<std::string, std::uint64_t> written;
  std::uint64_t total = 0;

  ExportEntry next() {
    const std::string source = "gen" + std::to_string(total % 3);
    ExportEntry entry;
    entry.realtime_us = kStart + total * 100;
    entry.monotonic_us = 1'000'000 + total * 100;
    entry.fields = {{"MESSAGE", oracle_line(source, written[source]++)},
                    {"PRIORITY", "6"},
                    {"SYSLOG_IDENTIFIER", source},
                    {"_PID", "77"},
                    {"_SYSTEMD_UNIT", source + ".service"},
                    {"_TRANSPORT", "stdout"},
                    {"_UID", "1000"}};
    ++total;
    return entry;
  }
  void write(JournalFileWriter& writer, int count) {
    for (int i = 0; i < count; ++i) REQUIRE(writer.write(next()));
  }
  // A whole file of its own chain.
  void file(const std::string& path, int count) {
    JournalFileWriter writer(path);
    write(writer, count);
    REQUIRE(writer.finish());
  }
};

struct Place {
  TempDir folder;
  std::string journal = folder / "journal";
  std::string spool = folder / "spool";
  Place() {
    fs::create_directory(journal);
    if (!fs::exists(kJournalRemote)) {
      std::puts("skipped: systemd-journal-remote is not installed");
      std::exit(77);
    }
  }
  std::string file(const std::string& name) const { return journal + "/" + name; }
};

void overwrite(const std::string& path, std::uint64_t offset, const std::string& bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  REQUIRE(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(bytes.size()));
  ::close(fd);
}

}  // namespace

TEST_CASE("the oracle notices one lost, one doubled, one changed and one late line") {
  Place place;
  Generator generator;
  generator.file(place.file("system.journal"), 300);
  JournalDrain drain(place.journal, place.spool);
  drain.to_end();
  SpoolContent content(drain.spool());
  REQUIRE(judge(content.records, generator.written).clean());
  CHECK(content.is_balanced());

  auto records = content.records;
  records.erase(records.begin() + 10);
  CHECK(judge(records, generator.written).lost == 1);
  records = content.records;
  records.push_back(records[10]);
  CHECK(judge(records, generator.written).doubled == 1);
  records = content.records;
  records[10].text.back() = '!';
  CHECK(judge(records, generator.written).damaged == 1);
  records = content.records;
  std::swap(records[10], records[13]);
  CHECK(judge(records, generator.written).disordered == 1);
  content.records.pop_back();
  CHECK_FALSE(content.is_balanced());
}

TEST_CASE("files are followed while they grow, are rotated and, once read, vacuumed") {
  Place place;
  Generator generator;
  JournalDrain drain(place.journal, place.spool);
  std::mt19937 random(7);
  for (int file = 0; file < 8; ++file) {
    JournalFileWriter writer(place.file("system.journal"));
    for (int part = 0; part < 5; ++part) {
      generator.write(writer, 1 + static_cast<int>(random() % 400));
      drain.step();
    }
    REQUIRE(writer.finish());
    if (file % 2 == 0) drain.to_end();
    fs::rename(place.file("system.journal"),
               place.file("system@" + std::to_string(file) + ".journal"));
    if (file % 3 == 0) drain.step();
    drain.to_end();
    if (file > 2) fs::remove(place.file("system@" + std::to_string(file - 2) + ".journal"));
  }
  drain.to_end();
  const SpoolContent content(drain.spool());
  const auto verdict = judge(content.records, generator.written);
  CHECK(verdict.lost == 0);
  CHECK(verdict.doubled == 0);
  CHECK(verdict.clean());
  CHECK(content.events_of("logs.gap") == 0);
  CHECK(content.is_balanced());
  CHECK(drain.errors == 0);
}

TEST_CASE("a reader that is killed at any moment loses nothing and repeats nothing") {
  Place place;
  Generator generator;
  std::mt19937 random(11);
  int kills = 0;
  auto writer = std::make_unique<JournalFileWriter>(place.file("system.journal"));
  for (int round = 0; round < 25; ++round) {
    int opened[2];
    REQUIRE(::pipe2(opened, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      writer->abandon();
      JournalDrain drain(place.journal, place.spool);
      ::close(opened[0]);
      ::close(opened[1]);
      for (;;) {
        if (drain.step()) ::usleep(300);
      }
    }
    ::close(opened[1]);
    // Some are killed while they open the spool, most while they read.
    char none = 0;
    if (round % 5 != 0) REQUIRE(::read(opened[0], &none, 1) == 0);
    ::close(opened[0]);
    for (int part = 0; part < 10; ++part) {
      generator.write(*writer, static_cast<int>(random() % 60));
      ::usleep(random() % 3000);
    }
    if (round % 6 == 5) {
      REQUIRE(writer->finish());
      fs::rename(place.file("system.journal"),
                 place.file("system@" + std::to_string(round) + ".journal"));
      writer = std::make_unique<JournalFileWriter>(place.file("system.journal"));
    }
    ::usleep(random() % 8000);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    kills += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 1 : 0;
  }
  REQUIRE(writer->finish());
  CHECK(kills == 25);
  JournalDrain drain(place.journal, place.spool);
  const SpoolContent before(drain.spool());
  MESSAGE("committed by the killed readers: " << before.records.size() << " of "
                                              << generator.total);
  CHECK(before.records.size() > 0);
  drain.to_end();
  const SpoolContent content(drain.spool());
  const auto verdict = judge(content.records, generator.written);
  CHECK(verdict.lost == 0);
  CHECK(verdict.doubled == 0);
  CHECK(verdict.clean());
  CHECK(content.is_balanced());
  CHECK(content.events_of("logs.gap") == 0);
}

TEST_CASE("a file that vanishes unread is noticed") {
  Place place;
  Generator generator;
  generator.file(place.file("system@1.journal"), 100);
  JournalDrain drain(place.journal, place.spool);
  drain.to_end();
  const auto before = generator.total;
  generator.file(place.file("system@2.journal"), 50);
  fs::remove(place.file("system@1.journal"));
  fs::remove(place.file("system@2.journal"));
  generator.file(place.file("system.journal"), 10);
  drain.to_end();
  const SpoolContent content(drain.spool());
  CHECK(content.records.size() == before + 10);
  CHECK(content.events_of("logs.gap") == 1);
  CHECK(judge(content.records, generator.written).lost == 50);
}

TEST_CASE("a damaged file costs what is damaged, and the rest is read") {
  Place place;
  Generator generator;
  generator.file(place.file("system@1.journal"), 3000);
  const auto good = generator.total;
  generator.file(place.file("system.journal"), 100);
  // In the middle of what is used: entries, data and arrays alike.
  const auto bytes = files::read(place.file("system@1.journal"), 64U << 20).value();
  const auto middle = bytes.find(oracle_line("gen0", 500));
  REQUIRE(middle != std::string::npos);
  overwrite(place.file("system@1.journal"), middle, std::string(16 << 10, '\xFF'));
  JournalDrain drain(place.journal, place.spool);
  drain.to_end();
  drain.to_end();
  const SpoolContent content(drain.spool());
  const auto verdict = judge(content.records, generator.written);
  std::uint64_t counted = 0;
  for (const auto& [source, entry] : content.ledger) {
    for (const auto& [reason, count] : entry.records_dropped) counted += count;
  }
  MESSAGE("lost " << verdict.lost << " of " << good << ", counted " << counted << ", "
                  << content.events_of("logs.gap") << " gaps, damage: " << drain.damage
                  << drain.last_error);
  CHECK(verdict.lost > 0);
  CHECK(counted == verdict.lost);
  CHECK(content.events_of("logs.gap") + content.events_of("logs.unreadable") > 0);
  CHECK(verdict.doubled == 0);
  CHECK(verdict.damaged == 0);
  // The undamaged file is there wholly.
  std::uint64_t late = 0;
  for (const auto& record : content.records)
    late += record.ts_ns >= static_cast<std::int64_t>(kStart + good * 100) * 1000 ? 1 : 0;
  CHECK(late == 100);
  CHECK(content.is_balanced());
}

TEST_CASE("a file that is cut short while it is mapped does not end the process") {
  Place place;
  Generator generator;
  generator.file(place.file("system@1.journal"), 4000);
  JournalDrain drain(place.journal, place.spool);
  drain.step();  // Some of it is mapped
  const auto before = SpoolContent(drain.spool()).records.size();
  REQUIRE(before > 0);
  REQUIRE(before < 4000);
  fs::resize_file(place.file("system@1.journal"), 64 << 10);
  generator.file(place.file("system.journal"), 100);
  drain.to_end();
  drain.to_end();
  const SpoolContent content(drain.spool());
  const auto verdict = judge(content.records, generator.written);
  CHECK(verdict.doubled == 0);
  CHECK(verdict.damaged == 0);
  CHECK(content.records.size() >= before + 100);
  CHECK(content.is_balanced());
  MESSAGE("lost " << verdict.lost << ", events " << content.events_of("logs.gap") << " + "
                  << content.events_of("logs.unreadable") << ", " << drain.damage
                  << drain.last_error);
  CHECK(content.events_of("logs.gap") + content.events_of("logs.unreadable") > 0);
}

TEST_CASE("messages: several lines, binary, empty, long beyond the limit") {
  Place place;
  const std::string binary("\x01\x00\xFF\nend", 7);
  const std::string huge(3U << 20, 'h');
  const std::string noise = [] {
    std::mt19937_64 random(3);
    std::string out;
    while (out.size() < (2U << 20)) out += std::to_string(random());
    return out;
  }();
  const std::vector<std::string> messages{"one\ntwo\n\tthree", binary, "", huge, noise, "last"};
  {
    JournalFileWriter writer(place.file("system.journal"));
    for (std::size_t i = 0; i < messages.size(); ++i) {
      ExportEntry entry;
      entry.realtime_us = kStart + i;
      entry.monotonic_us = 1 + i;
      entry.fields = {{"MESSAGE", messages[i]}, {"_SYSTEMD_UNIT", "a.service"}};
      REQUIRE(writer.write(entry));
    }
    REQUIRE(writer.finish());
  }
  JournalDrain drain(place.journal, place.spool);
  drain.to_end();
  const SpoolContent content(drain.spool());
  REQUIRE(content.records.size() == messages.size());
  for (const std::size_t i : {0, 1, 2, 5}) {
    CHECK(content.records[i].text == messages[i]);
    CHECK(content.records[i].flags == 0);
    CHECK(content.records[i].ts_ns == static_cast<std::int64_t>(kStart + i) * 1000);
  }
  for (const std::size_t i : {3, 4}) {
    CHECK(content.records[i].text.size() <= agent::kMaxJournalText);
    CHECK((content.records[i].flags & wire::log_flags::kTruncated) != 0);
    CHECK(content.records[i].original_bytes > agent::kMaxJournalText);
    CHECK(messages[i].starts_with(content.records[i].text));
  }
}

TEST_CASE("the first start begins where it is told, and news wake the descriptor") {
  Place place;
  const auto now = static_cast<std::uint64_t>(::time(nullptr)) * 1'000'000;
  JournalFileWriter writer(place.file("system.journal"));
  const auto write = [&](std::uint64_t age_s, const std::string& text) {
    ExportEntry entry;
    entry.realtime_us = now - age_s * 1'000'000;
    entry.monotonic_us = 10'000'000'000 - age_s * 1'000'000;
    entry.fields = {{"MESSAGE", text}, {"_SYSTEMD_UNIT", "a.service"}};
    REQUIRE(writer.write(entry));
  };
  write(7200, "old");
  write(60, "recent");
  agent::JournalOptions options;  // Ten minutes
  JournalDrain drain(place.journal, place.spool, options);
  for (int i = 0; i < 200 && SpoolContent(drain.spool()).records.empty(); ++i) {
    drain.to_end();
    ::usleep(10'000);
  }
  auto records = SpoolContent(drain.spool()).records;
  REQUIRE(records.size() == 1);
  CHECK(records[0].text == "recent");

  drain.to_end();
  const auto is_readable = [&](int timeout_ms) {
    pollfd wake{drain.reader().duplicate_wake_fd(), POLLIN, 0};
    const bool readable = ::poll(&wake, 1, timeout_ms) == 1;
    ::close(wake.fd);
    return readable;
  };
  CHECK_FALSE(is_readable(100));
  write(0, "news");
  CHECK(is_readable(5000));
  drain.to_end();
  CHECK(SpoolContent(drain.spool()).records.back().text == "news");
  REQUIRE(writer.finish());
}

TEST_CASE("a host without a journal is a host at the end of it, until one appears") {
  Place place;
  const auto later = place.folder / "later";
  JournalDrain drain(later, place.spool);
  CHECK(drain.step());
  CHECK(drain.reader().opened() == 0);
  fs::create_directory(later);
  Generator generator;
  generator.file(later + "/system.journal", 5);
  drain.to_end();
  CHECK(judge(SpoolContent(drain.spool()).records, generator.written).clean());
}
