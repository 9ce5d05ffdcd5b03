// Secrets without a form of their own: long values that no person and no counter makes. Pure.
#pragma once

#include <string_view>

#include "agent/logs/secret_detectors.h"

namespace observeai::agent {

// Runs of token characters shorter than this are not looked at: 160 random bits have 27 characters in
// base64, and Twilio's keys 34.
inline constexpr std::size_t kMinRun = 34;
// A longer run is looked at in pieces of this size, for each find in it costs a look at the rest.
inline constexpr std::size_t kMaxRun = 16U << 10;
inline constexpr std::uint16_t kRunClass = chars::kUrlSafe | chars::kDot | chars::kBase64;

// The first token at or after `from` that has no anchor: forms made of parts (Discord, Twilio, Mailgun,
// Airtable), and values of 40 to 128 characters that mix upper case, lower case and digits at random.
// Not: hashes and ids in hex, lines of certificates, base64 data, and what a public name (etag=,
// sha512-, kid=, page_token=) stands before.
SecretSpan next_random_run(std::string_view text, std::size_t from);

// For the value of a suspicious name (license_key=, salt=): at least 16 characters of letters and digits
// that change as random ones do; no UUID.
bool is_random_value(std::string_view value);

}  // namespace observeai::agent
