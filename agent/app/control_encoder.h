// Control signals as batches of lane 0.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

class ControlEncoder {
 public:
  explicit ControlEncoder(std::int64_t now_ms) : now_ms_(now_ms) {}

  // Small control traffic, the usual case, travels as one batch; else one kind after the other, in
  // the order in which they are to be applied: lane 0 is delivered in order. Nothing when there are
  // no signals. An error is none of the signals' fault.
  Result<void> add(const wire::ControlBatch& signals);

  std::vector<PendingBatch> batches;
  std::vector<std::string> refused;  // What no batch can hold, and why

 private:
  Result<PendingBatch> encode(const wire::ControlBatch& signals) const;
  template <class Kind, class Shrink>
  Result<void> add_kind(const wire::ControlBatch& signals, Kind kind, const Shrink& shrink);

  const std::int64_t now_ms_;
};

}  // namespace observeai::agent
