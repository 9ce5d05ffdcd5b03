// What the journal said, as records with the checkpoint that belongs to them. No I/O.
//
//   read = reader.read(source.position(), source.limits())
//   batch = source.take(read)
//   commit batch in one transaction, then committed(); or rollback(), and the same entries come again
//
// The promise: when records and checkpoints of each batch are committed atomically, a crash at any
// moment followed by restore() yields each entry exactly once, in the journal's order for each
// target. What vacuum or damage took away first is counted as read and dropped ("never_read", source
// log/journal) and reported as an event (logs.gap).
//
// Not records: entries that the options leave out, and debug lines of the agent itself, which could
// otherwise feed on themselves; its other lines are limited to kOwnLinesPerMinute ("own_limit").
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "agent/core/log_commit.h"
#include "agent/journal/journal_reader.h"
#include "agent/journal/journal_route.h"
#include "agent/journal/journal_state.h"
#include "protocol/base/clock.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

struct JournalOptions {
  std::vector<std::string> include;  // Patterns of units, "kernel", identifiers; empty = all
  std::vector<std::string> exclude;
  std::uint8_t max_priority = 7;
  std::uint32_t own_pid = 0;
  std::string own_unit;  // "" = not run by systemd
  // Where the first start begins: what explains the present, not the host's whole past.
  std::chrono::milliseconds backfill{600'000};
};

// Takes those of the journal out of all checkpoints of the spool.
std::vector<SourceCheckpoint> take_journal_checkpoints(std::vector<SourceCheckpoint>& all);

// Redactor::redact_line.
using RedactLine =
    std::function<bool(std::string_view text, std::uint32_t& key_lines_left, std::string& out)>;

class JournalSource {
 public:
  static constexpr std::size_t kMaxTargets = 4096;  // Others go to the host
  static constexpr std::size_t kMaxInstances = 64;  // Of a template; others go to it
  static constexpr std::uint32_t kOwnLinesPerMinute = 60;
  static constexpr std::chrono::seconds kPartialWait{5};   // For the rest of a cut line
  static constexpr std::chrono::seconds kStoreAfter{60};   // A place without records
  static constexpr std::chrono::minutes kForgetAfter{10};  // A container that is gone

  JournalSource(const Clock& clock, RedactLine redact, JournalOptions options);

  // Those of take_journal_checkpoints(). One that does not parse is counted and reported; reading begins
  // as at the first start.
  void restore(std::span<const SourceCheckpoint> checkpoints);
  // All containers of the host: the ledger entries of others are given up after a while.
  void set_containers(std::span<const ObservedContainer> containers);

  JournalPosition position() const { return now_.state.position; }
  JournalLimits limits() const;
  // Entries seem to be missing: close the journal and read again, once, before that is believed.
  bool wants_second_look(const JournalRead& read) const;
  // counts: bytes_read of messages.
  LogCommit take(const JournalRead& read);
  void committed();
  void rollback();

  std::size_t target_count() const { return targets_.size(); }

 private:
  // What a batch changes and a failed commit takes back.
  struct Progress {
    JournalState state;
    std::set<wire::Target> new_targets;
    std::map<wire::Target, SteadyTime> containers;  // Targets of containers: last entry
    std::set<wire::Target> forgotten;
    std::uint64_t own_minute = 0;
    std::uint32_t own_lines = 0;
    std::map<wire::Target, std::uint64_t>
        key_turns;  // Of open key blocks: when one had its last line
    std::uint64_t key_turn = 0;
    bool damage_told = false;
    bool limit_told = false;
  };
  struct OpenLine {
    JournalRoute route;
    JournalEntry entry;  // Of its first piece; message grows
  };
  using LineKey = std::pair<wire::Target, wire::LogStream>;

  std::size_t whole_entries(const JournalRead& read);
  void note_place(const JournalRead& read, LogCommit& out);
  void note_damage(const JournalRead& read, LogCommit& out);
  void note_losses(const std::vector<SequenceLoss>& losses, LogCommit& out);
  void add(const JournalEntry& entry, LogCommit& out);
  bool is_own(const JournalEntry& entry) const;
  bool is_wanted(const JournalEntry& entry, const JournalRoute& route) const;
  bool is_over_own_limit(const JournalEntry& entry);
  void bound_target(JournalRoute& route, LogCommit& out);
  bool knows(const wire::Target& target) const;
  void emit(const JournalRoute& route, const JournalEntry& entry, std::uint32_t flags,
            LogCommit& out);
  bool redact(const wire::Target& target, std::string& text);
  void note_key_block(const wire::Target& target);
  void forget_key_block(const wire::Target& target);
  SourceCounts& counts_of(const std::string& source);
  void forget_containers(bool at_end);
  void add_checkpoints(LogCommit& out);
  void add_event(const char* kind, wire::Severity severity, std::string message,
                 wire::Labels attributes, LogCommit& out) const;

  const Clock& clock_;
  const RedactLine redact_;
  const JournalOptions options_;

  std::set<wire::Target> targets_;  // Those with a checkpoint
  std::set<wire::Target> listed_;   // Containers of the host
  std::set<wire::Target> gone_;     // Those with entries that are not listed any more
  Progress now_;                    // Committed, in memory
  Progress next_;                   // While a batch is out
  bool outstanding_ = false;
  std::optional<JournalState> stored_;  // Durable
  bool storing_ = false;                // The batch that is out has a checkpoint
  SteadyTime stored_at_{};
  bool blocked_ = false;                    // The rest of a cut line lies beyond the limits
  std::map<LineKey, OpenLine> open_lines_;  // Empty between batches
  std::map<std::string, SourceCounts> counts_;
  std::vector<wire::Event> restore_events_;
};

}  // namespace observeai::agent
