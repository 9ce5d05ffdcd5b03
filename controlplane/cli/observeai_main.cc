#include "controlplane/cli/console.h"

int main(int argc, char** argv) {
  return observeai::controlplane::cli::run_console(argc, argv);
}
