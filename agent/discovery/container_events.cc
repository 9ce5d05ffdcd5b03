#include "agent/discovery/container_events.h"

#include <algorithm>

#include "agent/core/observed.h"

namespace observeai::agent {

wire::Event event_about(const wire::Container& container, std::string kind, std::int64_t ts_ns) {
  wire::Event event;
  event.ts_ms = ts_ns / kMsToNs;
  event.kind = std::move(kind);
  event.target = container_target(container.id);
  event.attributes = {{"image", container.image}, {"name", container.name}};
  if (!container.service.empty()) event.attributes.push_back({"service", container.service});
  return event;
}
void set_attribute(wire::Event& event, const std::string& name, std::string value) {
  for (auto& attribute : event.attributes) {
    if (attribute.name == name) {
      attribute.value = std::move(value);
      return;
    }
  }
  event.attributes.push_back({name, std::move(value)});
  std::sort(event.attributes.begin(), event.attributes.end());
}

void describe_exit(wire::Event& event, const wire::Container& container, bool oom,
                   std::optional<std::int32_t> code) {
  set_attribute(event, "oom", oom ? "true" : "false");
  set_attribute(event, "exit_code", code ? std::to_string(*code) : "unknown");
  event.message = "container " + container.name + " exited";
  if (code) event.message += " with code " + std::to_string(*code);
  constexpr int kSignalBase = 128;  // How shells and runtimes encode "killed by a signal".
  if (code && *code > kSignalBase && *code <= kSignalBase + 64) {
    const std::string signal = std::to_string(*code - kSignalBase);
    set_attribute(event, "signal", signal);
    event.message += " (signal " + signal + ")";
  }
  if (oom) event.message += ", out of memory";
  event.severity = oom                   ? wire::Severity::kError
                   : !code || *code != 0 ? wire::Severity::kWarning
                                         : wire::Severity::kInfo;
}

wire::Event oom_event(const wire::Container& container, std::int64_t ts_ns) {
  wire::Event event = event_about(container, "container.oom", ts_ns);
  event.severity = wire::Severity::kError;
  event.message = "a process of container " + container.name +
                  " was killed because the container reached its memory limit";
  if (container.memory_limit_bytes > 0) {
    set_attribute(event, "memory_limit_bytes", std::to_string(container.memory_limit_bytes));
  }
  return event;
}

}  // namespace observeai::agent
