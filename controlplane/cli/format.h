// How the console words times, amounts and states; shared by its commands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "controlplane/cli/terminal.h"

namespace observeai::controlplane::cli {

std::string ago(std::int64_t then_ms, std::int64_t now_ms);    // "3m 2s", "-" for never
std::string since(std::int64_t then_ms, std::int64_t now_ms);  // "3m 2s ago", "never"
std::string until(std::int64_t then_ms, std::int64_t now_ms);  // "in 59m", "expired", "never" for 0
std::string bytes_or_dash(std::optional<double> bytes);
std::string cores_or_dash(std::optional<double> cores);
std::string rate_or_dash(std::optional<double> per_second);
std::string local_clock(std::int64_t ts_ms);  // "14:02:03.123", with the date when not today
std::string short_id(const std::string& id);  // 12 characters
Cell state_cell(const std::string& state);    // Coloured by what the word means

}  // namespace observeai::controlplane::cli
