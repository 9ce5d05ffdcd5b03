// The options of `predict`, `predictions` and `incidents`.
#pragma once

#include <functional>
#include <string>

#include "controlplane/cli/prediction_commands.h"

namespace CLI {
class App;
}

namespace observeai::controlplane::cli {

// Lives as long as the parser that it added its options to.
class PredictionConsole {
 public:
  using Action = std::function<Result<void>(Context&)>;
  // Called when a command line names one of its commands.
  using Choose = std::function<void(Action)>;

  PredictionConsole(CLI::App& app, bool& json, Choose choose);

 private:
  CLI::App* command(CLI::App& parent, const char* name, const char* help, Action action);
  Result<void> run_predictions(Context& context);
  Result<void> run_predict(Context& context);

  bool& json_;
  const Choose choose_;
  PredictionOptions options_;
  std::string id_;
  bool all_ = false;
  bool closed_ = false;
  bool prevented_ = false;
  bool enable_ = false;
  bool disable_ = false;
  bool accuracy_ = false;
};

}  // namespace observeai::controlplane::cli
