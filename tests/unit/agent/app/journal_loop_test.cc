#include "agent/app/journal_loop.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "tests/unit/agent/app/loop_world.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;

namespace {

// A journal in memory: numbered entries, handed out a few at a time.
class ManualJournal final : public JournalReader {
 public:
  ManualJournal() { REQUIRE(::pipe(wake_) == 0); }
  ~ManualJournal() override {
    ::close(wake_[0]);
    ::close(wake_[1]);
  }

  Result<JournalRead> read(const JournalPosition& from, const JournalLimits&) override {
    std::unique_lock lock(mutex_);
    released_.wait(lock, [this] { return !hangs; });
    ++reads;
    if (fails) return Error(Errc::kUnavailable, "no luck");
    if (!open_) {
      open_ = true;
      ++opened_;
    }
    char drained[64];
    if (woken_) woken_ = ::read(wake_[0], drained, sizeof drained) < 0;
    JournalRead out;
    const std::uint64_t begin = from.after ? from.after->number + 1 : 1;
    for (std::uint64_t n = begin; n <= count && out.entries.size() < 3; ++n) {
      if (n != hidden) out.entries.push_back(entry(n));
    }
    out.at_end = out.entries.size() < 3;
    return out;
  }
  void close() override {
    const std::scoped_lock lock(mutex_);
    open_ = false;
    ++closes;
    hidden = 0;
  }
  int duplicate_wake_fd() const override {
    const std::scoped_lock lock(mutex_);
    return open_ ? ::fcntl(wake_[0], F_DUPFD_CLOEXEC, 0) : -1;
  }
  std::uint64_t opened() const override {
    const std::scoped_lock lock(mutex_);
    return opened_;
  }

  // ---- from the test
  void write(std::uint64_t more) {
    const std::scoped_lock lock(mutex_);
    count += more;
    if (!std::exchange(woken_, true)) REQUIRE(::write(wake_[1], "x", 1) == 1);
  }
  template <class T>
  void set(T ManualJournal::*member, T value) {
    const std::scoped_lock lock(mutex_);
    this->*member = value;
    released_.notify_all();
  }
  template <class T>
  T get(T ManualJournal::*member) const {
    const std::scoped_lock lock(mutex_);
    return this->*member;
  }

  const char* text = "line ";
  std::uint64_t count = 0;
  std::uint64_t hidden = 0;  // An entry that is not found until the journal is opened anew
  bool fails = false;
  bool hangs = false;
  int reads = 0;
  int closes = 0;

 private:
  JournalEntry entry(std::uint64_t number) const {
    JournalEntry out;
    out.cursor.chain = std::string(32, 'a');
    out.cursor.boot = std::string(32, 'b');
    out.cursor.number = number;
    out.cursor.realtime_us = 1'700'000'000'000'000 + number;
    out.message = text + std::to_string(number);
    out.has_message = true;
    out.unit = "web.service";
    return out;
  }

  mutable std::mutex mutex_;
  std::condition_variable released_;
  int wake_[2] = {-1, -1};
  bool woken_ = false;
  bool open_ = false;
  std::uint64_t opened_ = 0;
};

struct Fixture : test::LoopWorld {
  JournalSource source{
      clock, [](std::string_view, std::uint32_t&, std::string&) { return false; }, {}};
  std::shared_ptr<ManualJournal> journal = std::make_shared<ManualJournal>();
  JournalLoop journal_loop{loop, clock, pool, outbox, source, journal, 200ms, shedding};

  Fixture() { spawn(loop, "journal", journal_loop.run()); }
  ~Fixture() {
    journal->set(&ManualJournal::hangs, false);
    loop.shutdown();
  }

  std::vector<std::string> texts() { return test::spooled_texts(spool); }
  // Lets workers finish; the clock stands.
  bool until(const std::function<bool()>& done) { return loop.run_until(done, 10s); }
  bool until_lines(std::uint64_t count) {
    return until([this, count] { return texts().size() == count; });
  }
  bool until_reads(int count) {
    return until([this, count] { return journal->get(&ManualJournal::reads) >= count; }) &&
           settle();
  }
  // What a finished read causes on the loop.
  bool settle() {
    loop.run_until([] { return false; }, 5ms);
    return true;
  }
  std::vector<std::string> expected(std::uint64_t count) {
    std::vector<std::string> lines;
    for (std::uint64_t n = 1; n <= count; ++n) lines.push_back("line " + std::to_string(n));
    return lines;
  }
};

}  // namespace

TEST_CASE_FIXTURE(Fixture, "a backlog is read to its end, then news wake the loop") {
  journal->write(8);
  REQUIRE(until_lines(8));
  REQUIRE(settle());
  journal->write(2);
  REQUIRE(settle());  // Woken, and waiting for what follows
  CHECK(texts().size() == 8);
  clock.advance(200ms);
  REQUIRE(until_lines(10));
  CHECK(texts() == expected(10));
}

TEST_CASE_FIXTURE(Fixture, "what the descriptor does not tell is found by polling") {
  REQUIRE(until_reads(1));
  journal->set(&ManualJournal::count, std::uint64_t{2});
  REQUIRE(settle());
  CHECK(texts().empty());
  clock.advance(5s);
  REQUIRE(until_lines(2));
}

TEST_CASE_FIXTURE(Fixture, "a commit that fails is made up for") {
  spool.bound = 0;
  journal->write(4);
  REQUIRE(until_reads(1));
  CHECK(texts().empty());
  const int before = journal->get(&ManualJournal::reads);
  // A full spool is not asked, and the journal not read, until there may be room.
  clock.advance(1s);
  REQUIRE(settle());
  CHECK(journal->get(&ManualJournal::reads) == before);
  spool.bound = UINT64_MAX;
  for (int i = 0; i < 10; ++i) clock.advance(1s);
  REQUIRE(until_lines(4));
  CHECK(texts() == expected(4));
}

TEST_CASE_FIXTURE(Fixture, "while the spool is full for long the journal's files are let go") {
  spool.bound = 0;
  journal->write(1);
  REQUIRE(until_reads(1));
  for (int i = 0; i < 120 && journal->get(&ManualJournal::closes) == 0; ++i) {
    clock.advance(1s);
    settle();
  }
  CHECK(journal->get(&ManualJournal::closes) == 1);
}

TEST_CASE_FIXTURE(Fixture, "while logs are shed the journal waits") {
  REQUIRE(until_reads(1));
  shedding.logs = false;
  journal->write(2);
  for (int i = 0; i < 3; ++i) {
    clock.advance(5s);
    settle();
  }
  CHECK(journal->get(&ManualJournal::reads) == 1);
  shedding.logs = true;
  clock.advance(1s);
  REQUIRE(until_lines(2));
}

TEST_CASE_FIXTURE(Fixture, "while logs are sampled, verbose entries are counted instead") {
  shedding.keep_one_log_in = 10;
  journal->set(&ManualJournal::text, "INFO line ");
  journal->write(30);
  const auto counted = [this] {
    const auto entries = spool.ledger().value();
    const auto found = std::find_if(entries.begin(), entries.end(), [](const auto& entry) {
      return entry.source == "log/unit/web.service";
    });
    return found == entries.end() ? wire::LedgerEntry() : *found;
  };
  REQUIRE(until([&] { return counted().records_read == 30; }));
  CHECK(texts().size() == 3);
  CHECK(counted().records_spooled == 3);
  CHECK(counted().records_dropped.at("sampled") == 27);
}

TEST_CASE_FIXTURE(Fixture, "a read that hangs is given up, and what it read comes again") {
  REQUIRE(until_reads(1));
  journal->set(&ManualJournal::hangs, true);
  journal->write(2);
  REQUIRE(settle());
  clock.advance(200ms);
  REQUIRE(until([this] { return pool.counters().threads > 0 && pool.queued() == 0; }));
  REQUIRE(settle());
  clock.advance(10s);
  REQUIRE(until([this] { return pool.counters().timed_out == 1; }));
  CHECK(pool.stuck() == std::vector<std::string>{"journal"});
  CHECK(texts().empty());
  journal->set(&ManualJournal::hangs, false);
  REQUIRE(until([this] { return pool.counters().returned_late == 1; }));
  for (int i = 0; i < 4 && texts().empty(); ++i) {
    clock.advance(5s);
    settle();
  }
  CHECK(texts() == expected(2));
}

TEST_CASE_FIXTURE(Fixture,
                  "an entry that seems to be missing is looked for in a journal opened anew") {
  journal->write(2);
  REQUIRE(until_lines(2));
  journal->set(&ManualJournal::hidden, std::uint64_t{3});
  journal->write(2);
  REQUIRE(settle());
  clock.advance(200ms);
  REQUIRE(until_lines(4));
  CHECK(texts() == expected(4));
  CHECK(journal->get(&ManualJournal::closes) == 1);
  CHECK(journal->opened() == 2);
}

TEST_CASE_FIXTURE(Fixture, "a journal that cannot be read is tried again") {
  journal->set(&ManualJournal::fails, true);
  journal->write(1);
  REQUIRE(until_reads(1));
  journal->set(&ManualJournal::fails, false);
  for (int i = 0; i < 3 && texts().empty(); ++i) {
    clock.advance(5s);
    settle();
  }
  CHECK(texts() == expected(1));
}

TEST_CASE_FIXTURE(Fixture, "a journal that cannot be read is an event, once until it can") {
  journal->write(1);
  REQUIRE(until_lines(1));
  REQUIRE(settle());
  const auto rounds = journal_loop.rounds();
  CHECK(rounds > 0);
  CHECK(journal_loop.problem().empty());
  const auto pass = [this](int seconds) {
    for (int i = 0; i < seconds; ++i) {
      clock.advance(1s);
      settle();
    }
  };
  journal->set(&ManualJournal::fails, true);
  pass(60);
  CHECK(journal_loop.problem() == "no luck");
  CHECK(journal_loop.rounds() <= rounds + 1);  // What StallDetector sees stand still
  REQUIRE(events().size() == 1);
  CHECK(events()[0].kind == "logs.unreadable");
  CHECK(events()[0].message.find("no luck") != std::string::npos);
  journal->set(&ManualJournal::fails, false);
  pass(10);
  CHECK(journal_loop.problem().empty());
  CHECK(journal_loop.rounds() > rounds);
  journal->set(&ManualJournal::fails, true);
  pass(20);
  CHECK(events().size() == 2);
}
