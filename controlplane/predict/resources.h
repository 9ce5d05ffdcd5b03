// From the newest values of a host to resources with a limit. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
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
  // `limit` as somebody set it: without what is there today and given to others tomorrow, as free swap.
  double configured = 0;
  // Of one of several processes, the one nearest to its limit: with another limit it is another process.
  bool is_of_worst = false;
  std::string unit;  // "bytes", "inodes", "handles", "pids", "connections", "s"
  std::int64_t ts_ms = 0;
  // Unix ms at which the thing behind it began (start of the container, boot of the host), 0 = not known.
  // See is_new_regime().
  std::int64_t regime = 0;
  bool operator==(const Reading&) const = default;
};

// Whether a thing began anew between two readings of it. A time of boot moves a little when the clock
// is corrected; nothing that lives shorter than that has a trend to lose.
inline constexpr std::int64_t kRegimeToleranceMs = 2'000;
constexpr bool is_new_regime(std::int64_t before, std::int64_t now) {
  return now > before + kRegimeToleranceMs;
}

// The newest sample of one series. Borrowed for the call.
struct Sample {
  std::string_view target;
  std::string_view name;
  std::span<const wire::Label> labels;
  double value = 0;  // NaN: the series ended
  std::int64_t ts_ms = 0;
};

// Metrics that readings() looks at, for TelemetryReader::latest().
std::span<const std::string_view> metric_names();

// What of one host has a limit, from all newest samples of that host in any order; ordered by (kind,
// target, instance), each once. Left out is what has no limit, what is not whole (a part of it is missing,
// ended or of another scrape; limits may be older) and what is no number. A reading is as old as
// its ts_ms says: whether that is too old is for the caller to judge.
//
//   kind              used                                   limit
//   container_memory  usage - file pages on the LRU lists    the smallest of the container and its
//                     - reclaimable kernel memory + swap     ancestors + swap it may still get
//   host_memory       MemTotal - MemAvailable + swapped      MemTotal + SwapTotal
//   disk              size - free                            size - what is reserved for root
//   inodes            inodes in use                          inodes
//   file_handles      of the process nearest to its limit    its soft limit; host: fs.file-max
//   pids              tasks                                  pids.max; host: threads-max or pid_max
//   connections       tracked connections                    nf_conntrack_max
//   certificate       age                                    notAfter - notBefore: a known date
//
// One file system is one reading, at its shortest mount point. A process group of a container is told as
// the container's, with its name as instance.
std::vector<Reading> readings(std::span<const Sample> samples);

}  // namespace observeai::predict
