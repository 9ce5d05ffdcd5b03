// Every way of rotation, with the agent up, down across one rotation, and down across several: no line
// is lost, none comes twice. What nobody could read any more is reported.
#include <doctest/doctest.h>

#include <cstdlib>
#include <random>
#include <string>

#include "tests/support/temp_dir.h"
#include "tests/unit/agent/logs/log_agent.h"
#include "tests/unit/agent/logs/rotating_writer.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
using test::RotatingWriter;
using test::Turn;

namespace {

enum class Agent { kUp, kDownOnce, kDownLong };

struct Row {
  const char* name;
  Turn turn;
  LogFormat format;
  bool half_lines = false;
  bool partials = false;
  bool in_order = true;
  std::size_t excused_up = 0;  // Lines that may be missing with the agent up: those between copies
};

const std::vector<Row>& rows() {
  constexpr auto kPlain = LogFormat::kPlain;
  constexpr auto kDocker = LogFormat::kDockerJson;
  constexpr auto kCri = LogFormat::kCri;
  static const std::vector<Row> all{
      {"plain: rename, create", Turn::kRenameCreate, kPlain},
      {"plain: rename, late close", Turn::kRenameLateClose, kPlain, false, false, false},
      {"plain: copytruncate", Turn::kCopyTruncate, kPlain, false, false, true, 1000},
      {"plain: dateext, gzip", Turn::kDateGzip, kPlain},
      {"plain: symbolic link moved on", Turn::kSymlinkSwap, kPlain},
      {"plain: removed and created, inode reused", Turn::kInodeReuse, kPlain},
      {"plain: replaced by a shorter file", Turn::kReplaceShorter, kPlain},
      {"plain: replaced by a longer file", Turn::kReplaceLonger, kPlain},
      {"plain: replaced by a file of equal length", Turn::kReplaceEqual, kPlain},
      {"plain: truncated, shorter", Turn::kTruncateShorter, kPlain},
      {"plain: truncated, longer", Turn::kTruncateLonger, kPlain},
      {"plain: truncated, of equal length", Turn::kTruncateEqual, kPlain},
      {"plain: last line without end", Turn::kRenameCreate, kPlain, true},
      {"docker: rename, create", Turn::kRenameCreate, kDocker},
      {"docker: max-file=1", Turn::kUnlink, kDocker},
      {"docker: max-file=3, compress", Turn::kDockerCompress, kDocker},
      {"docker: pieces of both streams", Turn::kRenameCreate, kDocker, false, true},
      {"docker: pieces, compress", Turn::kDockerCompress, kDocker, false, true},
      {"docker: copytruncate", Turn::kCopyTruncate, kDocker, false, false, true, 1000},
      {"kubelet: renamed with the time, older ones compressed", Turn::kKubelet, kCri},
      {"kubelet: pieces of both streams", Turn::kKubelet, kCri, false, true},
      {"cri: inode reused", Turn::kInodeReuse, kCri},
  };
  return all;
}

struct Outcome {
  test::OracleLines::Verdict out;
  test::OracleLines::Verdict err;
  std::size_t came = 0;
  std::size_t reports = 0;  // logs.gap and logs.truncated
  std::size_t truncations = 0;
  bool ledger_right = false;
};

class Run {
 public:
  Run(const Row& row, Agent when, unsigned seed)
      : row_(row),
        when_(when),
        seed_(seed),
        random_(seed * 31 + 7),
        agent_(clock_, store_, options()) {}

  Outcome outcome() {
    if (row_.format == LogFormat::kDockerJson) agent_.add_container("c1", log_path());
    agent_.start();
    agent_.read_and_commit(1);
    RotatingWriter writer(log_path(), row_.turn, row_.format, seed_, world());
    writer_ = &writer;
    writer.set_half_lines(row_.half_lines);
    writer.set_partials(row_.partials);
    writer.write_lines(row_.partials ? 100 : 20);
    hear();
    for (int i = 0; i < (when_ == Agent::kDownOnce ? 2 : 4); ++i) {
      if (when_ != Agent::kUp && i == 1) {
        agent_.read_and_commit(1 + random_() % 2000);
        agent_.kill();
        excuse_gone();
        writer.write_lines(10);
      }
      writer.rotate();
      if (agent_.up()) hear();
      writer.write_lines(static_cast<int>(5 + random_() % 20));
    }
    if (!agent_.up()) agent_.start();
    writer.write_lines(5);
    writer.finish();
    agent_.drain(12);
    return judge(writer);
  }

 private:
  std::string log_path() const {
    return row_.turn == Turn::kSymlinkSwap ? dir_ / "current.log" : dir_ / "app.log";
  }
  LogCollectorOptions options() const {
    LogCollectorOptions options;
    options.idle_flush = 24h;
    if (row_.format == LogFormat::kPlain) options.files.plain = {log_path()};
    if (row_.format == LogFormat::kCri) options.files.cri = {log_path()};
    return options;
  }

  void act(bool may_pass_time) {
    if (!agent_.up()) return;
    switch (random_() % 6) {
      case 0:
        agent_.collector().on_wake();
        break;
      case 1:
        if (may_pass_time) clock_.advance(250ms);
        break;
      case 2:
        agent_.read_and_commit(1 + random_() % 3000);
        break;
      case 3:
        (void)agent_.collector().read(1 + random_() % 3000);
        if (random_() % 2 == 0) agent_.collector().rollback();
        break;
      default:
        break;
    }
  }
  // The agent knows of the files that are there.
  void hear() {
    clock_.advance(2s);
    agent_.collector().on_wake();
    agent_.read_and_commit(1);
  }
  RotatingWriter::World world() {
    return {[this] { act(true); }, [this] { act(false); },
            [this](RotatingWriter::Loss loss, int file) {
              gone_.push_back(file);
              if (!agent_.up()) {
                excuse_gone();
              } else if (loss == RotatingWriter::Loss::kTruncated) {
                agent_.drain();
              }
            }};
  }

  // With the agent went what it held open of deleted files.
  void excuse_gone() {
    for (const auto file : gone_) {
      writer_->out().excuse_file(file, store_.records);
      writer_->err().excuse_file(file, store_.records);
    }
  }

  Outcome judge(RotatingWriter& writer) const {
    std::vector<wire::LogRecord> out;
    std::vector<wire::LogRecord> err;
    for (const auto& record : store_.records)
      (record.stream == wire::LogStream::kStderr ? err : out).push_back(record);
    Outcome outcome;
    outcome.out = writer.out().judge(out);
    outcome.err = writer.err().judge(err);
    outcome.came = store_.records.size();
    outcome.truncations = store_.event_count("logs.truncated");
    outcome.reports = outcome.truncations + store_.event_count("logs.gap");
    outcome.ledger_right = store_.counted_records == store_.records.size();
    return outcome;
  }

  const Row& row_;
  const Agent when_;
  const unsigned seed_;
  std::mt19937 random_;
  const test::TempDir dir_;
  ManualClock clock_;
  test::LogStore store_;
  test::LogAgent agent_;
  RotatingWriter* writer_ = nullptr;
  std::vector<int> gone_;  // Files without a name
};

void check(const Row& row, Agent when) {
  const char* seeds = std::getenv("OBSERVEAI_LOG_SEEDS");
  const auto last = seeds == nullptr ? 3U : static_cast<unsigned>(std::atoi(seeds));
  for (unsigned seed = 1; seed <= last; ++seed) {
    const std::string name = row.name;
    CAPTURE(name);
    CAPTURE(static_cast<int>(when));
    CAPTURE(seed);
    Run run(row, when, seed);
    const auto outcome = run.outcome();
    for (const auto* verdict : {&outcome.out, &outcome.err}) {
      CHECK(verdict->lost.size() == 0);
      CHECK(verdict->doubled.size() == 0);
      // Of a line whose first pieces went with their file, the others come.
      CHECK(verdict->damaged <= (row.partials ? verdict->excused.size() : 0));
      if (row.in_order) CHECK(verdict->in_order);
    }
    const auto excused = outcome.out.excused.size() + outcome.err.excused.size();
    if (when == Agent::kUp) CHECK(excused <= row.excused_up);
    if (excused > 0) CHECK(outcome.reports > 0);
    if (row.turn == Turn::kCopyTruncate) CHECK(outcome.truncations > 0);
    CHECK(outcome.came > 10);
    CHECK(outcome.ledger_right);
  }
}

}  // namespace

TEST_CASE("rotation matrix, the agent is up") {
  for (const auto& row : rows()) check(row, Agent::kUp);
}
TEST_CASE("rotation matrix, the agent is down across one rotation") {
  for (const auto& row : rows()) check(row, Agent::kDownOnce);
}
TEST_CASE("rotation matrix, the agent is down across several rotations") {
  for (const auto& row : rows()) check(row, Agent::kDownLong);
}

TEST_CASE("the oracle of the matrix notices a loss, a copy, a change and a wrong order") {
  test::OracleLines lines("out");
  std::vector<wire::LogRecord> records;
  for (int i = 0; i < 5; ++i) {
    records.emplace_back();
    records.back().text = lines.next(0, 10);
  }
  CHECK(lines.judge(records).exact());
  auto planted = records;
  planted.erase(planted.begin() + 2);
  CHECK(lines.judge(planted).lost == std::vector<int>{2});
  planted = records;
  planted.push_back(records[3]);
  CHECK(lines.judge(planted).doubled == std::vector<int>{3});
  planted = records;
  planted[1].text.back() = '!';
  CHECK(lines.judge(planted).damaged == 1);
  CHECK(lines.judge(planted).lost == std::vector<int>{1});
  planted = records;
  std::swap(planted[1], planted[2]);
  CHECK_FALSE(lines.judge(planted).in_order);
  lines.excuse_from(4);
  planted = records;
  planted.pop_back();
  CHECK(lines.judge(planted).exact());
  CHECK(lines.judge(planted).excused == std::vector<int>{4});
}
