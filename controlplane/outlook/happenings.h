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

// Whether it ends what is open for this resource.
bool concerns(const Happening& happening, const model::ResourceName& resource);

}  // namespace observeai::controlplane::outlook
