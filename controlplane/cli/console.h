// The program `observeai`: options in, exit code out.
#pragma once

namespace observeai::controlplane::cli {

// Documented in --help; scripts rely on them.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,       // The control plane answered with an error
  kUsage = 2,        // Wrong options or arguments
  kUnreachable = 3,  // No answer
  kNotAllowed = 4,  // Not logged in, the role may not, or the server is not the one we logged in to
  kNotFound = 5,    // No such host, container, token ...
};

int run_console(int argc, char** argv);

}  // namespace observeai::controlplane::cli
