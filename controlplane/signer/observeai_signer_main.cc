#include "controlplane/signer/program.h"

int main(int argc, char** argv) {
  return observeai::controlplane::signer::run_signer_program(argc, argv);
}
