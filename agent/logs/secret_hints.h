// One quick pass over a line that tells which of the slower ones can find anything. Pure; any thread.
#pragma once

#include <string_view>

namespace observeai::agent {

// Never false where the pass in question would find something.
struct SecretHints {
  bool escape = false;       // ESC, which begins a colour code
  bool card_number = false;  // next_card_number(): 13 digits, some perhaps with a joint between
  bool run = false;          // next_random_run(): kMinRun bytes of its class
};

SecretHints secret_hints(std::string_view text);

}  // namespace observeai::agent
