// Real journal files, written by systemd-journal-remote from the export format, and journals that
// tests can rotate, vacuum and damage.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

namespace observeai::test {

inline constexpr const char* kJournalRemote = "/lib/systemd/systemd-journal-remote";

struct ExportEntry {
  std::uint64_t realtime_us = 0;
  std::uint64_t monotonic_us = 0;
  std::string boot = "0123456789abcdef0123456789abcdef";
  std::map<std::string, std::string> fields;

  // https://systemd.io/JOURNAL_EXPORT_FORMATS: values with control characters in binary form.
  std::string text() const {
    std::string out = "__REALTIME_TIMESTAMP=" + std::to_string(realtime_us) +
                      "\n__MONOTONIC_TIMESTAMP=" + std::to_string(monotonic_us) +
                      "\n_BOOT_ID=" + boot + "\n";
    for (const auto& [name, value] : fields) {
      out += name;
      if (value.find_first_of(std::string_view("\n\0", 2)) == std::string::npos) {
        out += "=" + value + "\n";
        continue;
      }
      out += '\n';
      for (unsigned shift = 0; shift < 64; shift += 8)
        out += static_cast<char>((static_cast<std::uint64_t>(value.size()) >> shift) & 0xFF);
      out += value + "\n";
    }
    return out + "\n";
  }
};

// One writer of one journal file; write() returns when the program has taken the bytes, finish() when
// the file is complete.
class JournalFileWriter {
 public:
  explicit JournalFileWriter(const std::string& path) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[0], 0);
      const int null = ::open("/dev/null", O_WRONLY);
      ::dup2(null, 1);
      ::dup2(null, 2);
      const std::string output = "--output=" + path;
      ::execl(kJournalRemote, kJournalRemote, output.c_str(), "--split-mode=none", "-", nullptr);
      ::_exit(127);
    }
    ::close(ends[0]);
    fd_ = ends[1];
  }
  ~JournalFileWriter() { finish(); }
  JournalFileWriter(const JournalFileWriter&) = delete;
  JournalFileWriter& operator=(const JournalFileWriter&) = delete;

  bool write(const ExportEntry& entry) {
    const std::string text = entry.text();
    std::size_t at = 0;
    while (at < text.size()) {
      const auto n = ::write(fd_, text.data() + at, text.size() - at);
      if (n <= 0) return false;
      at += static_cast<std::size_t>(n);
    }
    return true;
  }
  // In a forked child: the program ends when nobody else holds its input.
  void abandon() {
    ::close(fd_);
    pid_ = -1;
  }
  // True: the program ended well.
  bool finish() {
    if (pid_ <= 0) return false;
    ::close(fd_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t pid_ = -1;
  int fd_ = -1;
};

}  // namespace observeai::test
