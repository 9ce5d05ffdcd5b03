#include "agent/executor/program.h"

int main(int argc, char** argv) {
  return observeai::agent::executor::run_executor_program(argc, argv);
}
