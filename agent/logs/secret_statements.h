// Secrets that show by their place: in statements of SQL, and among the arguments of a call or a command.
// Pure; each looks at a bounded stretch around its anchor.
#pragma once

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// IDENTIFIED BY 'x', IDENTIFIED WITH plugin BY 'x', IDENTIFIED BY x. Anchor: "ifie".
SecretSpan match_identified(std::string_view text, std::size_t at);

// The value in the row that belongs to a column whose name names a secret:
// INSERT INTO users (name, password) VALUES ('bob', 'x'). Anchor: "valu", of VALUES.
SecretSpan match_inserted(std::string_view text, std::size_t at);

void add_call_anchors(SecretPrefilter& filter, std::uint16_t tag);
// The argument that is the secret: mysqli_connect('db', 'root', 'x'), pgp_sym_encrypt(data, 'x').
SecretSpan match_call(std::string_view text, std::size_t at);

}  // namespace observeai::agent
