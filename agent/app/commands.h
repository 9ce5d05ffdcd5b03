// The command line of observeai-agent.
#pragma once

namespace observeai::agent {

// Documented in docs/operations.md; service managers rely on kBug.
enum ExitCode : int { kOk = 0, kFailed = 1, kUsage = 2, kBug = 75 };

int run_agent_program(int argc, char** argv);

}  // namespace observeai::agent
