#include "protocol/config/program.h"

#include <iostream>

#include <CLI/CLI.hpp>

#include "protocol/config/command_line.h"

namespace observeai::config {

Program::Program(const ProgramTexts& texts)
    : texts_(texts), app_(std::make_unique<CLI::App>(texts.summary, texts.name)) {
  app_->require_subcommand(1);
  app_->set_version_flag("--version", std::string(texts.name) + " " + OBSERVEAI_VERSION);
  app_->footer(texts.exit_codes);
}

Program::~Program() = default;

CLI::App& Program::command(const char* name, const char* help, std::function<int()> what) {
  CLI::App* sub = app_->add_subcommand(name, help);
  sub->add_option("-c,--config", named_file_,
                  std::string("Settings (default ") + texts_.settings_file + ", if it is there)");
  sub->callback([this, what = std::move(what)] { what_ = what; });
  return *sub;
}

std::string Program::settings_file() const {
  return named_file_.empty() ? texts_.settings_file : named_file_;
}

int Program::run(int argc, char** argv, const std::function<int()>& prepare) {
  const CLI::App* version = app_->add_subcommand("version", "The version of this program");
  try {
    app_->parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return explain_parse_error(*app_, error, argc, argv);
  }
  if (version->parsed()) {
    std::cout << texts_.name << " " << OBSERVEAI_VERSION << "\n";
    return 0;
  }
  if (const int code = prepare ? prepare() : 0; code != 0) return code;
  return what_();
}

}  // namespace observeai::config
