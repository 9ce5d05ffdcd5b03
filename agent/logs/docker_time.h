// Times of a json-file log, as nanoseconds since 1970. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace observeai::agent {

// RFC 3339. The daemon's own form, "2026-11-21T07:45:00.123456789Z", is quick, most of all when it
// is of the same second as the one before.
std::optional<std::int64_t> parse_docker_time(std::string_view text);

}  // namespace observeai::agent
