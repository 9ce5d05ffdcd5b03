// Why a connection attempt failed, as far as Paho tells. Its result is always "-1" and its SSL
// error handler is a use-after-free in the versions of Debian 12, but its protocol trace names the
// TLS step.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace observeai::mqtt {

struct TlsNote {
  enum class Kind {
    kNone,           // TLS has not answered: unreachable, or nobody listens
    kWeRefused,      // We sent a fatal alert: `detail` is its name
    kBrokerRefused,  // The broker sent one
    kWrongHostName,  // Chain in order, name not
    kHandshakeDone,  // Our side is content; a failure after it is the broker hanging up
  };
  Kind kind = Kind::kNone;
  std::string detail;
  bool operator==(const TlsNote&) const = default;
};

// What one trace line says, if anything.
std::optional<TlsNote> classify_trace(std::string_view line);

// Hooks Paho's trace, once in a process. Thread-safe.
void watch_tls();
// The newest note of this thread, which is forgotten. Paho reports a failed attempt on the thread
// that saw it fail; with several attempts at one time a note may belong to another one (words only:
// no decision rests on it).
TlsNote take_tls_note();

// kDenied (TLS or the broker says no), kTimeout, kUnavailable.
Error explain_connect_failure(int return_code, const std::string& paho_text, const TlsNote& note,
                              const std::string& broker);

}  // namespace observeai::mqtt
