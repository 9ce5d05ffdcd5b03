#include "agent/app/commands.h"

int main(int argc, char** argv) {
  return observeai::agent::run_agent_program(argc, argv);
}
