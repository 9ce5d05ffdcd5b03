// One line of Docker's json-file log:
//   {"log":"text\n","stream":"stdout","attrs":{"tag":"x"},"time":"2026-11-21T07:45:00.123456789Z"}
// Pure. Total: every input gives an entry; what does not parse comes back as it stands, marked.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/wire/signals.h"

namespace observeai::agent {

struct DockerLogEntry {
  std::string_view text;  // Into the input or `scratch`; without the newline that ended the line
  wire::LogStream stream = wire::LogStream::kOther;  // kOther only when malformed
  std::int64_t ts_ns = 0;                            // 0 when malformed
  // The text ended in a newline. false: the daemon cut a long line (at 16 KiB) and the next entry
  // of the same stream goes on with it.
  bool complete = true;
  bool malformed = false;  // Not such an object; `text` is all of the input
};

// `line` is without its '\n'. Any key order, white space and further keys are accepted; "log",
// "stream" (stdout or stderr) and "time" (RFC 3339) must be there. Raw control bytes and invalid
// UTF-8 inside strings pass through; a lone surrogate escape becomes U+FFFD. The result is valid
// while `line` and `scratch` are.
DockerLogEntry decode_docker_json_line(std::string_view line, std::string& scratch);

}  // namespace observeai::agent
