// Replaces secrets by [REDACTED:<kind>] before a line is committed to disk or sent. Immutable after
// construction, any thread. Hand-written matchers with bounded look-ahead: time grows with the
// length of the line. It fails closed: when a bound of its own is reached, the whole line is
// replaced by [REDACTED:line of N bytes].
//
// Stages: a pass over all 4-byte windows (secret_prefilter.h) finds the few places where a detector
// may begin; detectors (secret_detectors.h, secret_tokens.h, secret_assignments.h) look there; runs
// of digits are checked for card numbers, long runs for tokens without a name (secret_entropy.h), if
// one look at all bytes (secret_hints.h) found such.
// Clean text costs the passes only. Colour codes are no obstacle: a line that has some is looked at
// without them. What is known, how well, and what is not: docs/formats/redaction.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/logs/secret_detectors.h"
#include "agent/logs/secret_hints.h"

namespace observeai::agent {

// Longer texts are replaced whole.
inline constexpr std::size_t kMaxRedactBytes = 4U << 20;
// More secrets than this in one line: replaced whole.
inline constexpr std::size_t kMaxSecretsPerLine = 4096;
// Lines that a private key block may go on for after its BEGIN line (RSA-8192 has about 100).
inline constexpr std::uint32_t kMaxKeyBlockLines = 128;

class Redactor {
 public:
  Redactor();
  ~Redactor();
  Redactor(Redactor&&) noexcept;
  Redactor& operator=(Redactor&&) noexcept;

  // False: nothing to replace, `out` untouched.
  bool redact(std::string_view text, std::string& out) const;

  // As redact(), for lines that follow each other in one stream: a private key block is logged as
  // many lines, and those after BEGIN look harmless. `key_lines_left` starts as 0 and is kept with
  // the stream, also over restarts.
  bool redact_line(std::string_view text, std::uint32_t& key_lines_left, std::string& out) const;

 private:
  struct Tables;
  // False: a bound was reached, the whole line has to go.
  bool find(std::string_view text, const SecretHints& hints, std::vector<SecretSpan>& spans) const;

  std::unique_ptr<const Tables> tables_;
};

// For single texts such as command lines.
std::string redact(std::string_view text);

}  // namespace observeai::agent
