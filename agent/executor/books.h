// What the executor knows between two commands: trust, session and ledger, opened when they can be and
// again when the host was enrolled anew. Not thread-safe.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
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
  // `time` outlives it. `between` is called, if given, when trust and session are open and the ledger is not:
  // what the one needed can be given back before the other comes on top of it.
  Books(Places places, const HostTime& time, std::function<void()> between = nullptr)
      : places_(std::move(places)), time_(time), between_(std::move(between)) {}

  // Puts right what one command has left: Action::recover().
  using Recover = std::function<Result<std::string>(const Ledger::Recovery&)>;

  // Opens what is not open. Fails while the host is not enrolled, or its trust or session cannot be
  // believed; a ledger that cannot be opened is told by ledger_error(). `may_change` lets another
  // enrollment take the place of this one. With the ledger, what commands have left is put right by
  // `recover`, which may take its time; without, and where that fails, it waits for recover().
  Result<void> open(bool may_change, const Recover& recover = nullptr);
  // What is left of actions of this family ("docker"); "": of all.
  std::vector<Ledger::Recovery> left(std::string_view family);
  // It was put right: told in the log, with `what` for people.
  void recovered(const Ledger::Recovery& one, const std::string& what);

  const Places& places() const { return places_; }
  // After open().
  Trust& trust() { return *trust_; }
  Session& session() { return *session_; }
  Ledger* ledger() { return ledger_ ? &*ledger_ : nullptr; }
  const std::string& ledger_error() const { return ledger_error_; }

 private:
  Result<void> open_ledger(const Recover& recover);

  Places places_;
  const HostTime& time_;
  const std::function<void()> between_;
  std::string trust_mark_;  // Which trust.json was read
  std::optional<Trust> trust_;
  std::optional<Session> session_;
  std::optional<Ledger> ledger_;
  std::string ledger_error_;
};

}  // namespace observeai::agent::executor
