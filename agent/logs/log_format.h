// One line of a log, by the format of its file. Pure. Total: every input gives an entry.
//
//   format       line                                                     pieces, stream, time
//   -----------  -------------------------------------------------------  ------------------------
//   kDockerJson  docker_json_line.h                                       in the entry
//   kCri         2026-11-21T07:45:00.123456789Z stdout F text             in the entry: P = a piece,
//                                                                         F = the end of a line
//   kPlain       anything                                                 a whole line, kOther; the
//                                                                         time at its beginning
//
// The CRI line is that of the kubelet's logs: time in RFC 3339 (containerd writes Z, CRI-O an
// offset), stdout or stderr, tags separated by ':' of which the first is P or F, and the text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/logs/docker_json_line.h"

namespace observeai::agent {

enum class LogFormat { kDockerJson, kCri, kPlain };

// Every line carries its time in nanoseconds: no two logs begin alike.
constexpr bool has_unique_heads(LogFormat format) {
  return format != LogFormat::kPlain;
}

using LogEntry = DockerLogEntry;

// When and where a line is read.
struct ReadingTime {
  std::int64_t now_ns = 0;
  std::int64_t local_offset_s = 0;  // Of the host's time zone, now
};

LogEntry decode_entry(LogFormat format, std::string_view line, const ReadingTime& reading,
                      std::string& scratch);

LogEntry decode_cri_line(std::string_view line);

// The time at the beginning of a plain line, unix nanoseconds:
//   2026-11-21T07:45:00.123Z  2026-11-21 07:45:00,123  2026/11/21 07:45:00  (also in brackets; with
//   Z or an offset, else local time)  <34>1 2026-11-21T…  (RFC 5424)  Nov 21 07:45:00  (RFC 3164:
//   local, of the year that brings it nearest before the time of reading)
// nullopt without one, and when it lies more than a day ahead of the time of reading.
std::optional<std::int64_t> parse_leading_time(std::string_view line, const ReadingTime& reading);

// Seconds east of Greenwich of the host's time zone at that time.
std::int64_t local_offset_s(std::int64_t unix_ns);

}  // namespace observeai::agent
