#include "controlplane/cli/passphrase.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <string_view>

#include "protocol/base/files.h"

namespace observeai::controlplane::cli {
namespace {

constexpr std::size_t kMaxPassphraseBytes = 1024;

// The controlling terminal, with echo off until the end of the scope.
class QuietTerminal {
 public:
  QuietTerminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC)) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_quiet_ = ::tcsetattr(fd_, TCSAFLUSH, &quiet) == 0;
  }
  ~QuietTerminal() {
    if (is_quiet_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) ::close(fd_);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

  Result<std::string> ask(const std::string& prompt) {
    if (!is_quiet_) {
      return Error(Errc::kInvalid,
                   "there is no terminal to ask for a passphrase on; name a file with "
                   "--passphrase-file");
    }
    say(prompt);
    std::string line;
    char c = 0;
    while (line.size() < kMaxPassphraseBytes && ::read(fd_, &c, 1) == 1 && c != '\n') line += c;
    say("\n");
    return line;
  }

 private:
  void say(std::string_view text) const {
    [[maybe_unused]] const auto written = ::write(fd_, text.data(), text.size());
  }
  int fd_;
  bool is_quiet_ = false;
  termios before_{};
};

Result<std::string> first_line(const std::string& file) {
  TRY(auto text, files::read(file, kMaxPassphraseBytes + 2));
  text.resize(std::min(text.size(), text.find('\n')));
  if (text.empty()) return Error(Errc::kInvalid, file + " has no passphrase in its first line");
  return text;
}

}  // namespace

Result<std::optional<std::string>> new_passphrase(const PassphraseSource& source,
                                                  const std::string& of) {
  if (source.none) return std::optional<std::string>();
  std::string passphrase;
  if (!source.file.empty()) {
    TRY(passphrase, first_line(source.file));
  } else {
    QuietTerminal terminal;
    TRY(passphrase, terminal.ask("Passphrase for " + of + ": "));
    TRY(const auto again, terminal.ask("The same again: "));
    if (again != passphrase) return Error(Errc::kInvalid, "the two passphrases differ");
  }
  if (passphrase.size() < kMinPassphraseBytes) {
    return Error(Errc::kInvalid, "a passphrase has at least " +
                                     std::to_string(kMinPassphraseBytes) + " characters");
  }
  return std::optional<std::string>(std::move(passphrase));
}

Result<std::string> known_passphrase(const PassphraseSource& source, const std::string& of) {
  if (!source.file.empty()) return first_line(source.file);
  QuietTerminal terminal;
  return terminal.ask("Passphrase of " + of + ": ");
}

Result<bool> is_sealed(const std::string& key_file) {
  TRY(const auto text, files::read(key_file, 4096));
  return text.find(" SEALED SECRET KEY-----") != std::string::npos;
}

}  // namespace observeai::controlplane::cli
