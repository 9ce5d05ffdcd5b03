// What the collector promises beside exactness: fairness, bounded disk space, where new logs begin,
// what is told once.
#include "agent/logs/log_collector.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/unit/agent/logs/gzip_file.h"
#include "tests/unit/agent/logs/log_agent.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

using Texts = std::vector<std::string>;

std::string docker_line(const std::string& text) {
  return R"({"log":")" + text +
         R"(\n","stream":"stdout","time":"2026-11-21T07:45:00.123456789Z"})" + "\n";
}

void append(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::app) << bytes;
}

struct World {
  test::TempDir dir;
  // After now, so that files made by the test are older than the first look for them.
  ManualClock clock{SystemClock().wall_now() + 1h};
  test::LogStore store;

  LogCollectorOptions files(const std::string& pattern) const {
    LogCollectorOptions options;
    options.files.plain = {dir / pattern};
    return options;
  }
  Texts texts(const std::string& target) const {
    Texts out;
    for (const auto& record : store.records) {
      if (record.target == target) out.push_back(record.text);
    }
    return out;
  }
  Texts texts_of_file(const std::string& name) const { return texts("file" + (dir / name)); }
};

}  // namespace

TEST_CASE("fairness: a flood takes one slice before each quiet container has its turn") {
  World w;
  test::LogAgent agent(w.clock, w.store, {});
  append(w.dir / "flood.log", "");
  agent.add_container("flood", w.dir / "flood.log");
  constexpr int kQuiet = 20;
  for (int i = 0; i < kQuiet; ++i) {
    const auto id = "quiet" + std::to_string(i);
    append(w.dir / (id + ".log"), "");
    agent.add_container(id, w.dir / (id + ".log"));
  }
  agent.start();
  agent.read_and_commit(1);
  std::string flood;
  while (flood.size() < 8U << 20) flood += docker_line(std::string(200, 'x'));
  append(w.dir / "flood.log", flood);
  for (int i = 0; i < kQuiet; ++i)
    append(w.dir / ("quiet" + std::to_string(i) + ".log"), docker_line("hello"));
  agent.collector().on_wake();
  // The order of sources is that of their names and goes on where it ended: two reads of 256 KiB are a
  // round at least. At 100 MB/s that is 5 ms of flood.
  for (int reads = 0; reads < 2; ++reads) agent.read_and_commit(256U << 10);
  for (int i = 0; i < kQuiet; ++i)
    CHECK(w.texts("container/quiet" + std::to_string(i)) == Texts{"hello"});
  std::size_t flood_bytes = 0;
  for (const auto& text : w.texts("container/flood")) flood_bytes += docker_line(text).size();
  CHECK(flood_bytes > 0);
  CHECK(flood_bytes <= 2 * (256U << 10) + 1024);
  CHECK(agent.collector().more());
}

TEST_CASE("a record in used memory carries nothing of the one before") {
  World w;
  test::LogAgent agent(w.clock, w.store, {});
  const auto path = w.dir / "a.log";
  append(path, docker_line("one") + docker_line("two"));
  agent.add_container("a", path);
  agent.start();
  agent.read_and_commit(1 << 20);  // Gives back two records with other content
  append(path, docker_line("three") + docker_line("four"));
  agent.collector().on_wake();
  agent.read_and_commit(1 << 20);
  REQUIRE(w.store.records.size() == 4);
  auto expected = w.store.records[0];
  const Texts texts{"one", "two", "three", "four"};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    expected.text = texts[i];
    CHECK(w.store.records[i] == expected);
  }
}

TEST_CASE("deleted files hold no more of the disk than the limit; what is given up is counted") {
  World w;
  LogCollectorOptions options;
  options.max_held_bytes = 100'000;
  test::LogAgent agent(w.clock, w.store, options);
  agent.add_container("c1", w.dir / "c1.log");
  agent.add_container("c2", w.dir / "c2.log");
  append(w.dir / "c1.log", docker_line("first"));
  append(w.dir / "c2.log", docker_line("small"));
  agent.start();
  agent.drain();
  // Nothing is read while the spool is full, say; the files are known, and deleted.
  std::uint64_t written = 0;
  for (int file = 0; file < 3; ++file) {
    std::string bytes;
    const auto line = docker_line(std::string(100, static_cast<char>('a' + file)));
    while (bytes.size() < 60'000) bytes += line;
    written += bytes.size();
    append(w.dir / "c1.log", bytes);
    append(w.dir / "c2.log", docker_line("small"));
    fs::remove(w.dir / "c1.log");
    append(w.dir / "c1.log", "");
    agent.collector().on_wake();
  }
  fs::remove(w.dir / "c2.log");
  agent.drain();
  const auto dropped = w.store.bytes_dropped["held_limit"];
  CHECK(dropped > 0);
  CHECK(w.store.has_event("logs.gap"));
  std::uint64_t came = 0;
  for (const auto& text : w.texts("container/c1")) came += docker_line(text).size();
  CHECK(came + dropped == written + docker_line("first").size());
  CHECK(w.texts("container/c2").size() == 4);  // The one that holds most pays
}

TEST_CASE("however many files are given up while nothing can be committed: one event, all bytes") {
  World w;
  LogCollectorOptions options;
  options.max_held_bytes = 10'000;
  test::LogAgent agent(w.clock, w.store, options);
  agent.add_container("c1", w.dir / "c1.log");
  append(w.dir / "c1.log", docker_line("first"));
  agent.start();
  agent.drain();
  std::string bytes;
  while (bytes.size() < 60'000) bytes += docker_line(std::string(100, 'a'));
  constexpr int kFiles = 20;
  for (int file = 0; file < kFiles; ++file) {
    append(w.dir / "c1.log", bytes);
    fs::remove(w.dir / "c1.log");
    append(w.dir / "c1.log", "");
    agent.collector().on_wake();
    agent.collector().enforce_limits();
    if (file % 5 == 0) {  // A commit that the spool refuses
      CHECK(agent.collector().read(0).events.size() <= 1);
      agent.collector().rollback();
    }
  }
  agent.drain();
  CHECK(w.store.bytes_dropped["held_limit"] == kFiles * bytes.size());
  REQUIRE(w.store.event_count("logs.gap") == 1);
  const auto& told = w.store.events.back();
  CHECK(told.message.find("20 deleted or rotated files") != std::string::npos);
  CHECK(told.attributes[0].value == std::to_string(kFiles * bytes.size()));
}

TEST_CASE("a deleted log that is the only file of its chain is given up as well") {
  World w;
  LogCollectorOptions options;
  options.max_held_bytes = 10'000;
  test::LogAgent agent(w.clock, w.store, options);
  agent.add_container("c1", w.dir / "c1.log");
  append(w.dir / "c1.log", docker_line("first"));
  agent.start();
  agent.drain();
  std::string bytes;
  while (bytes.size() < 60'000) bytes += docker_line(std::string(100, 'a'));
  append(w.dir / "c1.log", bytes);
  fs::remove(w.dir / "c1.log");
  agent.remove_container("c1");
  agent.drain();
  CHECK(w.store.bytes_dropped["held_limit"] == bytes.size());
  CHECK(w.texts("container/c1") == Texts{"first"});
  CHECK(w.store.has_event("logs.gap"));
  CHECK(agent.collector().source_count() == 0);
  CHECK(w.store.checkpoints.empty());
}

TEST_CASE("late lines of a container that is removed with its log") {
  World w;
  test::LogAgent agent(w.clock, w.store, {});
  agent.add_container("c1", w.dir / "c1.log");
  append(w.dir / "c1.log", docker_line("first"));
  agent.start();
  agent.drain();
  append(w.dir / "c1.log", docker_line("last words") + docker_line("really"));
  fs::remove(w.dir / "c1.log");
  agent.remove_container("c1");
  agent.drain();
  CHECK(w.texts("container/c1") == Texts{"first", "last words", "really"});
  CHECK(w.store.checkpoints.empty());
  CHECK_FALSE(w.store.has_event("logs.gap"));
}

TEST_CASE("a container whose log driver keeps no file: told once") {
  World w;
  LogCollector collector(w.clock);
  std::vector<ObservedContainer> containers(3);
  const char* drivers[] = {"local", "none", "json-file"};
  for (std::size_t i = 0; i < 3; ++i) {
    containers[i].facts.id = std::to_string(i);
    containers[i].facts.log_driver = drivers[i];
  }
  collector.set_containers(containers);
  collector.set_containers(containers);
  const auto read = collector.read(1);
  REQUIRE(read.events.size() == 2);
  CHECK(read.events[0].kind == "logs.not_followed");
  CHECK(read.events[0].target == "container/0");
  CHECK(read.events[0].message.find("\"local\"") != std::string::npos);
  collector.committed();
  collector.set_containers(containers);
  CHECK(collector.read(1).events.empty());
}

TEST_CASE("a plain log that is older than its following begins at its end; a later one whole") {
  World w;
  append(w.dir / "old.log", "skipped 1\nskipped 2\nhalf of");
  append(w.dir / "old.log.1", "skipped 0\n");
  test::LogAgent agent(w.clock, w.store, w.files("*.log"));
  agent.start();
  agent.drain();
  CHECK(w.store.records.empty());
  REQUIRE(w.store.event_count("logs.skipped") == 1);
  CHECK(w.store.events[0].attributes[0].value == "20");
  append(w.dir / "old.log", " a line\nnew\n");
  agent.collector().on_wake();
  agent.drain();
  CHECK(w.texts_of_file("old.log") == Texts{"half of a line", "new"});
  // The place is durable at once: after a restart nothing is skipped again.
  agent.kill();
  append(w.dir / "old.log", "while down\n");
  agent.start();
  agent.drain();
  CHECK(w.texts_of_file("old.log").back() == "while down");
  CHECK(w.store.event_count("logs.skipped") == 1);
}

TEST_CASE("read_existing reads old logs and their rotated files") {
  World w;
  append(w.dir / "old.log", "3\n");
  append(w.dir / "old.log.1", "2\n");
  test::write_gzip(w.dir / "old.log.2.gz", "1\n");
  auto options = w.files("*.log");
  options.files.read_existing = true;
  test::LogAgent agent(w.clock, w.store, options);
  agent.start();
  agent.drain();
  CHECK(w.texts_of_file("old.log") == Texts{"1", "2", "3"});
}

TEST_CASE("a new file appears within the scan interval and is read from its beginning") {
  World w;
  w.clock.jump_wall(-2h);  // The pattern is older than the file
  test::LogAgent agent(w.clock, w.store, w.files("*.log"));
  agent.start();
  agent.read_and_commit(1);
  append(w.dir / "new.log", "one\n2026-11-21T07:45:00Z two\n");
  w.clock.advance(1999ms);
  agent.read_and_commit(1 << 20);
  CHECK(w.store.records.empty());
  w.clock.advance(1ms + 250ms);
  agent.read_and_commit(1 << 20);
  REQUIRE(w.texts_of_file("new.log").size() == 2);
  CHECK(w.store.records[0].ts_ns == to_unix_ns(w.clock.wall_now()));
  CHECK(w.store.records[0].stream == wire::LogStream::kOther);
  CHECK(w.store.records[0].flags == 0);
}

TEST_CASE("a last line without end comes after five seconds, in a plain log only then") {
  World w;
  w.clock.jump_wall(-2h);
  append(w.dir / "a.log", "whole\nhalf");
  test::LogAgent agent(w.clock, w.store, w.files("*.log"));
  agent.start();
  agent.read_and_commit(1 << 20);
  for (int i = 0; i < 19; ++i) {
    w.clock.advance(250ms);
    agent.read_and_commit(1 << 20);
  }
  CHECK(w.texts_of_file("a.log") == Texts{"whole"});
  agent.drain(5);
  CHECK(w.texts_of_file("a.log") == Texts{"whole", "half"});
  CHECK(w.store.records[1].flags == wire::log_flags::kUnterminated);
  append(w.dir / "a.log", " a line\n");
  agent.drain();
  CHECK(w.texts_of_file("a.log").back() == " a line");
}

TEST_CASE("a plain log that goes is forgotten a minute later; one not wanted any more at once") {
  World w;
  w.clock.jump_wall(-2h);
  append(w.dir / "a.log", "1\n");
  append(w.dir / "b.log", "1\n");
  test::LogAgent agent(w.clock, w.store, w.files("*.log"));
  agent.start();
  agent.drain();
  CHECK(w.store.checkpoints.size() == 3);  // And the times of patterns
  fs::remove(w.dir / "a.log");
  agent.drain(40);
  CHECK(agent.collector().source_count() == 2);
  agent.drain(260);
  CHECK(agent.collector().source_count() == 1);
  CHECK(w.store.checkpoints.size() == 2);
  agent.kill();
  test::LogAgent other(w.clock, w.store, w.files("c*.log"));
  other.start();
  other.drain();
  CHECK(other.collector().source_count() == 0);
  CHECK_FALSE(w.store.has_event("logs.checkpoint_invalid"));
}

TEST_CASE(
    "a pod's log between its renaming and its creation is not forgotten; a minute after the pod "
    "is") {
  World w;
  LogCollectorOptions options;
  options.files.cri = {w.dir / "pods/*/*/*.log"};
  const auto folder = w.dir / "pods/ns_pod_u/c";
  fs::create_directories(folder);
  const auto line = [](const char* text) {
    return std::string("2026-11-21T07:45:00.123456789Z stdout F ") + text + "\n";
  };
  append(folder + "/0.log", line("1") + line("2"));
  test::LogAgent agent(w.clock, w.store, options);
  agent.start();
  agent.drain();
  fs::rename(folder + "/0.log", folder + "/0.log.20261121-074500");
  agent.drain(40);  // Ten seconds: scanned without it
  append(folder + "/0.log", line("3"));
  agent.drain();
  CHECK(w.texts("pod/ns/pod/c") == Texts{"1", "2", "3"});
  fs::remove_all(w.dir / "pods/ns_pod_u");
  agent.drain(300);
  CHECK(agent.collector().source_count() == 0);
  CHECK(w.store.checkpoints.size() == 1);  // Times of patterns
}

TEST_CASE("a trace that is open when the agent is killed comes once and whole") {
  World w;
  test::LogAgent agent(w.clock, w.store, {});
  agent.add_container("c1", w.dir / "c1.log");
  append(w.dir / "c1.log", docker_line("before") + docker_line("java.lang.Error: x") +
                               docker_line("\\tat a.B.c(D.java:1)"));
  agent.start();
  agent.read_and_commit(1 << 20);
  CHECK(w.texts("container/c1") == Texts{"before"});
  agent.kill();
  append(w.dir / "c1.log", docker_line("\\tat a.B.d(D.java:2)") + docker_line("after"));
  agent.start();
  agent.drain(8);
  CHECK(w.texts("container/c1") ==
        Texts{"before", "java.lang.Error: x\n\tat a.B.c(D.java:1)\n\tat a.B.d(D.java:2)", "after"});
  CHECK(w.store.counted_records == 3);
}

TEST_CASE("a compressed file that is damaged: what comes before is read, the rest is reported") {
  World w;
  w.clock.jump_wall(-2h);
  test::LogAgent agent(w.clock, w.store, w.files("a.log"));
  append(w.dir / "a.log", "line 0\n");
  agent.start();
  agent.drain();
  agent.kill();
  std::string content = "line 0\n";
  for (int i = 1; i < 20'000; ++i) content += "line " + std::to_string(i * 7919) + "\n";
  test::write_gzip(w.dir / "a.log.1.gz", content);
  fs::resize_file(w.dir / "a.log.1.gz", fs::file_size(w.dir / "a.log.1.gz") / 2);
  fs::remove(w.dir / "a.log");
  append(w.dir / "a.log", "after\n");
  agent.start();
  agent.drain(12);
  const auto texts = w.texts_of_file("a.log");
  CHECK(texts.size() > 1000);
  CHECK(texts.front() == "line 0");
  CHECK(texts.back() == "after");
  CHECK(w.store.event_count("logs.gap") == 1);
  CHECK(w.store.events.back().message.find("damaged") != std::string::npos);
}

TEST_CASE("a place far into a compressed file is found in slices, and nothing comes twice") {
  World w;
  auto options = w.files("a.log");
  options.files.read_existing = true;
  test::LogAgent agent(w.clock, w.store, options);
  constexpr int kLines = 20'000;
  std::string content;
  for (int i = 0; i < kLines; ++i) {
    content +=
        "2026-11-21T07:45:00Z line " + std::to_string(i) + " " + std::string(1'000, 'x') + "\n";
  }
  append(w.dir / "a.log", content);
  agent.start();
  agent.drain();
  agent.kill();
  REQUIRE(w.store.records.size() == kLines);
  test::write_gzip(w.dir / "a.log.1.gz", content + "2026-11-21T07:45:01Z unread\n");
  fs::remove(w.dir / "a.log");
  append(w.dir / "a.log", "2026-11-21T07:45:02Z after\n");
  agent.start();
  unsigned reads = 0;
  while (w.store.records.size() == kLines && reads < 1'000) {
    agent.read_and_commit(1 << 20);
    CHECK((w.store.records.size() > kLines || agent.collector().more()));
    ++reads;
  }
  // Once to know it again, of which restore() and the first poll do a slice each, once to go on there.
  const auto slices = static_cast<unsigned>(content.size() / kDecodeSlice);
  CHECK(reads >= 2 * slices - 2);
  CHECK(reads <= 2 * slices + 2);
  agent.drain(12);
  const auto texts = w.texts_of_file("a.log");
  REQUIRE(texts.size() == kLines + 2);
  CHECK(texts[kLines].ends_with("unread"));
  CHECK(texts[kLines + 1].ends_with("after"));
  CHECK(w.store.events.empty());
}

TEST_CASE("checkpoints of other collectors are left alone, unknown logs are reported") {
  World w;
  LogCollector collector(w.clock);
  const std::vector<SourceCheckpoint> checkpoints{{"journal/system", "x"}, {"log/moon/1", "x"}};
  collector.restore(checkpoints);
  CHECK(collector.invalid_checkpoints() == 1);
}

namespace {

// A writer that does not let go of a rotated file, in the moments in which the collector asks for the time.
class WritingClock final : public Clock {
 public:
  explicit WritingClock(const ManualClock& clock) : clock_(clock) {}
  WallTime wall_now() const override { return clock_.wall_now(); }
  SteadyTime steady_now() const override {
    if (left_ > 0 && --left_ == 0) append(path_, "late\n");
    return clock_.steady_now();
  }
  void write_at(const std::string& path, int call) {
    path_ = path;
    left_ = call;
  }
  bool has_written() const { return left_ == 0; }

 private:
  const ManualClock& clock_;
  std::string path_;
  mutable int left_ = 0;
};

}  // namespace

TEST_CASE(
    "bytes that come to a rotated file behind its end are read, or counted with the checkpoint") {
  constexpr std::uint64_t kLate = 5;
  int counted_at_once = 0;
  for (int call = 1; call < 40; ++call) {
    CAPTURE(call);
    World w;
    w.clock.jump_wall(-2h);  // The pattern is older than the file
    WritingClock clock(w.clock);
    LogCollector collector(clock, w.files("a.log"));
    const auto commit = [&] {
      w.store.commit(collector.read(1 << 20));
      collector.committed();
    };
    const auto poll = [&] {
      w.clock.advance(2s);
      commit();
    };
    poll();
    append(w.dir / "a.log", "first\n");
    poll();
    fs::rename(w.dir / "a.log", w.dir / "a.log.1");
    append(w.dir / "a.log", "second\n");
    w.clock.advance(2s);
    clock.write_at(w.dir / "a.log.1", call);
    const auto is_left = [&] {
      return !w.texts_of_file("a.log").empty() && w.texts_of_file("a.log").back() == "second";
    };
    for (int i = 0; i < 20 && !is_left(); ++i) {
      w.clock.advance(2s);
      // Of the read that leaves the file: what the spool has when the process is killed.
      w.store.commit(collector.read(1 << 20));
      if (!is_left()) collector.committed();
    }
    REQUIRE(is_left());
    if (!clock.has_written()) break;
    const bool is_read = w.texts_of_file("a.log").size() == 3;
    const bool is_counted = w.store.bytes_dropped["late_write"] == kLate;
    CHECK(is_read != is_counted);
    CHECK(w.store.event_count("logs.gap") == (is_counted ? 1 : 0));
    if (is_counted) ++counted_at_once;
    collector.committed();
    poll();
    CHECK(w.store.bytes_dropped["late_write"] == (is_counted ? kLate : 0));
  }
  CHECK(counted_at_once > 0);
}

TEST_CASE(
    "bytes that come to a rotated file while the spool writes are counted with the next commit") {
  World w;
  w.clock.jump_wall(-2h);
  LogCollector collector(w.clock, w.files("a.log"));
  const auto poll = [&] {
    w.clock.advance(2s);
    w.store.commit(collector.read(1 << 20));
  };
  poll();
  collector.committed();
  append(w.dir / "a.log", "first\n");
  poll();
  collector.committed();
  fs::rename(w.dir / "a.log", w.dir / "a.log.1");
  append(w.dir / "a.log", "second\n");
  for (int i = 0; i < 20 && w.store.records.size() < 2; ++i) {
    collector.committed();
    poll();
  }
  REQUIRE(w.store.records.size() == 2);
  append(w.dir / "a.log.1", "late\n");
  CHECK(w.store.bytes_dropped.empty());
  collector.committed();
  CHECK(collector.more());  // Due at once
  w.store.commit(collector.read(1 << 20));
  CHECK(w.store.bytes_dropped["late_write"] == 5);
  CHECK(w.store.event_count("logs.gap") == 1);
  collector.committed();
  CHECK_FALSE(collector.more());
}
