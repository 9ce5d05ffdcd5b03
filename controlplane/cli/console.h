// The program `observeai`: options in, exit code out.
#pragma once

namespace observeai::controlplane::cli {

// Documented in docs/man/observeai.1.md and in --help; scripts rely on them.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       // The control plane answered with an error
  kUsage = 2,        // Wrong options or arguments
  kUnreachable = 3,  // No answer, or the server is not the one we logged in to
  kNotAllowed = 4,   // Not logged in, or the role may not
  kNotFound = 5,     // No such host, container, token ...
};

int run_console(int argc, char** argv);

}  // namespace observeai::controlplane::cli
