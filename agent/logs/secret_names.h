// Names that a secret stands behind: password, client_secret, apiKey. Pure.
#pragma once

#include <string>
#include <string_view>

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// Keys are compared in lower case without '_', '-' and '.'.
struct KeyWord {
  std::string_view ending;
  std::string_view kind;
};

// `key` in the form in which names are compared; digits at its end do not count: password2.
std::string normalized_key(std::string_view key);
// What the end of a normalized key says, the longest ending first; nullptr when it names no secret.
const KeyWord* find_key_word(const std::string& key);

}  // namespace observeai::agent
