// The command line of observeai-signer.
#pragma once

namespace observeai::controlplane::signer {

enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2 };

int run_signer_program(int argc, char** argv);

}  // namespace observeai::controlplane::signer
