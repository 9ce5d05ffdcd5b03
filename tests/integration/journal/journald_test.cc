// A real journald with folders of its own (a private mount namespace): users' files, rotation, the
// move from /run to /var, vacuum, and being killed, while the journal is read.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "tests/integration/journal/journal_drain.h"
#include "tests/support/temp_dir.h"

using namespace observeai;
using namespace observeai::test;
namespace fs = std::filesystem;

namespace {

constexpr const char* kJournald = "/lib/systemd/systemd-journald";
constexpr const char* kJournalctl = "/bin/journalctl";
constexpr const char* kSocket = "/run/systemd/journal/socket";
constexpr uid_t kUser = 12345;  // Has files of its own in the journal

[[noreturn]] void skip(const char* why) {
  std::printf("skipped: %s\n", why);
  std::exit(77);
}

pid_t start(const std::vector<std::string>& arguments) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  std::vector<char*> raw;
  for (const auto& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  ::execv(raw[0], raw.data());
  ::_exit(127);
}
bool run(const std::vector<std::string>& arguments) {
  int status = 0;
  ::waitpid(start(arguments), &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// /run, /var/log and journald's configuration are this process's own from here on.
void enter_private_mounts() {
  static const bool entered = [] {
    if (::geteuid() != 0) skip("needs root");
    if (!fs::exists(kJournald) || !fs::exists(kJournalctl)) skip("needs systemd-journald");
    if (!fs::exists("/etc/machine-id")) skip("needs /etc/machine-id");
    if (::unshare(CLONE_NEWNS) != 0) skip("needs mount namespaces");
    const bool mounted = ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                         ::mount("tmpfs", "/run", "tmpfs", 0, "mode=755") == 0 &&
                         ::mount("tmpfs", "/var/log", "tmpfs", 0, "mode=755") == 0 &&
                         ::mount("tmpfs", "/etc/systemd", "tmpfs", 0, "mode=755") == 0;
    if (!mounted) skip("needs to mount tmpfs");
    std::ofstream("/etc/systemd/journald.conf")
        << "[Journal]\nStorage=persistent\nSplitMode=uid\nRateLimitIntervalSec=0\nReadKMsg=no\n"
           "Audit=no\nForwardToSyslog=no\nForwardToWall=no\nSystemMaxFileSize=1M\n"
           "RuntimeMaxFileSize=1M\nSystemMaxUse=64M\nRuntimeMaxUse=64M\n";
    return true;
  }();
  CHECK(entered);
}

class Journald {
 public:
  Journald() {
    enter_private_mounts();
    for (const char* folder : {"/run/log/journal", "/var/log/journal", "/run/systemd"})
      fs::remove_all(folder);
    fs::create_directories("/run/systemd/journal");
    restart();
  }
  ~Journald() { end(SIGTERM); }

  void restart() {
    fs::remove(kSocket);
    pid_ = start({kJournald});
    for (int i = 0; i < 1000 && !fs::exists(kSocket); ++i) ::usleep(5'000);
    REQUIRE(fs::exists(kSocket));
  }
  void end(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // Whatever was sent is in the files afterwards.
  static void sync() { REQUIRE(run({kJournalctl, "--sync"})); }
  static void rotate() { REQUIRE(run({kJournalctl, "--rotate"})); }
  static void flush() { REQUIRE(run({kJournalctl, "--flush"})); }
  static void vacuum() { REQUIRE(run({kJournalctl, "--vacuum-files=1"})); }

 private:
  pid_t pid_ = -1;
};

bool send(const std::string& source, std::uint64_t seq) {
  return sd_journal_send("MESSAGE=%s", oracle_line(source, seq).c_str(), "PRIORITY=6",
                         "SYSLOG_IDENTIFIER=%s", source.c_str(), nullptr) >= 0;
}

// Lines of a user's process: they go to the user's own files, with numbers of the same counter.
class UserSender {
 public:
  UserSender() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::close(ends[1]);
      if (::setgid(kUser) != 0 || ::setuid(kUser) != 0) ::_exit(1);
      std::uint64_t seq = 0;
      while (::read(ends[0], &seq, sizeof seq) == sizeof seq) {
        if (!send("user", seq)) ::_exit(2);
      }
      ::_exit(0);
    }
    ::close(ends[0]);
    fd_ = ends[1];
  }
  void send_line(std::uint64_t seq) { REQUIRE(::write(fd_, &seq, sizeof seq) == sizeof seq); }
  // True: all lines were sent.
  bool finish() {
    ::close(fd_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  void abandon() { ::close(fd_); }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

struct Written {
  std::map<std::string, std::uint64_t> counts{{"root", 0}, {"user", 0}};
  void root(int count) {
    for (int i = 0; i < count; ++i) REQUIRE(send("root", counts["root"]++));
  }
  void user(UserSender& sender, int count) {
    for (int i = 0; i < count; ++i) sender.send_line(counts["user"]++);
  }
};

std::uint64_t never_read(const SpoolContent& content) {
  const auto found = content.ledger.find("log/journal");
  if (found == content.ledger.end()) return 0;
  const auto& dropped = found->second.records_dropped;
  return dropped.contains("never_read") ? dropped.at("never_read") : 0;
}

void check_nothing_lost(const SpoolContent& content, const Written& written) {
  const auto verdict = judge(content.records, written.counts);
  CHECK(verdict.lost == 0);
  CHECK(verdict.doubled == 0);
  CHECK(verdict.damaged == 0);
  CHECK(content.is_balanced());
  CHECK(never_read(content) == 0);
}

}  // namespace

TEST_CASE("users' files, rotation, and the move from /run to /var, with readers that are killed") {
  Journald journald;
  TempDir folder;
  Written written;
  UserSender user;
  std::mt19937 random(5);
  for (int round = 0; round < 20; ++round) {
    const pid_t reader = ::fork();
    if (reader == 0) {
      user.abandon();
      JournalDrain drain("", folder / "spool");
      for (;;) {
        if (drain.step()) ::usleep(500);
      }
    }
    for (int part = 0; part < 4; ++part) {
      written.root(static_cast<int>(random() % 40));
      written.user(user, static_cast<int>(random() % 20));
      ::usleep(random() % 4000);
      if (round % 4 == 2 && part == 1) Journald::rotate();
      if (round == 7 && part == 2) Journald::flush();
    }
    ::usleep(random() % 30'000);
    ::kill(reader, SIGKILL);
    ::waitpid(reader, nullptr, 0);
  }
  REQUIRE(user.finish());
  Journald::sync();
  JournalDrain drain("", folder / "spool");
  const auto before = SpoolContent(drain.spool()).records.size();
  drain.to_end();
  const SpoolContent content(drain.spool());
  MESSAGE("committed by the killed readers: " << before << " of " << content.records.size());
  CHECK(before > 0);
  check_nothing_lost(content, written);
  CHECK(content.events_of("logs.gap") == 0);
}

TEST_CASE("one reader through rotation and vacuum of what it has read") {
  Journald journald;
  Journald::flush();
  TempDir folder;
  Written written;
  UserSender user;
  JournalDrain drain("", folder / "spool");
  for (int round = 0; round < 8; ++round) {
    written.root(300);
    written.user(user, 30);
    drain.step();
    Journald::rotate();
    written.root(50);
    Journald::sync();
    drain.to_end();
    Journald::vacuum();
  }
  REQUIRE(user.finish());
  Journald::sync();
  drain.to_end();
  const SpoolContent content(drain.spool());
  check_nothing_lost(content, written);
  CHECK(content.events_of("logs.gap") == 0);
  CHECK(drain.errors == 0);
}

TEST_CASE("what vacuum removes unread is counted to the entry") {
  Journald journald;
  Journald::flush();
  TempDir folder;
  Written written;
  {
    JournalDrain drain("", folder / "spool");
    written.root(100);
    Journald::sync();
    drain.to_end();
  }
  written.root(500);
  Journald::rotate();
  Journald::sync();
  Journald::vacuum();
  written.root(20);
  Journald::sync();
  JournalDrain drain("", folder / "spool");
  drain.to_end();
  const SpoolContent content(drain.spool());
  const auto verdict = judge(content.records, written.counts);
  CHECK(verdict.doubled == 0);
  CHECK(verdict.damaged == 0);
  CHECK(verdict.lost == 500);
  // journald's own words on rotation may be among what went.
  CHECK(never_read(content) >= 500);
  CHECK(never_read(content) <= 505);
  CHECK(content.events_of("logs.gap") == 1);
  CHECK(content.is_balanced());
}

TEST_CASE("journald is killed and starts anew") {
  Journald journald;
  Journald::flush();
  TempDir folder;
  Written written;
  JournalDrain drain("", folder / "spool");
  for (int round = 0; round < 5; ++round) {
    written.root(100);
    Journald::sync();
    if (round % 2 == 0) drain.to_end();
    journald.end(SIGKILL);
    journald.restart();
    Journald::flush();
    written.root(30);
    Journald::sync();
    drain.to_end();
  }
  const SpoolContent content(drain.spool());
  check_nothing_lost(content, written);
}

TEST_CASE("a writer and a reader at full speed") {
  Journald journald;
  Journald::flush();
  TempDir folder;
  Written written;
  JournalDrain drain("", folder / "spool");
  std::atomic<bool> done = false;
  std::thread writer([&] {
    written.root(20'000);
    done = true;
  });
  while (!done) drain.step();
  writer.join();
  Journald::sync();
  drain.to_end();
  const SpoolContent content(drain.spool());
  check_nothing_lost(content, written);
  CHECK(drain.errors == 0);
  MESSAGE("second looks: " << drain.second_looks << ", opened " << drain.reader().opened());
}
