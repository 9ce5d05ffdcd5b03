// From the newest values of a host to resources with a limit. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/wire/signals.h"

namespace observeai::predict {

// Stored as numbers and shown by name: append only.
enum class Kind : std::uint8_t {
  kContainerMemory = 1,  // ends in an OOM kill
  kHostMemory = 2,
  kDiskBytes = 3,
  kDiskInodes = 4,
  kFileHandles = 5,
  kPids = 6,
  kConnections = 7,
  kCertificate = 8,  // reaches its notAfter
  kErrors = 9,       // A rising rate of errors ends in a crash; see hazard.h
};

std::string_view name(Kind kind);  // "container_memory", "disk" ...
std::optional<Kind> kind_of(std::string_view name);

// One resource at one time.
struct Reading {
  Kind kind = Kind::kContainerMemory;
  std::string target;  // wire::Target's text: "container/<id>", "process/<key>", "host"
  std::string
      instance;  // Which of several of the target: mount point, device, path of a certificate; else ""
  double used = 0;   // In `unit`, without what can be given back
  double limit = 0;  // > 0
  std::string unit;  // "bytes", "inodes", "handles", "pids", "connections", "s"
  std::int64_t ts_ms = 0;
  // Grows when the thing behind it began anew (start of the container, boot of the host).
  std::int64_t regime = 0;
};

}  // namespace observeai::predict
