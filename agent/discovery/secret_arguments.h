// Secrets in command lines and labels that show by where they stand, not by what they look like. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/discovery/docker_json.h"

namespace observeai::agent {

// The arguments joined by blanks, with passwords taken out: the values of password options of known
// tools (mysql -pX, sshpass -p X, redis-cli -a X, curl -u user:X, openssl -passin pass:X), of any
// option whose name ends in a word for password, and what `redact` finds in the rest. An argument that
// is itself a command line ("sh", "-c", "mysql -pX") is looked at word by word. "" without `redact`.
std::string redacted_command(const std::vector<std::string_view>& arguments,
                             const RedactText& redact, std::size_t limit);

// The value of a label, environment style: "db.password" says what the value is. When the name stands
// for a secret, the whole value is hidden.
std::string redacted_label(std::string_view name, std::string_view value, const RedactText& redact,
                           std::size_t limit);

}  // namespace observeai::agent
