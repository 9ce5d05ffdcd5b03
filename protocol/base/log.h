// The log facade: the only spdlog in the project is behind log.cc. Messages are one line, without
// secrets; foreign text goes through printable(). Thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::log {

enum class Level { kDebug, kInfo, kWarning, kError };

// Call once at the start of a program; the default is kInfo to standard error. `program` prefixes
// every line. Lines carry no colour and, under systemd (JOURNAL_STREAM), no time.
void setup(std::string_view program, Level level);
Result<Level> parse_level(std::string_view name);  // debug, info, warning, error.

void debug(std::string_view message);
void info(std::string_view message);
void warning(std::string_view message);
void error(std::string_view message);
bool debug_enabled();

// `text` with control characters and invalid UTF-8 as \xNN, cut to `limit` bytes: safe to print.
std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace observeai::log
