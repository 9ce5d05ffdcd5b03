// Pure values that pass between the agent's modules; no I/O here.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "protocol/wire/signals.h"

namespace observeai::agent {

// A container as this host sees it: what is reported plus what only the agent needs.
struct ObservedContainer {
  wire::Container facts;
  std::string log_path;  // json-file path from the runtime's inspect; "" for other log drivers
};

// One value on its way to the series dictionary.
struct Sample {
  wire::Target target;
  std::string name;
  wire::Labels labels;  // Sorted by name
  wire::MetricKind kind = wire::MetricKind::kGauge;
  double value = 0;
};

// Where a file source has been read to, committed in the same transaction as the records before it.
// `state` is opaque to the spool (identity, hashes, offset: agent/logs owns the format).
struct SourceCheckpoint {
  std::string source;  // "log/container/<id>"
  std::string state;
};

// What one source has read and lost since the last commit: added to its ledger entry with the next one.
struct SourceCounts {
  std::string source;  // "log/container/<id>"
  std::uint64_t records_read = 0;
  std::uint64_t bytes_read = 0;                          // As read, before decoding
  std::map<std::string, std::uint64_t> records_dropped;  // By reason
  std::map<std::string, std::uint64_t> bytes_dropped;  // By reason; bytes that no record stands for
};

// Lines that a target has logged since the agent began.
struct LogLines {
  wire::Target target;
  std::uint64_t errors = 0;  // That call themselves so
  std::uint64_t others = 0;
};

// The wire target of a container.
inline wire::Target container_target(const std::string& id) {
  return "container/" + id;
}

}  // namespace observeai::agent
