// The options of observeai root and observeai approver.
#pragma once

#include <functional>

#include "controlplane/cli/root_commands.h"

namespace CLI {
class App;
}

namespace observeai::controlplane::cli {

class RootConsole {
 public:
  using Local = std::function<Result<void>(LocalContext&)>;
  using Remote = std::function<Result<void>(Context&)>;

  // Adds the commands to `app`; which one was chosen is told to one of the two.
  RootConsole(CLI::App& app, bool& json, std::function<void(Local)> local,
              std::function<void(Remote)> remote);

 private:
  using LocalCommand = Result<void> (*)(LocalContext&, const RootOptions&);
  CLI::App* command(CLI::App* parent, const char* name, const char* help, LocalCommand what);
  CLI::App* remote_command(CLI::App* parent, const char* name, const char* help, Remote what);
  void add_ceremony(CLI::App* root);
  void add_changes(CLI::App* root);
  void add_approver(CLI::App& app);
  void with_directory(CLI::App* sub);
  void with_passphrase(CLI::App* sub);
  void with_delegation(CLI::App* sub);

  bool& json_;
  const std::function<void(Local)> local_;
  const std::function<void(Remote)> remote_;
  RootOptions options_;
};

}  // namespace observeai::controlplane::cli
