#include <doctest/doctest.h>

#include <fstream>
#include <sstream>

#include "agent/executor/ledger.h"
#include "protocol/signing/sealing.h"
#include "protocol/sql/migrator.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::agent::executor;
using observeai::test::TempDir;

namespace {

const wire::Bytes16 kEnrollment = {1};

wire::Bytes16 id_of(std::uint64_t number) {
  wire::Bytes16 id{};
  for (std::size_t i = 0; i < 8; ++i) id[i] = static_cast<std::uint8_t>(number >> (8 * i));
  id[15] = 1;
  return id;
}

Ledger::Entry entry(std::uint64_t seq, std::int64_t now_ms = 1000) {
  Ledger::Entry out;
  out.id = id_of(seq);
  out.sha256.fill(static_cast<std::uint8_t>(seq));
  out.seq = seq;
  out.execute = true;
  out.received_ms = now_ms;
  out.draft = "draft " + std::to_string(seq);
  return out;
}

Ledger::Start begun(std::uint64_t seq, const std::string& target, const std::string& action,
                    std::int64_t now_ms, const std::string& draft) {
  Ledger::Start out{id_of(seq), {}, target, action, now_ms, draft, ""};
  out.leaf.fill(static_cast<std::uint8_t>(seq));
  return out;
}

Ledger open(const TempDir& dir, const wire::Bytes16& who = kEnrollment, LedgerLimits limits = {}) {
  auto ledger = Ledger::open(dir / "ledger.db", who, limits);
  REQUIRE_MESSAGE(ledger, (ledger ? "" : ledger.error().message()));
  return std::move(*ledger);
}

}  // namespace

TEST_CASE("a command goes from received over started to done, and not back") {
  TempDir dir;
  auto ledger = open(dir);
  CHECK(!*ledger.find(id_of(1)));
  REQUIRE(ledger.receive(entry(1)));
  CHECK((*ledger.find(id_of(1)))->state == Ledger::State::kReceived);
  CHECK(!ledger.receive(entry(1)));
  REQUIRE(ledger.start(begun(1, "container/web", "docker.restart", 2000, "begun")));
  CHECK((*ledger.find(id_of(1)))->state == Ledger::State::kStarted);
  CHECK(!ledger.start(begun(1, "container/web", "docker.restart", 2000, "begun")));
  REQUIRE(ledger.finish(id_of(1), "result"));
  const auto known = *ledger.find(id_of(1));
  CHECK(known->state == Ledger::State::kDone);
  CHECK(known->result == "result");
  CHECK(known->sha256 == entry(1).sha256);
  CHECK(!ledger.finish(id_of(1), "another"));
  CHECK(!ledger.start(begun(1, "container/web", "docker.restart", 2000, "begun")));
  CHECK(!ledger.start(begun(2, "container/web", "docker.restart", 2000, "begun")));
}

TEST_CASE("what is found open is finished by its draft, once, and never begun") {
  TempDir dir;
  {
    auto ledger = open(dir);
    REQUIRE(ledger.receive(entry(1)));
    REQUIRE(ledger.receive(entry(2)));
    REQUIRE(ledger.start(begun(2, "container/web", "docker.restart", 2000, "begun 2")));
    REQUIRE(ledger.receive(entry(3)));
    REQUIRE(ledger.finish(id_of(3), "result 3"));
  }
  auto ledger = open(dir);
  std::vector<std::string> drafts;
  const auto sign = [&](const Ledger::Unfinished& one) -> Result<std::string> {
    drafts.push_back(one.draft + (one.state == Ledger::State::kStarted ? " started" : ""));
    return "signed " + one.draft;
  };
  CHECK(*ledger.finish_interrupted(sign) == 2);
  CHECK(drafts == std::vector<std::string>{"draft 1", "begun 2 started"});
  CHECK(*ledger.finish_interrupted(sign) == 0);
  CHECK((*ledger.find(id_of(1)))->result == "signed draft 1");
  CHECK((*ledger.find(id_of(2)))->result == "signed begun 2");
  CHECK(*ledger.unspooled(10, 1000) ==
        std::vector<std::string>{"signed draft 1", "signed begun 2", "result 3"});
}

TEST_CASE("what a command may have left is known until it ended, or was put right") {
  TempDir dir;
  {
    auto ledger = open(dir);
    for (std::uint64_t seq = 1; seq <= 4; ++seq) REQUIRE(ledger.receive(entry(seq)));
    const auto start = [&](std::uint64_t seq) {
      auto one = begun(seq, "container/web", "docker.stop", 2000, "begun");
      one.state = "state " + std::to_string(seq);
      return ledger.start(one);
    };
    REQUIRE(start(1));
    REQUIRE(ledger.finish(id_of(1), "result 1"));
    REQUIRE(start(2));
    REQUIRE(ledger.finish(id_of(2), "result 2", true));
    REQUIRE(start(3));
    CHECK(!start(3));
  }
  auto ledger = open(dir);
  REQUIRE(ledger.finish_interrupted([](const auto&) { return std::string("told"); }));
  const auto left = *ledger.recoveries();
  REQUIRE(left.size() == 2);
  CHECK(left[0].command == id_of(2));
  CHECK(left[1].command == id_of(3));
  CHECK(left[1].action == "docker.stop");
  CHECK(left[1].target == "container/web");
  CHECK(left[1].state == "state 3");
  REQUIRE(ledger.recovered(id_of(3)));
  REQUIRE(ledger.recovered(id_of(3)));
  CHECK(ledger.recoveries()->size() == 1);
}

TEST_CASE("a result that cannot be signed leaves the command open") {
  TempDir dir;
  auto ledger = open(dir);
  REQUIRE(ledger.receive(entry(1)));
  CHECK(!ledger.finish_interrupted([](const auto&) { return Error(Errc::kInternal, "no"); }));
  CHECK((*ledger.find(id_of(1)))->state == Ledger::State::kReceived);
}

TEST_CASE("a ledger that is full makes room for the next command by itself") {
  TempDir dir;
  constexpr LedgerLimits kSmall = {.pages = 256};
  auto ledger = open(dir, kEnrollment, kSmall);
  // One that began, and then nothing but refusals, each a larger part of it than any real one.
  REQUIRE(ledger.receive(entry(1)));
  REQUIRE(ledger.start(begun(1, "container/web", "docker.restart", 5000, "d")));
  REQUIRE(ledger.finish(id_of(1), "result 1"));
  REQUIRE(ledger.mark_spooled(signing::sha256("result 1")));
  constexpr std::size_t kBytes = 32U << 10;
  constexpr std::uint64_t kThatFit = kSmall.pages * 4096 / kBytes;
  for (std::uint64_t seq = 2; seq <= kThatFit + 8; ++seq) {
    CAPTURE(seq);
    auto one = entry(seq);
    one.draft.assign(kBytes, 'd');
    REQUIRE(ledger.receive(one));
    const std::string result = std::string(kBytes, 'r') + std::to_string(seq);
    REQUIRE(ledger.finish(id_of(seq), result));
    REQUIRE(ledger.mark_spooled(signing::sha256(result)));
  }
  CHECK(!*ledger.find(id_of(2)));
  CHECK(*ledger.find(id_of(1)));
  CHECK(*ledger.last_started("container/web") == 5000);
}

TEST_CASE("results that wait do not make the ledger forget what began today") {
  TempDir dir;
  constexpr LedgerLimits kSmall = {.pages = 256};
  auto ledger = open(dir, kEnrollment, kSmall);
  const std::int64_t day = 24 * 3'600'000;
  const auto done = [&](std::uint64_t seq, std::size_t bytes) {
    REQUIRE(ledger.receive(entry(seq, day)));
    REQUIRE(ledger.start(begun(seq, "container/" + std::to_string(seq), "docker.stop", day, "d")));
    const std::string result = std::string(bytes, 'r') + std::to_string(seq);
    REQUIRE(ledger.finish(id_of(seq), result));
    return signing::sha256(result);
  };
  for (std::uint64_t seq = 1; seq <= 4; ++seq) REQUIRE(ledger.mark_spooled(done(seq, 100)));
  for (std::uint64_t seq = 5; seq <= 22; ++seq) {  // More than half of the quota
    done(seq, 32U << 10);
    REQUIRE(ledger.prune(2 * day));
  }
  CHECK(*ledger.last_started("container/1") == day);
  REQUIRE(ledger.prune(2 * day + 1));
  CHECK(!*ledger.last_started("container/1"));
  // They stop no command either.
  for (std::uint64_t seq = 23; seq <= 60; ++seq) REQUIRE(ledger.mark_spooled(done(seq, 32U << 10)));
}

TEST_CASE("results are told until they are spooled") {
  TempDir dir;
  auto ledger = open(dir);
  for (std::uint64_t seq = 1; seq <= 3; ++seq) {
    REQUIRE(ledger.receive(entry(seq)));
    REQUIRE(ledger.finish(id_of(seq), "result " + std::to_string(seq)));
  }
  CHECK(ledger.unspooled(2, 1000)->size() == 2);
  CHECK(ledger.unspooled(10, 17)->size() == 2);
  CHECK(ledger.unspooled(10, 1)->size() == 1);
  REQUIRE(ledger.mark_spooled(signing::sha256("result 2")));
  REQUIRE(ledger.mark_spooled(signing::sha256("unknown")));
  CHECK(*ledger.unspooled(10, 1000) == std::vector<std::string>{"result 1", "result 3"});
  CHECK((*ledger.find(id_of(2)))->result == "result 2");
}

TEST_CASE("results that nobody fetches stop further commands") {
  TempDir dir;
  auto ledger = open(dir);
  for (std::uint64_t seq = 1; seq <= std::uint64_t(kMaxUnspooled); ++seq) {
    REQUIRE(ledger.receive(entry(seq)));
    REQUIRE(ledger.finish(id_of(seq), "result " + std::to_string(seq)));
  }
  const auto refused = ledger.receive(entry(1000));
  REQUIRE(!refused);
  CHECK(refused.error().code() == Errc::kLimit);
  CHECK(*ledger.highest_sequence() == std::uint64_t(kMaxUnspooled));
  REQUIRE(ledger.mark_spooled(signing::sha256("result 1")));
  CHECK(ledger.receive(entry(1000)));
}

TEST_CASE("results that nobody fetches stop further commands by their bytes") {
  TempDir dir;
  LedgerLimits limits;
  limits.pages = 512;  // 2 MiB
  auto ledger = open(dir, kEnrollment, limits);
  const std::string large(limits.pages * kLedgerPageBytes / 4 * 3 - 1, 'r');
  REQUIRE(ledger.receive(entry(1)));
  REQUIRE(ledger.finish(id_of(1), large));
  REQUIRE(ledger.receive(entry(2)));
  REQUIRE(ledger.finish(id_of(2), "r"));
  const auto refused = ledger.receive(entry(3));
  REQUIRE(!refused);
  CHECK(refused.error().code() == Errc::kLimit);
  CHECK(*ledger.highest_sequence() == 2);
  REQUIRE(ledger.mark_spooled(signing::sha256(large)));
  CHECK(ledger.receive(entry(3)));
}

TEST_CASE("what is old goes, the sequence stays") {
  TempDir dir;
  auto ledger = open(dir);
  const std::int64_t month = std::chrono::milliseconds(kLedgerRetention).count();
  REQUIRE(ledger.receive(entry(1, 1000)));
  REQUIRE(ledger.finish(id_of(1), "result 1"));
  REQUIRE(ledger.receive(entry(2, 1000)));
  REQUIRE(ledger.finish(id_of(2), "result 2"));
  REQUIRE(ledger.mark_spooled(signing::sha256("result 1")));
  REQUIRE(ledger.prune(1000 + month));
  CHECK(*ledger.find(id_of(1)));
  REQUIRE(ledger.prune(1001 + month));
  CHECK(!*ledger.find(id_of(1)));
  CHECK(*ledger.find(id_of(2)));  // Not spooled
  CHECK(*ledger.highest_sequence() == 2);
}

TEST_CASE("the sequence survives a start and begins anew with an enrollment") {
  TempDir dir;
  {
    auto ledger = open(dir);
    REQUIRE(ledger.receive(entry(41)));
    REQUIRE(ledger.receive(entry(7)));
    CHECK(*ledger.highest_sequence() == 41);
  }
  CHECK(*open(dir).highest_sequence() == 41);
  CHECK(*open(dir, {2}).highest_sequence() == 0);
}

TEST_CASE("starts are counted by hour and action, and the last one by target") {
  TempDir dir;
  auto ledger = open(dir);
  CHECK(!*ledger.last_started("container/web"));
  REQUIRE(ledger.receive(entry(1)));
  REQUIRE(ledger.start(begun(1, "container/web", "docker.restart", 5000, "d")));
  REQUIRE(ledger.receive(entry(2)));
  REQUIRE(ledger.start(begun(2, "container/db", "docker.stop", 6000, "d")));
  auto dry = entry(3);
  dry.execute = false;
  REQUIRE(ledger.receive(dry));
  REQUIRE(ledger.start(begun(3, "container/web", "docker.restart", 7000, "d")));
  CHECK(*ledger.started_since(4999) == 2);
  CHECK(*ledger.started_since(5000) == 1);
  CHECK(*ledger.started_since(0, "docker.restart") == 1);
  CHECK(*ledger.last_started("container/web") == 5000);
}

TEST_CASE("what was approved starts once, and is remembered") {
  TempDir dir;
  const std::int64_t hour = 3'600'000;
  const auto leaf = begun(1, "", "", 0, "").leaf;
  {
    auto ledger = open(dir);
    REQUIRE(ledger.receive(entry(1)));
    CHECK_FALSE(*ledger.was_started(leaf));
    REQUIRE(ledger.start(begun(1, "container/web", "docker.restart", 5 * hour, "d")));
    REQUIRE(ledger.finish(id_of(1), "result 1"));
    REQUIRE(ledger.mark_spooled(signing::sha256("result 1")));
    CHECK(*ledger.was_started(leaf));
    REQUIRE(ledger.receive(entry(2)));
    auto again = begun(2, "container/web", "docker.restart", 6 * hour, "d");
    again.leaf = leaf;
    CHECK(!ledger.start(again));
    CHECK((*ledger.find(id_of(2)))->state == Ledger::State::kReceived);
    REQUIRE(ledger.finish(id_of(2), "result 2"));
  }
  auto ledger = open(dir, {2});  // Another enrollment
  CHECK(*ledger.was_started(leaf));
}

TEST_CASE("what was started is forgotten when it is old and many have started since") {
  TempDir dir;
  auto ledger = open(dir, kEnrollment, {.remembered_starts = 2});
  const std::int64_t hour = 3'600'000;
  const auto start = [&](std::uint64_t seq, std::int64_t now_ms) {
    REQUIRE(ledger.receive(entry(seq)));
    REQUIRE(ledger.start(begun(seq, "container/web", "docker.restart", now_ms, "d")));
  };
  const auto known = [&](std::uint64_t seq) {
    return *ledger.was_started(begun(seq, "", "", 0, "").leaf);
  };
  start(1, 5 * hour);
  REQUIRE(ledger.prune(1'000 * hour));
  CHECK(known(1));
  start(2, 6 * hour);
  REQUIRE(ledger.prune(1'000 * hour));
  CHECK(known(1));
  start(3, 7 * hour);
  REQUIRE(ledger.prune(5 * hour + 48 * hour));
  CHECK(known(1));
  REQUIRE(ledger.prune(5 * hour + 48 * hour + 1));
  CHECK_FALSE(known(1));
  REQUIRE(ledger.prune(1'000 * hour));
  CHECK(known(2));
  CHECK(known(3));
}

TEST_CASE("a ledger of the first form is taken over") {
  TempDir dir;
  {
    auto ledger = open(dir);
    REQUIRE(ledger.receive(entry(41)));
    REQUIRE(ledger.finish(id_of(41), "result 41"));
  }
  {
    auto database = *sql::Database::open(dir / "ledger.db", {});
    REQUIRE(
        database.execute("DROP TABLE executed; DROP TABLE recoveries; PRAGMA user_version = 1"));
  }
  auto ledger = open(dir);
  CHECK(*ledger.highest_sequence() == 41);
  CHECK((*ledger.find(id_of(41)))->result == "result 41");
  CHECK_FALSE(*ledger.was_started({}));
  CHECK(ledger.recoveries()->empty());
}

TEST_CASE("the migrations give the schema that is written down") {
  TempDir dir;
  open(dir);
  auto migrated = *sql::Database::open(dir / "ledger.db", {});
  auto written = *sql::Database::open(dir / "written.db", {});
  std::ifstream file(OBSERVEAI_EXECUTOR_SCHEMA);
  std::stringstream text;
  text << file.rdbuf();
  REQUIRE(written.execute(text.str()));
  CHECK(*sql::describe_schema(migrated) == *sql::describe_schema(written));
}

TEST_CASE("a ledger that cannot be opened says so") {
  TempDir dir;
  std::ofstream(dir / "ledger.db") << std::string(4096, 'x');
  CHECK(!Ledger::open(dir / "ledger.db", kEnrollment));
  CHECK(!Ledger::open(dir / "no/such/ledger.db", kEnrollment));
}
