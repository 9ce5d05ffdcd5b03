// What the executor knows between two commands: trust, session and ledger, opened when they can be and
// again when the host was enrolled anew. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "agent/executor/ledger.h"
#include "agent/executor/session.h"
#include "agent/executor/trust.h"
#include "protocol/base/result.h"

namespace observeai::agent::executor {

struct Places {
  std::string trust_directory;
  std::string ledger_path;
  std::string run_directory;
  std::string policy_directory;
  uid_t owner = 0;  // Of trust and policy
};

class Books {
 public:
  // `time` outlives it.
  Books(Places places, const HostTime& time) : places_(std::move(places)), time_(time) {}

  // Opens what is not open. Fails while the host is not enrolled, or its trust or session cannot be
  // believed; a ledger that cannot be opened is told by ledger_error(). `may_change` lets another
  // enrollment take the place of this one.
  Result<void> open(bool may_change);

  const Places& places() const { return places_; }
  // After open().
  Trust& trust() { return *trust_; }
  Session& session() { return *session_; }
  Ledger* ledger() { return ledger_ ? &*ledger_ : nullptr; }
  const std::string& ledger_error() const { return ledger_error_; }

 private:
  Result<void> open_ledger();

  Places places_;
  const HostTime& time_;
  std::string trust_mark_;  // Which trust.json was read
  std::optional<Trust> trust_;
  std::optional<Session> session_;
  std::optional<Ledger> ledger_;
  std::string ledger_error_;
};

}  // namespace observeai::agent::executor
