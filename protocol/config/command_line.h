// How every program of ours answers a wrong command line: what is wrong, the nearest known word,
// where help is. (CLI11 knows the first only.)
#pragma once

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace observeai::config {

inline constexpr int kUsageExitCode = 2;

// Prints help (exit code 0) or the explanation (kUsageExitCode) and returns the exit code.
int explain_parse_error(CLI::App& app, const CLI::ParseError& error, int argc, char** argv);

}  // namespace observeai::config
