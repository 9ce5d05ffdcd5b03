#include "controlplane/cli/prediction_console.h"

#include <CLI/CLI.hpp>

namespace observeai::controlplane::cli {
namespace {

const std::vector<std::string> kKinds = {"container_memory", "host_memory",  "disk",
                                         "inodes",           "file_handles", "pids",
                                         "connections",      "certificate",  "errors"};

}  // namespace

PredictionConsole::PredictionConsole(CLI::App& app, bool& json, Choose choose)
    : json_(json), choose_(std::move(choose)) {
  CLI::App* list = command(app, "predictions", "What is foretold: what, when, how sure, what helps",
                           [this](Context& c) { return run_predictions(c); });
  auto* id = list->add_option("ID", id_, "One of them, with its plot and record");
  auto* all = list->add_flag("--all", all_, "Closed ones too, with their verdicts");
  auto* closed = list->add_flag("--closed", closed_, "Closed ones only");
  auto* prevented =
      list->add_flag("--prevented", prevented_, "What was averted, and when it would have come");
  all->excludes(closed)->excludes(prevented)->excludes(id);
  closed->excludes(prevented)->excludes(id);
  prevented->excludes(id);
  list->add_option("--host", options_.host, "Only this host (name or id)")->excludes(id);
  list->add_option("--kind", options_.kind, "Only this kind")
      ->check(CLI::IsMember(kKinds))
      ->excludes(id)
      ->excludes(prevented);

  CLI::App* predict = command(app, "predict", "What is followed; how good predictions were",
                              [this](Context& c) { return run_predict(c); });
  auto* enable = predict->add_flag("--enable", enable_, "Foretell failures (the default)");
  auto* disable = predict->add_flag("--disable", disable_, "Until --enable; open ones are closed");
  auto* accuracy = predict->add_flag("--accuracy", accuracy_, "Every prediction, scored");
  enable->excludes(disable)->excludes(accuracy);
  disable->excludes(accuracy);
  predict->add_option("--host", options_.host, "Accuracy on this host")->needs(accuracy);
  predict->add_option("--kind", options_.kind, "Accuracy of this kind")
      ->check(CLI::IsMember(kKinds))
      ->needs(accuracy);

  command(app, "incidents", "What a person should look at, with what would help",
          [this](Context& c) { return id_.empty() ? list_incidents(c) : show_incident(c, id_); })
      ->add_option("ID", id_, "Only this one");
}

CLI::App* PredictionConsole::command(CLI::App& parent, const char* name, const char* help,
                                     Action action) {
  CLI::App* sub = parent.add_subcommand(name, help);
  sub->add_flag("--json", json_, "The server's answer as JSON");
  sub->callback([this, action = std::move(action)] { choose_(action); });
  return sub;
}

Result<void> PredictionConsole::run_predictions(Context& context) {
  if (!id_.empty()) return show_prediction(context, id_);
  if (prevented_) return show_prevented(context, options_.host);
  options_.state = all_ ? "all" : closed_ ? "closed" : "open";
  return list_predictions(context, options_);
}

Result<void> PredictionConsole::run_predict(Context& context) {
  if (accuracy_) return show_accuracy(context, options_.host, options_.kind);
  if (enable_ || disable_) return enable_predictions(context, enable_);
  return show_outlook(context);
}

}  // namespace observeai::controlplane::cli
