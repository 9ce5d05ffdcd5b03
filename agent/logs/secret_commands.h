// Passwords on command lines whose options do not say so: mysql -px, sshpass -p x, redis-cli -a x,
// net use … /user:bob x. Pure; each looks at a bounded stretch around its anchor.
#pragma once

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

void add_command_anchors(SecretPrefilter& filter, std::uint16_t tag);
SecretSpan match_command(std::string_view text, std::size_t at);

// AUTH of Redis and SMTP, in capitals: AUTH x, AUTH user x, "AUTH" "x", AUTH PLAIN x. Anchor: "uth ".
SecretSpan match_auth_command(std::string_view text, std::size_t at);

}  // namespace observeai::agent
