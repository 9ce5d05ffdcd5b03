// 50 logs that are rotated ten times a second each, half as the kubelet does it and half as logrotate
// does, while the collector reads and is killed and started anew every second. Every line must come
// once. Prints one JSON object; exit code 0 only when nothing is lost, doubled or changed, and when
// the oracle noticed a loss and a copy that were planted for it.
//   log_rotation_stress [--seconds 4] [--files 50] [--rotations 10] [--lines 20]
#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "agent/logs/log_collector.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent/logs/oracle_lines.h"

using namespace observeai;
using namespace observeai::agent;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct Settings {
  int seconds = 4;
  int files = 50;
  int rotations = 10;  // A second and file
  int lines = 20;      // A rotation
};

// Rotated files that stay: those of three seconds, however slow the machine is.
constexpr int kKeep = 30;

class RotatedLog {
 public:
  RotatedLog(const std::string& folder, int index)
      : cri_(index % 2 == 0),
        path_(folder + (cri_ ? "/pods/ns_p" + std::to_string(index) + "_u/c/0.log"
                             : "/plain/f" + std::to_string(index) + ".log")),
        lines_("s" + std::to_string(index)),
        random_(static_cast<unsigned>(index)) {
    fs::create_directories(fs::path(path_).parent_path());
    open();
  }

  wire::Target target() const {
    return log_target(path_, cri_ ? LogFormat::kCri : LogFormat::kPlain);
  }
  const test::OracleLines& lines() const { return lines_; }

  void write() {
    const auto text = lines_.next(0, 50 + random_() % 100);
    ++clock_;
    const auto time = "2026-11-21T07:45:" + std::to_string(10 + clock_ / 1'000'000 % 50) + "." +
                      std::to_string(1'000'000 + clock_ % 1'000'000) + "Z";
    const auto bytes = (cri_ ? time + " stdout F " + text : text) + "\n";
    const auto cut = random_() % bytes.size();
    file_ << bytes.substr(0, cut) << std::flush << bytes.substr(cut) << std::flush;
  }

  void rotate() {
    ++rotation_;
    if (cri_) {
      fs::rename(path_, dated(rotation_));
      if (rotation_ > kKeep) fs::remove(dated(rotation_ - kKeep));
    } else {
      for (int n = std::min(rotation_, kKeep) - 1; n >= 1; --n)
        fs::rename(numbered(n), numbered(n + 1));
      fs::rename(path_, numbered(1));
    }
    open();
  }

 private:
  void open() { file_ = std::ofstream(path_, std::ios::binary | std::ios::app); }
  std::string dated(int n) const { return path_ + "." + std::to_string(20'000'000'000'000 + n); }
  std::string numbered(int n) const { return path_ + "." + std::to_string(n); }

  const bool cri_;
  const std::string path_;
  test::OracleLines lines_;
  std::mt19937 random_;
  std::ofstream file_;
  int rotation_ = 0;
  long clock_ = 0;
};

struct Store {
  std::map<wire::Target, std::vector<wire::LogRecord>> records;
  std::map<std::string, std::string> checkpoints;
  std::size_t gaps = 0;

  void commit(LogRead read) {
    for (auto& record : read.records) records[record.target].push_back(std::move(record));
    for (auto& [source, state] : read.checkpoints) checkpoints[source] = std::move(state);
    for (const auto& source : read.forgotten_sources) checkpoints.erase(source);
    for (const auto& event : read.events) {
      if (event.kind != "logs.gap" && event.kind != "logs.truncated") continue;
      ++gaps;
      std::fprintf(stderr, "%s: %s\n", event.kind.c_str(), event.message.c_str());
    }
  }
};

class Reader {
 public:
  Reader(LogCollectorOptions options, Store& store) : options_(std::move(options)), store_(store) {
    start();
  }
  void start() {
    collector_ = std::make_unique<LogCollector>(clock_, options_);
    std::vector<SourceCheckpoint> checkpoints;
    for (const auto& [source, state] : store_.checkpoints) checkpoints.push_back({source, state});
    collector_->restore(checkpoints);
  }
  void turn() {
    pollfd wake{collector_->wake_fd(), POLLIN, 0};
    ::poll(&wake, 1, 50);
    collector_->on_wake();
    do {
      store_.commit(collector_->read(256U << 10));
      collector_->committed();
    } while (collector_->more());
  }
  // As kill -9: with a read that was not committed.
  void restart() {
    (void)collector_->read(64U << 10);
    start();
  }

 private:
  SystemClock clock_;
  LogCollectorOptions options_;
  Store& store_;
  std::unique_ptr<LogCollector> collector_;
};

bool oracle_notices(const test::OracleLines& lines, const std::vector<wire::LogRecord>& came) {
  auto lost = came;
  lost.erase(lost.begin() + static_cast<std::ptrdiff_t>(lost.size() / 2));
  auto doubled = came;
  doubled.push_back(came.front());
  return lines.judge(lost).lost.size() == 1 && lines.judge(doubled).doubled.size() == 1;
}

// Which lines, for whoever looks for the reason.
void tell(const wire::Target& target, const test::OracleLines::Verdict& verdict) {
  const auto list = [](const char* what, const std::vector<int>& lines) {
    if (lines.empty()) return;
    std::fprintf(stderr, " %s %zu:", what, lines.size());
    for (std::size_t i = 0; i < lines.size() && i < 8; ++i) std::fprintf(stderr, " %d", lines[i]);
    std::fprintf(stderr, " .. %d", lines.back());
  };
  std::fprintf(stderr, "%s:", target.c_str());
  list("lost", verdict.lost);
  list("doubled", verdict.doubled);
  std::fprintf(stderr, " damaged %zu%s\n", verdict.damaged, verdict.in_order ? "" : " disordered");
}

Settings parse(int argc, char** argv) {
  Settings settings;
  const std::map<std::string, int*> known{{"--seconds", &settings.seconds},
                                          {"--files", &settings.files},
                                          {"--rotations", &settings.rotations},
                                          {"--lines", &settings.lines}};
  for (int i = 1; i < argc; i += 2) {
    const auto option = known.find(argv[i]);
    if (option == known.end() || i + 1 == argc || std::atoi(argv[i + 1]) <= 0) {
      std::fprintf(
          stderr,
          "usage: log_rotation_stress [--seconds N] [--files N] [--rotations N] [--lines N]\n");
      std::exit(2);
    }
    *option->second = std::atoi(argv[i + 1]);
  }
  return settings;
}

}  // namespace

int main(int argc, char** argv) {
  const auto settings = parse(argc, argv);
  const test::TempDir dir;
  Store store;
  LogCollectorOptions options;
  options.files.plain = {dir / "plain/*.log"};
  options.files.cri = {dir / "pods/*/*/*.log"};
  options.files.read_existing = true;
  std::vector<std::unique_ptr<RotatedLog>> logs;
  for (int i = 0; i < settings.files; ++i)
    logs.push_back(std::make_unique<RotatedLog>(dir.path(), i));
  Reader reader(options, store);
  reader.turn();

  std::atomic<bool> done{false};
  const int rounds = settings.seconds * settings.rotations;
  std::thread writer([&] {
    auto next = std::chrono::steady_clock::now();
    for (int round = 0; round < rounds; ++round) {
      for (auto& log : logs) {
        for (int line = 0; line < settings.lines; ++line) log->write();
        log->rotate();
      }
      next += std::chrono::milliseconds(1000 / settings.rotations);
      std::this_thread::sleep_until(next);
    }
    done = true;
  });
  auto last_restart = std::chrono::steady_clock::now();
  int restarts = 0;
  while (!done) {
    reader.turn();
    if (std::chrono::steady_clock::now() - last_restart < 1s) continue;
    last_restart = std::chrono::steady_clock::now();
    reader.restart();
    ++restarts;
  }
  writer.join();
  for (auto& log : logs) log->write();
  for (int i = 0; i < 80; ++i) reader.turn();  // Four seconds: late writers are waited for

  std::size_t written = 0, lost = 0, doubled = 0, damaged = 0;
  bool ordered = true;
  for (const auto& log : logs) {
    const auto verdict = log->lines().judge(store.records[log->target()]);
    if (!verdict.exact()) tell(log->target(), verdict);
    written += static_cast<std::size_t>(log->lines().written());
    lost += verdict.lost.size();
    doubled += verdict.doubled.size();
    damaged += verdict.damaged;
    ordered = ordered && verdict.in_order;
  }
  const bool noticed = oracle_notices(logs[0]->lines(), store.records[logs[0]->target()]);
  std::printf(
      "{\"files\":%d,\"rotations\":%d,\"restarts\":%d,\"written\":%zu,\"lost\":%zu,"
      "\"doubled\":%zu,\"damaged\":%zu,\"in_order\":%s,\"gaps\":%zu,\"oracle_notices\":%s}\n",
      settings.files, rounds * settings.files, restarts, written, lost, doubled, damaged,
      ordered ? "true" : "false", store.gaps, noticed ? "true" : "false");
  return lost + doubled + damaged == 0 && ordered && noticed ? 0 : 1;
}
