// The events about a container, as they are reported. Pure; times are nanoseconds since the epoch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/wire/signals.h"

namespace observeai::agent {

inline constexpr std::int64_t kMsToNs = 1'000'000;

// With image, name and, where known, service; severity and message are the caller's.
wire::Event event_about(const wire::Container& container, std::string kind, std::int64_t ts_ns);
// Replaces an attribute of that name; attributes stay sorted by name.
void set_attribute(wire::Event& event, const std::string& name, std::string value);
// Completes a "container.exit". No code: the engine did not tell it.
void describe_exit(wire::Event& event, const wire::Container& container, bool oom,
                   std::optional<std::int32_t> code);
wire::Event oom_event(const wire::Container& container, std::int64_t ts_ns);

}  // namespace observeai::agent
