// The event for logs that should be collected and cannot be read.
#pragma once

#include <string>
#include <utility>

#include "protocol/wire/signals.h"

namespace observeai::agent {

// `attributes` say which logs: {"path", ...} or {"source", ...}.
inline wire::Event unreadable_logs(std::int64_t now_ms, wire::Severity severity,
                                   std::string message, wire::Labels attributes) {
  return {now_ms,   "logs.unreadable",  wire::kHostTarget,
          severity, std::move(message), std::move(attributes)};
}

}  // namespace observeai::agent
