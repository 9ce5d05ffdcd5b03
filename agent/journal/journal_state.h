// How far the journal was read, as the text kept in agent::SourceCheckpoint::state. Versioned; read
// back strictly: a damaged state is an error, never a wrong place. Pure.
//
//   observeai-journal 1
//   after <cursor>                             or   since <realtime_us>
//   highest <number>
//   chain <id> <last number>
//   hole <first> <last> <seen_us> <entries since>
//   key <lines left> <target>
//   end
//
// Each target that journal entries went to has a checkpoint of its own beside it, which says only
// that the target's ledger entry is to be kept: kJournalTargetState.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "agent/journal/journal_cursor.h"
#include "agent/journal/sequence_watch.h"
#include "protocol/base/result.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

inline constexpr const char* kJournalSource = "log/journal";
inline constexpr const char* kJournalTargetState = "observeai-journal target\n";
inline constexpr std::size_t kMaxJournalStateBytes = 64U << 10;
// Targets in the middle of a private key block at one time: whoever makes a state keeps to it, more is
// not read back.
inline constexpr std::size_t kMaxOpenKeyBlocks = 64;

struct JournalState {
  JournalPosition position;
  SequenceState sequence;
  std::map<wire::Target, std::uint32_t> key_lines;  // Redactor::redact_line, where not 0
  bool operator==(const JournalState&) const = default;
};

// Is this checkpoint the journal's, whatever its source is called?
bool is_journal_state(std::string_view text);

std::string encode_journal_state(const JournalState& state);
Result<JournalState> parse_journal_state(std::string_view text);

}  // namespace observeai::agent
