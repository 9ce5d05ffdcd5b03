// What is in an agent's spool, decoded.
#pragma once

#include <string>
#include <vector>

#include "agent/spool/spool.h"
#include "protocol/wire/batch_codec.h"

namespace observeai::test {

inline constexpr std::size_t kMostSpooled = 10'000;

inline std::vector<wire::ControlBatch> spooled_control(agent::Spool& spool) {
  std::vector<wire::ControlBatch> all;
  const auto batches = spool.read(wire::Lane::kControl, 0, kMostSpooled, SIZE_MAX).value();
  for (const auto& batch : batches)
    all.push_back(wire::decode_control(batch.body, batch.header.codec).value());
  return all;
}

inline std::vector<wire::Event> spooled_events(agent::Spool& spool) {
  std::vector<wire::Event> all;
  for (auto& control : spooled_control(spool))
    all.insert(all.end(), control.events.begin(), control.events.end());
  return all;
}

inline std::vector<std::string> spooled_texts(agent::Spool& spool) {
  std::vector<std::string> all;
  const auto batches = spool.read(wire::Lane::kLogs, 0, kMostSpooled, SIZE_MAX).value();
  for (const auto& batch : batches) {
    const auto logs = wire::decode_logs(batch.body, batch.header.codec).value();
    for (const auto& record : logs.records) all.push_back(record.text);
  }
  return all;
}

}  // namespace observeai::test
