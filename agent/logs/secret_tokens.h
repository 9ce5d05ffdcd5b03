// Tokens that show by a fixed piece of text, most often their beginning, with the published length and
// alphabet of what surrounds it. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// Adds the anchors of all shapes; the tags are `first_tag` plus the number of the shape.
void add_token_anchors(SecretPrefilter& filter, std::uint16_t first_tag);
// The token of shape `shape`, whose anchor stands at text[at].
SecretSpan match_token(std::size_t shape, std::string_view text, std::size_t at);
// The token that begins at text[begin], of any shape: for who found a value by other means.
SecretSpan token_at(std::string_view text, std::size_t begin);

}  // namespace observeai::agent
