// The command line of observeai-executor.
#pragma once

namespace observeai::agent::executor {

int run_executor_program(int argc, char** argv);

}  // namespace observeai::agent::executor
