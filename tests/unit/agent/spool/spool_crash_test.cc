// The promise of the spool: after kill -9 at any moment, batches and checkpoints agree exactly.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "protocol/base/text.h"
#include "tests/unit/agent/spool/spool_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using wire::Lane;

namespace {

constexpr int kKills = 30;
constexpr std::uint64_t kRecordsOfBatch = 3;

std::uint64_t number(std::string_view text) {
  return text::parse_u64(text).value_or(0);
}

// Commits numbered records until killed; a byte into `progress` after each unit. Every body is
// "<first record>-<last record>" and a filler that spans several pages.
[[noreturn]] void commit_until_killed(const std::string& directory, int progress) {
  static const ManualClock clock;
  auto spool = Spool::open(directory, limits_of(64U << 20), clock);
  if (!spool) ::_exit(1);
  const auto checkpoints = (*spool)->checkpoints();
  if (!checkpoints) ::_exit(2);
  std::uint64_t record = checkpoints->empty() ? 0 : number((*checkpoints)[0].state);
  for (std::uint64_t round = 1;; ++round) {
    CommitUnit unit;
    for (std::uint64_t i = 0; i <= round % 2; ++i) {
      const std::uint64_t first = record + 1;
      record += kRecordsOfBatch;
      unit.batches.push_back(
          batch_of(Lane::kLogs,
                   std::to_string(first) + "-" + std::to_string(record) + std::string(9000, '.')));
    }
    unit.checkpoints = {{"source", std::to_string(record)}};
    if (!(*spool)->commit(unit)) ::_exit(3);
    if (round % 10 == 0) {
      auto keep_last = all_of((*spool)->state());
      keep_last[2] -= 5;
      if (!(*spool)->acknowledge(keep_last)) ::_exit(4);
    }
    if (::write(progress, "x", 1) != 1) ::_exit(5);
  }
}

// Returns the last record committed.
std::uint64_t check_agreement(Spool& spool) {
  const auto checkpoints = spool.checkpoints().value();
  const auto batches = spool.read(Lane::kLogs, 0, 1'000'000, 1U << 30).value();
  if (checkpoints.empty()) {
    CHECK(batches.empty());
    return 0;
  }
  REQUIRE_FALSE(batches.empty());
  std::uint64_t next_record = 0;
  std::uint64_t next_seq = spool.state().oldest_seq[2];
  for (const auto& batch : batches) {
    CHECK(batch.header.seq == next_seq++);
    const auto dash = batch.body.find('-');
    const std::uint64_t first = number(batch.body.substr(0, dash));
    const std::uint64_t last = number(batch.body.substr(dash + 1, batch.body.find('.') - dash - 1));
    if (next_record != 0) CHECK(first == next_record);
    CHECK(last == first + kRecordsOfBatch - 1);
    CHECK(last == batch.header.seq * kRecordsOfBatch);  // Every record has one place, ever.
    next_record = last + 1;
  }
  CHECK(next_seq == spool.state().next_seq[2]);
  CHECK(number(checkpoints[0].state) == next_record - 1);
  return next_record - 1;
}

}  // namespace

TEST_CASE("after kill -9 at any moment the checkpoint is the highest record in the batches") {
  test::TempDir dir;
  std::mt19937_64 random(20260101);
  std::uint64_t committed = 0;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    int progress[2];
    REQUIRE(::pipe(progress) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(progress[0]);
      commit_until_killed(dir.path(), progress[1]);
    }
    ::close(progress[1]);
    // Units are reported before the kill; the spin moves the kill within the next unit.
    char byte = 0;
    for (auto units = random() % 25; units > 0; --units) {
      if (::read(progress[0], &byte, 1) != 1) break;
    }
    for (volatile std::uint64_t spin = random() % 400'000; spin > 0;) spin = spin - 1;
    REQUIRE(::kill(child, SIGKILL) == 0);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    ::close(progress[0]);
    REQUIRE(WIFSIGNALED(status));

    auto spool = open_spool(dir.path());
    CHECK(spool->take_notices().empty());
    const std::uint64_t now_committed = check_agreement(*spool);
    CHECK(now_committed >= committed);
    committed = now_committed;
  }
  CHECK(committed > 0);
}
