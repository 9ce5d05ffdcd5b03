#include "protocol/config/command_line.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "protocol/base/text.h"

namespace observeai::config {

int explain_parse_error(CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  if (error.get_exit_code() == 0) return app.exit(error);
  std::string problem = error.what();
  // That a command is missing is no help to who mistyped an option before it.
  const bool says_what_is_missing = error.get_name() == "RequiredError";
  std::optional<std::string> near;
  const CLI::App* where = &app;
  std::string path = app.get_name();
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const std::string stem = word.substr(0, word.find('='));
    std::vector<std::string> known;
    if (stem.starts_with("--")) {
      for (const auto* option : where->get_options()) {
        for (const auto& name : option->get_lnames()) known.push_back("--" + name);
      }
    } else if (!stem.starts_with("-")) {
      for (const auto* sub : where->get_subcommands({})) known.push_back(sub->get_name());
    }
    if (known.empty()) continue;
    if (std::find(known.begin(), known.end(), stem) != known.end()) {
      if (!stem.starts_with("--")) {
        where = where->get_subcommand(stem);
        path += " " + stem;
      }
      continue;
    }
    if (!stem.starts_with("--"))
      problem = "unknown command \"" + text::escape_unprintable(stem, 60) + "\"";
    else if (says_what_is_missing)
      problem = "unknown option \"" + text::escape_unprintable(stem, 60) + "\"";
    near = text::nearest(stem, known);
    break;
  }
  std::cerr << app.get_name() << ": " << problem << "\n";
  if (near) std::cerr << "Did you mean \"" << *near << "\"?\n";
  std::cerr << "See: " << path << " --help\n";
  return kUsageExitCode;
}

}  // namespace observeai::config
