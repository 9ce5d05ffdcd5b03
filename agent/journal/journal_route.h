// Which target an entry of the journal belongs to, and what its line says. Pure.
//
//   entry                                               target             line
//   --------------------------------------------------  -----------------  -----------------------------
//   CONTAINER_ID_FULL, written by root (dockerd)        container/<id>     MESSAGE
//   _SYSTEMD_UNIT x.service                             unit/x.service     MESSAGE
//   UNIT=x.service, written by the manager (pid 1)      unit/x.service     systemd[1]: MESSAGE
//   kernel                                              host               kernel: MESSAGE
//   everything else: sessions, scopes, run-u12.service  host               <identifier>[<pid>]: MESSAGE
//
// What a process says about itself (CONTAINER_ID_FULL, UNIT) is believed of root alone; fields that
// begin with "_" are journald's own.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/journal/journal_reader.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct JournalRoute {
  wire::Target target;
  std::string unit;  // Of the target, or ""
  std::string
      selector;  // What patterns are held against: unit, "kernel" or the identifier; "" = none
  bool wants_prefix = false;  // The line does not come from the target itself
  wire::LogStream stream = wire::LogStream::kOther;
};

JournalRoute route(const JournalEntry& entry);
// "sshd[12]: ", "kernel: "
std::string line_prefix(const JournalEntry& entry);

// Of the ledger and of checkpoints: "log/<target>".
std::string source_of(const wire::Target& target);
bool is_container(const wire::Target& target);

// "sshd@7.service" -> "sshd@.service"; "" when it is not an instance.
std::string template_of(std::string_view unit);

// '*' is any text, '?' any one byte.
bool matches(std::string_view pattern, std::string_view text);
bool matches_any(const std::vector<std::string>& patterns, std::string_view text);

}  // namespace observeai::agent
