// The options of `plan`, `approve`, `reject`, `commands`, `results` and `maintenance`.
#pragma once

#include <functional>
#include <string>

#include "controlplane/cli/plan_commands.h"

namespace CLI {
class App;
}

namespace observeai::controlplane::cli {

// Lives as long as the parser that it added its options to.
class PlanConsole {
 public:
  using Action = std::function<Result<void>(Context&)>;
  // Called when a command line names one of its commands.
  using Choose = std::function<void(Action)>;

  PlanConsole(CLI::App& app, bool& json, Choose choose);

 private:
  CLI::App* command(CLI::App& parent, const char* name, const char* help, Action action);
  void add_plan(CLI::App& app);
  void add_decisions(CLI::App& app);
  void add_looks(CLI::App& app);

  bool& json_;
  const Choose choose_;
  PlanOptions plan_;
  ApproveOptions approve_;
  std::string id_;
  std::string reason_;
  std::string duration_;
  bool clear_ = false;
  bool checks_ = false;
};

}  // namespace observeai::controlplane::cli
