// What is damaged: only what is really gone is given up, and it is told exactly.
#include <sys/stat.h>

#include "agent/spool/manifest.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"
#include "protocol/sql/database.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/agent/spool/spool_fixture.h"

using namespace observeai;
using namespace observeai::agent;
using namespace observeai::agent::spool_test;
using wire::Lane;

namespace {

constexpr std::uint64_t kQuota = 16U << 20;
constexpr std::uint64_t kBatches = 200;  // Some segments

std::string body_of(std::uint64_t number) {
  return std::to_string(number) + "|" + std::string(9'000, static_cast<char>('a' + number % 26));
}

// Batch i has i records; the checkpoint is the number of the last batch, and so much was dropped.
void commit_logs(Spool& spool, std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t i = first; i <= last; ++i) {
    CommitUnit unit;
    unit.batches = {counted_batch(Lane::kLogs, body_of(i), i)};
    unit.checkpoints = {{"source", std::to_string(i)}};
    wire::LedgerEntry entry;
    entry.source = "source";
    entry.as_of_seq = i;
    entry.records_read = entry.records_spooled = i * (i + 1) / 2;
    entry.records_dropped = {{"sampled", i}};
    unit.ledger = {entry};
    const auto given = spool.commit(unit);
    if (!given) FAIL(given.error().message());
    REQUIRE(given->at(0) == i);
  }
}

// Every number is there once, as it was written or as the loss of exactly its records. Returns how many
// are lost.
std::size_t check_all(Spool& spool, std::uint64_t last, bool counted = true) {
  std::size_t lost = 0;
  const auto batches = all_batches(spool, Lane::kLogs);
  REQUIRE(batches.size() == last);
  for (std::uint64_t i = 1; i <= last; ++i) {
    const auto& batch = batches[i - 1];
    CHECK(batch.header.seq == i);
    if (batch.header.codec == wire::Codec::kZstd) {
      CHECK(batch.body == body_of(i));
      continue;
    }
    ++lost;
    const auto notice = loss_in(batch);
    CHECK(notice.reason == wire::loss_reasons::kDamaged);
    if (counted)
      CHECK(notice.sources == std::vector<wire::LossNotice::Source>{{"source", i, 10 * i}});
  }
  return lost;
}

std::int64_t root_page(const std::string& path, const std::string& table) {
  sql::OpenOptions options;
  options.exclusive = true;
  auto database = sql::Database::open(path, options).value();
  return database.scalar(0, "SELECT rootpage FROM sqlite_schema WHERE name=?", table).value();
}

bool contains(const std::vector<std::string>& kinds, const std::string& kind) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

}  // namespace

TEST_CASE("one flipped byte of a body is one batch lost, told once, also while running") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  commit_logs(*spool, 1, kBatches);
  CHECK(check_all(*spool, kBatches) == 0);
  const auto segments = segments_of(dir.path(), Lane::kLogs);
  REQUIRE(segments.size() > 2);
  spool.reset();
  // The body of batch 5 is 'f's: the only place with so many.
  std::string bytes = files::read(segments[0]).value();
  const auto at = bytes.find(std::string(1'000, 'f'));
  REQUIRE(at != std::string::npos);
  overwrite(segments[0], static_cast<std::streamoff>(at + 500), 1);
  spool = open_spool(dir.path(), limits_of(kQuota));
  CHECK(spool->take_notices().empty());
  CHECK(check_all(*spool, kBatches) == 1);
  CHECK(check_all(*spool, kBatches) == 1);
  CHECK(spool->counters().batches_damaged == 1);
  CHECK(notice_kinds(*spool) == std::vector<std::string>{"spool.damaged"});
  commit_logs(*spool, kBatches + 1, kBatches + 1);
}

TEST_CASE("any one page of an ended segment: what is gone is counted exactly, the rest is sent") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  {
    auto spool = open_spool(dir.path(), limits_of(kQuota));
    commit_logs(*spool, 1, kBatches);
  }
  const auto segment = segments_of(dir.path(), Lane::kLogs).at(1);
  const std::string whole = files::read(segment).value();
  std::size_t most = 0;
  for (std::size_t page = 0; page < whole.size() / kSegmentPageBytes; ++page) {
    overwrite(segment, static_cast<std::streamoff>(page * kSegmentPageBytes), kSegmentPageBytes);
    {
      auto spool = open_spool(dir.path(), limits_of(kQuota));
      most = std::max(most, check_all(*spool, kBatches));
      CHECK(spool->checkpoints().value().at(0).state == std::to_string(kBatches));
      CHECK(spool->counters().epochs_begun == 0);
    }
    std::filesystem::remove_all(dir / "spool.aside-1");
    REQUIRE(files::write_atomic(segment, whole, 0600));
    if (page == 20) page = whole.size() / kSegmentPageBytes - 20;  // Bodies are all alike
  }
  CHECK(most > 1);  // Pages above the bodies
  CHECK(most < kBatches / 2);
}

TEST_CASE("any one page of the newest segment: numbers, checkpoints and ledger stay") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  constexpr std::uint64_t kFew = 20;
  {
    auto spool = open_spool(dir / "spool", limits_of(kQuota));
    commit_logs(*spool, 1, kFew);
  }
  const std::string template_folder = dir / "template";
  std::filesystem::copy(dir / "spool", template_folder);
  const auto segment = segments_of(dir / "spool", Lane::kLogs).at(0);
  const std::size_t pages = std::filesystem::file_size(segment) / kSegmentPageBytes;
  int new_epochs = 0;
  for (std::size_t page = 0; page < pages; ++page) {
    CAPTURE(page);
    overwrite(segment, static_cast<std::streamoff>(page * kSegmentPageBytes), kSegmentPageBytes);
    auto spool = open_spool(dir / "spool", limits_of(kQuota));
    if (spool->counters().epochs_begun > 0) {
      ++new_epochs;  // The first page, or the one that names the segment
    } else {
      CHECK(check_all(*spool, kFew) <= kFew);
      CHECK(spool->state().next_seq[2] == kFew + 1);
      CHECK(spool->checkpoints().value().at(0).state == std::to_string(kFew));
      CHECK(spool->ledger().value().at(0).records_read == kFew * (kFew + 1) / 2);
      commit_logs(*spool, kFew + 1, kFew + 3);
      CHECK(spool->checkpoints().value().at(0).state == std::to_string(kFew + 3));
    }
    spool.reset();
    std::filesystem::remove_all(dir / "spool");
    std::filesystem::copy(template_folder, dir / "spool");
  }
  CHECK(new_epochs <= 2);
}

TEST_CASE("ended segments that are missing, emptied or cut: their successors know what is gone") {
  test::FaultVfs without_syncs;
  for (const int how : {0, 1, 2}) {
    CAPTURE(how);
    test::TempDir dir;
    {
      auto spool = open_spool(dir.path(), limits_of(kQuota));
      commit_logs(*spool, 1, kBatches);
    }
    const auto segment = segments_of(dir.path(), Lane::kLogs).at(1);
    if (how == 0) REQUIRE(std::filesystem::remove(segment));
    if (how == 1) std::filesystem::resize_file(segment, 0);
    if (how == 2) std::filesystem::resize_file(segment, std::filesystem::file_size(segment) / 2);
    auto spool = open_spool(dir.path(), limits_of(kQuota));
    const auto lost = check_all(*spool, kBatches);
    CHECK(lost > 5);
    CHECK(lost < kBatches / 2);
    CHECK(spool->checkpoints().value().at(0).state == std::to_string(kBatches));
    commit_logs(*spool, kBatches + 1, kBatches + 30);
    REQUIRE(spool->acknowledge({0, 0, kBatches + 30, 0}));
    CHECK(all_batches(*spool, Lane::kLogs).empty());
    CHECK(segments_of(dir.path(), Lane::kLogs).size() <= 2);
  }
}

TEST_CASE("the newest segment gone: a new epoch, in which what is left is told with its origin") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  Epoch before;
  {
    auto spool = open_spool(dir.path(), limits_of(kQuota));
    before = spool->state().epoch;
    commit_logs(*spool, 1, kBatches);
    REQUIRE(spool->acknowledge({0, 0, 3, 0}));
    REQUIRE(spool->set_fact("agent", "me"));
  }
  const auto segments = segments_of(dir.path(), Lane::kLogs);
  REQUIRE(std::filesystem::remove(segments.back()));
  for (int restart = 0; restart < 2; ++restart) {
    auto spool = open_spool(dir.path(), limits_of(kQuota));
    CHECK(spool->state().epoch != before);
    CHECK(spool->state().oldest_seq[2] == 1);
    const auto batches = all_batches(*spool, Lane::kLogs);
    CHECK(batches.size() == spool->state().next_seq[2] - 1);
    CHECK(batches.size() > kBatches / 2);
    for (std::uint64_t i = 0; i < batches.size(); ++i) {
      CHECK(batches[i].header.seq == i + 1);
      CHECK(batches[i].header.epoch == spool->state().epoch);
      CHECK(batches[i].body == body_of(i + 4));
      CHECK(batches[i].header.origin == wire::BatchOrigin{before, i + 4});
    }
    CHECK(spool->fact("agent").value() == std::optional<std::string>("me"));
    const auto kinds = notice_kinds(*spool);
    CHECK(contains(kinds, "spool.epoch") == (restart == 0));
    CHECK(contains(kinds, "spool.damaged") == (restart == 0));
    // What is read again after the older checkpoint goes under numbers of the new epoch.
    CHECK(spool->checkpoints().value().at(0).state == std::to_string(batches.size() + 3));
  }
}

TEST_CASE("how much of which source is in a batch is known while it is pending") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  commit_logs(*spool, 1, 3);
  REQUIRE(spool->acknowledge({0, 0, 1, 0}));
  CHECK(spool->counts_of(Lane::kLogs, 1).empty());
  CHECK(spool->counts_of(Lane::kLogs, 3) == std::vector<SourceCount>{{"source", 3, 30}});
  CHECK(spool->counts_of(Lane::kLogs, 4).empty());
  CHECK(spool->counts_of(Lane::kTraces, 1).empty());
}

TEST_CASE("a segment that never had a batch leaves what it knew of the one before it") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  commit_logs(*spool, 1, 3);
  REQUIRE(spool->acknowledge({0, 0, 1, 0}));
  for (int i = 0; i < 3; ++i) REQUIRE(spool->begin_epoch());
  spool.reset();
  REQUIRE(remove_segment(segments_of(dir.path(), Lane::kLogs).front()));
  spool = open_spool(dir.path(), limits_of(kQuota));
  const auto batches = all_batches(*spool, Lane::kLogs);
  REQUIRE(batches.size() == 2);
  for (std::uint64_t i = 0; i < 2; ++i) {
    const std::vector<wire::LossNotice::Source> gone{{"source", i + 2, 10 * (i + 2)}};
    CHECK(loss_in(batches[i]).sources == gone);
  }
}

namespace {

// A spool whose newest segment of logs is taken away.
struct LosesLogs {
  // What docs/adr/0009 says of a few logs: 2 s, and 10 ms for each row of the copy before.
  static constexpr std::chrono::milliseconds kCopyEvery{2'050};

  test::TempDir dir;
  ManualClock clock;
  std::unique_ptr<Spool> spool;

  // Batches 1 to 10, of which 4 are acknowledged: a copy of after 10 is taken, and not yet written.
  LosesLogs() {
    open();
    commit_logs(*spool, 1, 10);
    REQUIRE(spool->acknowledge({0, 0, 4, 0}));
  }
  void open() {
    spool.reset();
    auto opened = Spool::open(dir.path(), limits_of(kQuota), clock);
    if (!opened) FAIL(opened.error().message());
    spool = std::move(*opened);
  }
  void copy_after_10() { REQUIRE(spool->acknowledge({0, 0, 10, 0})); }
  void copy_after_15() {
    commit_logs(*spool, 11, 15);
    clock.advance(kCopyEvery);
    REQUIRE(spool->acknowledge({0, 0, 15, 0}));
  }
  // As after kill -9: what is only done when the spool is closed was not done. Returns the checkpoint; what
  // was dropped is known as of it.
  std::uint64_t lose_newest() {
    const std::string image = dir.path() + "-image";
    std::filesystem::copy(dir.path(), image);
    spool.reset();
    std::filesystem::remove_all(dir.path());
    std::filesystem::rename(image, dir.path());
    const auto newest = segments_of(dir.path(), Lane::kLogs).back();
    REQUIRE(remove_segment(newest));
    open();
    CHECK(contains(notice_kinds(*spool), "spool.epoch"));
    const auto found = spool->checkpoints().value();
    const auto checkpoint = found.empty() ? 0 : text::parse_u64(found.at(0).state).value();
    std::uint64_t dropped = 0;
    const auto ledger = spool->ledger().value();
    for (const auto& entry : ledger) dropped += entry.records_dropped.at("sampled");
    CHECK(dropped == checkpoint);
    return checkpoint;
  }
};

}  // namespace

TEST_CASE("the newest segment of logs gone: reading goes on behind what was acknowledged") {
  test::FaultVfs without_syncs;
  LosesLogs world;
  SUBCASE("before any copy") {
    CHECK(world.lose_newest() == 0);
  }
  SUBCASE("all acknowledged") {
    world.copy_after_10();
    CHECK(world.lose_newest() == 10);
  }
  SUBCASE("between two copies the older one counts") {
    world.copy_after_10();
    commit_logs(*world.spool, 11, 15);
    world.clock.advance(std::chrono::seconds(1));
    REQUIRE(world.spool->acknowledge({0, 0, 14, 0}));
    CHECK(world.lose_newest() == 10);
  }
  SUBCASE("a newer copy") {
    world.copy_after_10();
    world.copy_after_15();
    CHECK(world.lose_newest() == 15);
  }
  SUBCASE("closed in order the copy is of the end") {
    world.copy_after_10();
    world.copy_after_15();
    CommitUnit other;
    other.checkpoints = {{"source", "16"}};
    other.ledger.emplace_back().source = "source";
    other.ledger[0].records_dropped = {{"sampled", 16}};
    REQUIRE(world.spool->commit(other));
    world.open();
    CHECK(world.lose_newest() == 16);
  }
  SUBCASE("what the segment before it knows is newer") {
    world.copy_after_10();
    world.copy_after_15();
    commit_logs(*world.spool, 16, kBatches);
    REQUIRE(world.spool->acknowledge({0, 0, 16, 0}));
    const auto checkpoint = world.lose_newest();
    CHECK(checkpoint > kBatches / 2);
    // That 16 was acknowledged is not on the disk yet.
    CHECK(checkpoint == 15 + all_batches(*world.spool, Lane::kLogs).size());
  }
  SUBCASE("in a later epoch, after one that was lost in the same way") {
    world.copy_after_10();
    world.copy_after_15();
    REQUIRE(world.spool->begin_epoch());
    CHECK(world.lose_newest() == 15);
    commit_logs(*world.spool, 1, 3);
    CHECK(world.lose_newest() == 15);
    commit_logs(*world.spool, 1, 3);
    world.clock.advance(LosesLogs::kCopyEvery);
    REQUIRE(world.spool->acknowledge({0, 0, 3, 0}));
    CHECK(world.lose_newest() == 3);
  }
}

TEST_CASE("the manifest lost, cut or damaged: made anew, nothing else is lost") {
  test::FaultVfs without_syncs;
  for (const int how : {0, 1, 2}) {
    CAPTURE(how);
    test::TempDir dir;
    Epoch before;
    {
      auto spool = open_spool(dir.path(), limits_of(kQuota));
      before = spool->state().epoch;
      commit_logs(*spool, 1, kBatches);
    }
    const std::string manifest = Manifest::path_in(dir.path());
    if (how == 0) REQUIRE(std::filesystem::remove(manifest));
    if (how == 1) std::filesystem::resize_file(manifest, 100);
    if (how == 2) overwrite(manifest, 0, 8192);
    auto spool = open_spool(dir.path(), limits_of(kQuota));
    CHECK(spool->state().epoch == before);
    CHECK(check_all(*spool, kBatches) == 0);
    commit_logs(*spool, kBatches + 1, kBatches + 1);
  }
}

TEST_CASE("one copy of the manifest is enough") {
  test::TempDir dir;
  const ManifestContent first{Epoch{{1}}, {1, 2, 3, 4}, {5, 6, 7, 8}, 9};
  auto manifest = Manifest::create(dir.path(), first).value();
  ManifestContent second = first;
  for (std::uint64_t i = 10; i < 20; ++i) {
    second.acked[0] = i;
    REQUIRE(manifest.write(second));
    CHECK(Manifest::load(dir.path()).value()->content().acked[0] == i);
  }
  const std::string path = Manifest::path_in(dir.path());
  const std::string whole = files::read(path).value();
  for (const std::streamoff at : {0, 4096}) {
    overwrite(path, at + 20, 1);
    const auto loaded = Manifest::load(dir.path()).value();
    REQUIRE(loaded);
    CHECK(loaded->content().acked[0] >= 18);
    CHECK(loaded->content().acked[3] == 8);
    REQUIRE(files::write_atomic(path, whole, 0600));
  }
}

TEST_CASE("damage met by the writer ends the segment, not the program") {
  test::FaultVfs without_syncs;
  test::TempDir dir;
  auto spool = open_spool(dir.path(), limits_of(kQuota));
  commit_logs(*spool, 1, 10);
  spool.reset();
  const auto segment = segments_of(dir.path(), Lane::kLogs).at(0);
  const auto page = root_page(segment, "progress");
  spool = open_spool(dir.path(), limits_of(kQuota));
  overwrite(segment, (page - 1) * static_cast<std::int64_t>(kSegmentPageBytes), kSegmentPageBytes);
  // Its cache still has the page: only another connection sees the damage.
  spool.reset();
  spool = open_spool(dir.path(), limits_of(kQuota));
  commit_logs(*spool, 11, 20);
  CHECK(check_all(*spool, 20) == 0);
  CHECK(spool->counters().writers_replaced == 1);
  CHECK(segments_of(dir.path(), Lane::kLogs).size() == 2);
}
