// Entries of the systemd journal, in its order, from a place onwards. Blocks on disk: run read() on the
// BlockingPool.
//
// A read names the place where it begins, so that nothing is lost when the last one was given up on
// or could not be committed: the reader goes there again. Of an entry only the fields that
// JournalEntry has are looked at.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/journal/journal_cursor.h"
#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// What a record carries at most; the rest of a longer message stays in the journal.
inline constexpr std::size_t kMaxJournalText = 1U << 20;
// Read beyond it until redaction is done, so that a secret cut by the limit is still recognised.
inline constexpr std::size_t kJournalTextMargin = 4096;
// Of all other fields; unit names have at most 255 bytes.
inline constexpr std::size_t kMaxJournalField = 256;
inline constexpr std::uint8_t kNoPriority = 255;

struct JournalEntry {
  JournalCursor cursor;
  std::string message;  // MESSAGE, any bytes; at most kMaxJournalText + kJournalTextMargin
  bool has_message = false;
  std::uint64_t message_bytes = 0;      // Of all of it, as far as that is known
  bool unreadable = false;              // Its data is damaged; only the cursor is known
  std::uint8_t priority = kNoPriority;  // PRIORITY: 0 emergency .. 7 debug
  std::uint32_t pid = 0;                // _PID
  bool is_root = false;                 // _UID=0
  std::string unit;                     // _SYSTEMD_UNIT
  std::string about_unit;               // UNIT: what the manager speaks of
  std::string identifier;               // SYSLOG_IDENTIFIER, else _COMM
  std::string transport;     // _TRANSPORT: kernel, stdout, syslog, journal, audit, driver
  std::string container_id;  // CONTAINER_ID_FULL
  // Docker cuts long lines; CONTAINER_PARTIAL_MESSAGE on each piece but the last.
  bool is_partial = false;
};

struct JournalLimits {
  std::size_t max_entries = 1024;
  std::size_t max_bytes = 256U << 10;  // Of messages; one entry may exceed it
};

struct JournalRead {
  std::vector<JournalEntry> entries;
  bool at_end = false;  // Everything written was read
  // The entry named as the place is still in the journal (true as well when none was named, or when
  // nothing can be said yet because nothing follows).
  bool place_found = true;
  std::string damage;  // What was met and got over, "" = nothing
};

// One call at a time, from any thread, unless it says otherwise.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  // kUnavailable: cannot be read now. Without a journal on this host: nothing, at the end.
  virtual Result<JournalRead> read(const JournalPosition& from, const JournalLimits& limits) = 0;
  // Lets go of all files: what journald deletes is freed then. The next read() opens them again.
  virtual void close() = 0;
  // From any thread, also during a call. Readable when there may be news since the last read(); -1 = poll.
  // The caller's own, for it to close; changes with opened().
  virtual int duplicate_wake_fd() const = 0;
  // How often the journal was opened. From any thread, also during a call.
  virtual std::uint64_t opened() const = 0;
};

// Of `directory`, or, when it is empty, of this host (/run/log/journal and /var/log/journal). The clock
// must outlive it.
std::unique_ptr<JournalReader> make_sd_journal_reader(std::string directory, const Clock& clock);

}  // namespace observeai::agent
