// What hosts report that a prediction may have been about. Pure.
#pragma once

#include <optional>

#include "controlplane/model/predictions.h"
#include "controlplane/model/records.h"

namespace observeai::controlplane::outlook {

struct Happening {
  AgentId agent;
  wire::Target target;
  std::string
      kind;  // predict::name(): what was exhausted; "": a program ended with an error, why is not told
  std::int64_t ts_ms = 0;
  std::string text;  // For people
};

// Empty: of no concern. OOM kills by the container's limit are of "container_memory", those by the host's
// of "host_memory"; an exit with an error code that is no signal that people send (INT, TERM, KILL) and no
// OOM kill has no kind, nor has a unit that systemd had to start again.
std::optional<Happening> happening_of(const model::EventRow& row);

// Who ends with an error with so much of a limit used ended by it, as far as anybody can tell.
inline constexpr double kNearlyExhausted = 0.9;

// Whether it ends what is open for this resource, of whose limit this share was used. An end without a
// kind is that of its errors, and of what was nearly exhausted.
bool concerns(const Happening& happening, const model::ResourceName& resource, double share);

}  // namespace observeai::controlplane::outlook
