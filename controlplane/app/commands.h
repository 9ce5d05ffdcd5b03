// The command line of observeai-controlplane.
#pragma once

namespace observeai::controlplane {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2 };

int run_controlplane_program(int argc, char** argv);

}  // namespace observeai::controlplane
