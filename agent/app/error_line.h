// Whether a log line calls itself an error, by its own words. Pure; any bytes.
#pragma once

#include <string_view>

namespace observeai::agent {

// The level decides: a JSON or logfmt field ("level":"error", severity=fatal), klog's "E0102 ", else the
// first word of a level among the first bytes ("2026-01-01 ERROR x", "[error] x"; "INFO request failed:
// error 500" is none). Without any, an exception that begins the line is one. The stream does not
// matter: many write everything to stderr. At most kLevelFieldWithin bytes are looked at.
inline constexpr std::size_t kLevelWordWithin = 96;    // After a date, a host, a thread's name
inline constexpr std::size_t kLevelFieldWithin = 512;  // JSON loggers put the level anywhere
bool is_error_line(std::string_view line);

}  // namespace observeai::agent
