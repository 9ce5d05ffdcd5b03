// Secrets that show by the name they are given: password=x, "api_key": "x", secret: x, --token x,
// <password>x</password>. Pure.
#pragma once

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// Anchors inside the key words (e.g. "assw" of password).
void add_assignment_anchors(SecretPrefilter& filter, std::uint16_t tag);
// The value's span, when the identifier around text[at] names a secret and a value follows.
SecretSpan match_assignment(std::string_view text, std::size_t at);

// The word for "password" in languages that are not written in ASCII.
void add_foreign_anchors(SecretPrefilter& filter, std::uint16_t tag);
SecretSpan match_foreign_name(std::string_view text, std::size_t at);

}  // namespace observeai::agent
