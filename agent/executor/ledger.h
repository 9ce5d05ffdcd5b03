// What was done on command: RECEIVED -> STARTED -> DONE, each on disk (synchronous=FULL) before the next
// thing happens. A command that is found STARTED after a crash is told as interrupted and never run
// again; one that is found RECEIVED was not begun and is told as refused. Results stay until the agent
// has spooled them, and rows for kRetention longer, as the answer to a duplicate; the highest sequence
// stays for ever.
//
// Times are the trusted time. Not thread-safe. Any error means: do not act.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/sql/database.h"
#include "protocol/wire/command.h"

namespace observeai::agent::executor {

inline constexpr std::chrono::hours kLedgerRetention{30 * 24};
inline constexpr std::int64_t kMaxLedgerRows = 10'000;  // Done and spooled; older ones go first
// What began within this time goes only when the file is full: rate and cool-down go by it.
inline constexpr std::chrono::hours kSparedFor{24};
// Results that nobody fetched, or three quarters of the file in bytes: further commands are refused, for
// their results would be lost.
inline constexpr std::int64_t kMaxUnspooled = 256;
inline constexpr std::uint64_t kMaxLedgerPages = 32'768;  // 128 MiB
inline constexpr std::uint64_t kLedgerPageBytes = 4'096;
// How long what was approved counts as executed. An approval that was there at the start is over by
// then: it lives 24 hours, from at most an hour behind that start (admission_approvals.cc).
inline constexpr std::chrono::hours kApprovalMemory{48};
// The latest so many starts count however old they are: a time that was stated far ahead makes the host
// forget nothing. 1 MiB.
inline constexpr std::int64_t kRememberedStarts = 10'000;

// Tests have smaller ones.
struct LedgerLimits {
  std::uint64_t pages = kMaxLedgerPages;
  std::int64_t remembered_starts = kRememberedStarts;  // From 1
};

class Ledger {
 public:
  // A new enrollment begins its sequence anew.
  static Result<Ledger> open(const std::string& path, const wire::Bytes16& enrollment,
                             LedgerLimits limits = {});

  enum class State : std::uint8_t { kReceived = 1, kStarted = 2, kDone = 3 };
  struct Known {
    wire::Digest sha256{};  // Of the command's envelope
    State state = State::kReceived;
    std::string result;  // Envelope, when done
  };
  Result<std::optional<Known>> find(const wire::Bytes16& id);
  Result<std::uint64_t> highest_sequence();

  struct Entry {
    wire::Bytes16 id{};
    wire::Digest sha256{};
    std::uint64_t seq = 0;
    bool execute = false;
    std::int64_t received_ms = 0;
    std::string draft;  // encode_result() of what is known now: what a crash makes of it
  };
  // RECEIVED, and the sequence. kLimit: kMaxUnspooled, or the quota, even after prune().
  Result<void> receive(const Entry& entry);
  struct Start {
    wire::Bytes16 id{};
    wire::Digest leaf{};  // Sha256 of the intent that was approved
    std::string target;
    std::string action;
    std::int64_t now_ms = 0;
    std::string draft;
    std::string state;  // What recover() needs
  };
  // STARTED, and the leaf. Any error, also for a leaf that was started before: nothing is changed. The state
  // stays until finish(), or recovered() when the command did not end.
  Result<void> start(const Start& start);
  Result<bool> was_started(const wire::Digest& leaf);
  // DONE with its signed result. Also from RECEIVED: refused, or a dry run. kLimit as receive().
  Result<void> finish(const wire::Bytes16& id, std::string_view result, bool recover_later = false);

  // At opening: every command that is not done becomes so, by the result that `sign` makes of its draft.
  struct Unfinished {
    wire::Bytes16 id{};
    State state = State::kReceived;
    std::string draft;
  };
  using Sign = std::function<Result<std::string>(const Unfinished&)>;
  // How many there were. What is to be recovered stays so.
  Result<std::size_t> finish_interrupted(const Sign& sign);

  // Commands that were started and are not known to have left nothing, oldest first.
  struct Recovery {
    wire::Bytes16 command{};
    std::string target;
    std::string action;
    std::string state;
  };
  Result<std::vector<Recovery>> recoveries();
  Result<void> recovered(const wire::Bytes16& command);

  // Envelopes that are not spooled yet, by sequence; at most `count` and about `bytes`, at least one.
  Result<std::vector<std::string>> unspooled(std::size_t count, std::size_t bytes);
  // `sha256` of a result's envelope; one that is not known is fine.
  Result<void> mark_spooled(const wire::Digest& sha256);
  // Removes what is done, spooled and older than the retention, and the oldest beyond the bound, those that
  // never began first, and those of kSparedFor not at all; leaves beyond kRememberedStarts after
  // kApprovalMemory, whatever becomes of their commands.
  Result<void> prune(std::int64_t now_ms);

  // Of commands that were started to execute.
  Result<std::int64_t> started_since(std::int64_t since_ms);
  Result<std::int64_t> started_since(std::int64_t since_ms, const std::string& action);
  Result<std::optional<std::int64_t>> last_started(const std::string& target);

 private:
  Ledger(sql::Database database, LedgerLimits limits)
      : database_(std::move(database)), limits_(limits) {}
  Result<void> enter(const wire::Bytes16& enrollment);
  Result<void> enter_row(const Entry& entry);
  Result<void> set_done(const wire::Bytes16& id, std::string_view result, bool recover_later);
  Result<void> check_waiting();
  // Of what never began, and what began before that time.
  Result<void> make_room(std::int64_t began_before_ms);

  sql::Database database_;
  LedgerLimits limits_;
};

}  // namespace observeai::agent::executor
