// The command line that the programs of hosts and of the control plane share: commands which read one
// settings file, "version", wrong usage, exit codes.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace CLI {
class App;
}  // namespace CLI

namespace observeai::config {

struct ProgramTexts {
  const char* name;           // "observeai-agent"
  const char* summary;        // What it is for, a sentence
  const char* settings_file;  // Read when it is there and -c names no other
  const char* exit_codes =
      "Exit codes: 0 done, 1 failed (the message says why), 2 wrong usage or configuration.";
};

class Program {
 public:
  explicit Program(const ProgramTexts& texts);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  // `what` answers the exit code. For options of its own: the command as CLI11 knows it.
  CLI::App& command(const char* name, const char* help, std::function<int()> what);

  // The settings file to read, valid from within a command.
  std::string settings_file() const;
  bool must_exist() const { return !named_file_.empty(); }

  // Parses and runs one command; `prepare`, if any, runs before it, and ends the program by another answer
  // than 0. "version" needs no preparation.
  int run(int argc, char** argv, const std::function<int()>& prepare = nullptr);

 private:
  ProgramTexts texts_;
  std::unique_ptr<CLI::App> app_;
  std::string named_file_;
  std::function<int()> what_;
};

}  // namespace observeai::config
