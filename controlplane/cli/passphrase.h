// Passphrases of key files: from a file or a terminal without echo, never from the command line, where
// other users of the machine would see them.
#pragma once

#include <optional>
#include <string>

#include "protocol/base/result.h"

namespace observeai::controlplane::cli {

struct PassphraseSource {
  std::string file;   // "" = ask on the terminal
  bool none = false;  // The key is not sealed
};

// For a new key: asked twice; at least kMinPassphraseBytes. nullopt: not sealed. kInvalid: no terminal
// and no file, the two differ, too short.
inline constexpr std::size_t kMinPassphraseBytes = 8;
Result<std::optional<std::string>> new_passphrase(const PassphraseSource& source,
                                                  const std::string& of);
// For a key that exists, "" = it is not sealed.
Result<std::string> known_passphrase(const PassphraseSource& source, const std::string& of);
// Whether the key in this file is sealed with a passphrase.
Result<bool> is_sealed(const std::string& key_file);

}  // namespace observeai::controlplane::cli
