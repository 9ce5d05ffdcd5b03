#include "controlplane/app/commands.h"

int main(int argc, char** argv) {
  return observeai::controlplane::run_controlplane_program(argc, argv);
}
