#include <fcntl.h>
#include <systemd/sd-journal.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <system_error>

#include "agent/journal/journal_folders.h"
#include "agent/journal/journal_reader.h"
#include "agent/journal/mapped_file_guard.h"
#include "agent/journal/mapped_pages.h"
#include "protocol/base/clock.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

// What libsystemd does (252), and what is done about it:
//   - a file that is damaged is left out without a word, and so is one that appears while others are
//     read past its first entries: read() looks at the files before and after, and goes back when
//     they changed meanwhile; what is missing all the same shows in the numbers (sequence_watch.h);
//   - files that this process may not open, or has no descriptor for, are left out without a word:
//     whenever the journal is opened, unreadable_journal_file() looks for itself;
//   - EBADMSG, EADDRNOTAVAIL, EIDRM, EIO after rotation and vacuum: open again, go to the place;
//   - what was read stays mapped, and counts as memory of this process: its pages are let go every
//     few seconds (mapped_pages.h), and the journal is opened anew from time to time, which also finds
//     files whose notification was lost.
namespace observeai::agent {
namespace {

constexpr const char* kPersistent = "/var/log/journal";
constexpr const char* kVolatile = "/run/log/journal";
constexpr std::size_t kMaxMachineId = 64;
constexpr int kAttempts = 3;      // The last one takes entries whose data is damaged, as such
constexpr int kMostRestarts = 3;  // Files that keep changing: what is there is taken
constexpr int kMostAppends = 64;  // A writer that is faster than its reader has no end
constexpr std::chrono::seconds kKeepOpen(60);
constexpr std::size_t kKeepOpenBytes = 8U << 20;  // Of entries as they are handed out
constexpr std::chrono::seconds kReleaseEvery(5);
constexpr std::size_t kReleaseBytes = 512U << 10;

struct CloseJournal {
  void operator()(sd_journal* journal) const { sd_journal_close(journal); }
};
using Journal = std::unique_ptr<sd_journal, CloseJournal>;

Error journal_error(const char* what, int code) {
  return Error(Errc::kUnavailable,
               std::string("journal: ") + what + ": " + std::system_category().message(-code));
}
Error damaged(const char* what) {
  return Error(Errc::kUnavailable, std::string("journal: ") + what);
}

Result<JournalCursor> cursor_of(sd_journal* journal) {
  char* raw = nullptr;
  const int code = sd_journal_get_cursor(journal, &raw);
  const std::unique_ptr<char, decltype(&::free)> text(raw, &::free);
  if (code < 0) return journal_error("cannot name an entry", code);
  return parse_cursor(text.get());
}

void take_field(std::string_view data, JournalEntry& entry) {
  const auto equals = data.find('=');
  if (equals == std::string_view::npos) return;
  const auto name = data.substr(0, equals);
  const auto value = data.substr(equals + 1);
  const auto number = [&] {
    return static_cast<std::uint32_t>(text::parse_u64(value.substr(0, 10)).value_or(0));
  };
  if (name == "MESSAGE") {
    if (entry.has_message) return;  // A second one is possible, and means nothing
    entry.has_message = true;
    entry.message.assign(value.substr(0, kMaxJournalText + kJournalTextMargin));
    entry.message_bytes = value.size();
    return;
  }
  if (value.size() > kMaxJournalField) return;
  if (name == "PRIORITY") {
    if (value.size() == 1 && value[0] >= '0' && value[0] <= '7')
      entry.priority = static_cast<std::uint8_t>(value[0] - '0');
  } else if (name == "_PID") {
    entry.pid = number();
  } else if (name == "_UID") {
    entry.is_root = value == "0";
  } else if (name == "_SYSTEMD_UNIT") {
    entry.unit = value;
  } else if (name == "UNIT") {
    entry.about_unit = value;
  } else if (name == "SYSLOG_IDENTIFIER") {
    entry.identifier = value;
  } else if (name == "_COMM") {
    if (entry.identifier.empty()) entry.identifier = value;
  } else if (name == "_TRANSPORT") {
    entry.transport = value;
  } else if (name == "CONTAINER_ID_FULL") {
    entry.container_id = value;
  } else if (name == "CONTAINER_PARTIAL_MESSAGE") {
    entry.is_partial = value == "true";
  }
}

// False: its data is damaged.
bool take_fields(sd_journal* journal, JournalEntry& entry) {
  const void* data = nullptr;
  std::size_t size = 0;
  sd_journal_restart_data(journal);
  for (;;) {
    const int code = sd_journal_enumerate_available_data(journal, &data, &size);
    if (code < 0) return false;
    if (code == 0) return true;
    take_field({static_cast<const char*>(data), size}, entry);
  }
}

class SdJournalReader final : public JournalReader {
 public:
  SdJournalReader(std::string directory, const Clock& clock)
      : directory_(std::move(directory)), clock_(clock) {}

  Result<JournalRead> read(const JournalPosition& from, const JournalLimits& limits) override;
  void close() override;
  int duplicate_wake_fd() const override;
  std::uint64_t opened() const override { return opened_; }

 private:
  enum class Pass { kAtEnd, kLimit, kFilesChanged, kDamaged };

  bool exists() const;
  std::string unreadable_file() const;
  void bound_memory();
  Result<void> open();
  Result<JournalRead> read_once(const JournalPosition& from, const JournalLimits& limits,
                                bool tolerant);
  Result<void> seek(const JournalPosition& from);
  Result<Pass> pass(const JournalPosition& from, const JournalLimits& limits, bool tolerant,
                    const MappedFileGuard& guard, JournalRead& out);
  Result<bool> take_entry(bool tolerant, const MappedFileGuard& guard, JournalRead& out);
  Result<bool> files_changed();

  const std::string directory_;
  const Clock& clock_;
  Journal journal_;
  mutable std::mutex wake_mutex_;
  int wake_fd_ = -1;  // The journal's; closed with it
  std::atomic<std::uint64_t> opened_ = 0;
  SteadyTime opened_at_{};
  std::string unreadable_;  // A file, and why, as of the last open()
  std::size_t bytes_since_open_ = 0;
  SteadyTime released_at_{};
  std::size_t bytes_at_release_ = 0;
  std::optional<JournalCursor> at_;  // The entry that the journal stands on
};

bool SdJournalReader::exists() const {
  if (!directory_.empty()) return files::exists(directory_);
  return files::exists(kPersistent) || files::exists(kVolatile);
}

std::string SdJournalReader::unreadable_file() const {
  if (!directory_.empty()) return unreadable_journal_file(directory_);
  const auto machine = files::read("/etc/machine-id", kMaxMachineId);
  if (!machine) return {};
  const std::string folder = "/" + std::string(text::trim(*machine));
  const auto found = unreadable_journal_file(kPersistent + folder);
  return found.empty() ? unreadable_journal_file(kVolatile + folder) : found;
}

Result<void> SdJournalReader::open() {
  sd_journal* raw = nullptr;
  const int code = directory_.empty() ? sd_journal_open(&raw, SD_JOURNAL_LOCAL_ONLY)
                                      : sd_journal_open_directory(&raw, directory_.c_str(), 0);
  if (code < 0) return journal_error("cannot open", code);
  journal_.reset(raw);
  sd_journal_set_data_threshold(raw, kMaxJournalText + 2 * kJournalTextMargin);
  // Before the first read: it sees what changes from here on.
  {
    const std::scoped_lock lock(wake_mutex_);
    wake_fd_ = sd_journal_get_fd(raw);
  }
  ++opened_;
  unreadable_ = unreadable_file();
  opened_at_ = clock_.steady_now();
  bytes_since_open_ = 0;
  bytes_at_release_ = 0;
  released_at_ = {};
  return {};
}

void SdJournalReader::close() {
  {
    const std::scoped_lock lock(wake_mutex_);
    wake_fd_ = -1;
  }
  at_.reset();
  journal_.reset();
}

int SdJournalReader::duplicate_wake_fd() const {
  const std::scoped_lock lock(wake_mutex_);
  return wake_fd_ < 0 ? -1 : ::fcntl(wake_fd_, F_DUPFD_CLOEXEC, 0);
}

Result<JournalRead> SdJournalReader::read(const JournalPosition& from,
                                          const JournalLimits& limits) {
  const bool stale =
      clock_.steady_now() - opened_at_ > kKeepOpen || bytes_since_open_ > kKeepOpenBytes;
  if (journal_ && stale) close();
  std::string damage;
  for (int attempt = 1;; ++attempt) {
    auto read = read_once(from, limits, attempt == kAttempts);
    if (read) {
      if (!damage.empty()) read->damage = damage;
      if (read->damage.empty() && journal_) read->damage = unreadable_;
      bound_memory();
      return read;
    }
    damage = read.error().message();
    close();
    if (attempt == kAttempts) return read;
  }
}

void SdJournalReader::bound_memory() {
  const auto now = clock_.steady_now();
  const bool due =
      now - released_at_ >= kReleaseEvery || bytes_since_open_ - bytes_at_release_ >= kReleaseBytes;
  if (!journal_ || !due) return;
  release_journal_pages();
  released_at_ = now;
  bytes_at_release_ = bytes_since_open_;
}

Result<JournalRead> SdJournalReader::read_once(const JournalPosition& from,
                                               const JournalLimits& limits, bool tolerant) {
  JournalRead out;
  const MappedFileGuard guard;
  if (!journal_) {
    out.at_end = true;
    if (!exists()) return out;
    TRY_VOID(open());
  } else {
    TRY(const bool changed, files_changed());
    if (changed) at_.reset();
  }
  for (int restart = 0;; ++restart) {
    out = {};
    TRY(const auto ended, pass(from, limits, tolerant, guard, out));
    if (ended == Pass::kFilesChanged && restart < kMostRestarts) {
      at_.reset();
      continue;
    }
    out.at_end = ended == Pass::kAtEnd;
    if (ended == Pass::kDamaged) close();
    return out;
  }
}

Result<void> SdJournalReader::seek(const JournalPosition& from) {
  const int code = from.after
                       ? sd_journal_seek_cursor(journal_.get(), format_cursor(*from.after).c_str())
                       : sd_journal_seek_realtime_usec(journal_.get(), from.since_us);
  at_.reset();
  if (code < 0) return journal_error("cannot go to a place", code);
  return {};
}

// From the place until the end or a limit.
Result<SdJournalReader::Pass> SdJournalReader::pass(const JournalPosition& from,
                                                    const JournalLimits& limits, bool tolerant,
                                                    const MappedFileGuard& guard,
                                                    JournalRead& out) {
  const auto hits_before = guard.hits();
  bool first = !from.after || at_ != from.after;
  if (first) {
    TRY_VOID(seek(from));
  }
  std::size_t bytes = 0;
  for (int appends = 0; out.entries.size() < limits.max_entries && bytes < limits.max_bytes;) {
    const int code = sd_journal_next(journal_.get());
    if (code < 0) {
      if (out.entries.empty()) return journal_error("cannot go on", code);
      at_.reset();
      return Pass::kLimit;
    }
    if (guard.hits() != hits_before && !tolerant) {
      if (out.entries.empty()) return damaged("a file was cut short while it was read");
      out.damage = "a file was cut short while it was read";
      return Pass::kDamaged;
    }
    if (code == 0) {
      const int change = sd_journal_process(journal_.get());
      if (change < 0) return journal_error("cannot look at the files", change);
      if (change == SD_JOURNAL_INVALIDATE) return Pass::kFilesChanged;
      if (change == SD_JOURNAL_NOP) return Pass::kAtEnd;
      if (++appends == kMostAppends) return Pass::kLimit;
      continue;
    }
    TRY(const bool taken, take_entry(tolerant, guard, out));
    if (!taken) return Pass::kDamaged;
    if (std::exchange(first, false) && from.after) {
      out.place_found = is_same_entry(out.entries.back().cursor, *from.after);
      if (out.place_found) {
        out.entries.pop_back();
        at_ = from.after;
        continue;
      }
    }
    bytes += out.entries.back().message.size();
    bytes_since_open_ += out.entries.back().message.size() + sizeof(JournalEntry);
  }
  TRY(const bool changed, files_changed());
  return changed ? Pass::kFilesChanged : Pass::kLimit;
}

// The entry that the journal stands on. False: what was taken before is whole, this one is not.
Result<bool> SdJournalReader::take_entry(bool tolerant, const MappedFileGuard& guard,
                                         JournalRead& out) {
  const auto hits_before = guard.hits();
  JournalEntry entry;
  TRY(entry.cursor, cursor_of(journal_.get()));
  const bool whole = take_fields(journal_.get(), entry) && guard.hits() == hits_before;
  if (!whole && !tolerant) {
    at_.reset();
    if (out.entries.empty()) return damaged("an entry is damaged");
    out.damage = "an entry is damaged";
    return false;
  }
  at_ = entry.cursor;
  if (!whole) {
    JournalEntry unreadable;
    unreadable.cursor = std::move(entry.cursor);
    unreadable.unreadable = true;
    out.entries.push_back(std::move(unreadable));
    return true;
  }
  out.entries.push_back(std::move(entry));
  return true;
}

// Files came or went since this was last asked.
Result<bool> SdJournalReader::files_changed() {
  const int change = sd_journal_process(journal_.get());
  if (change < 0) return journal_error("cannot look at the files", change);
  return change == SD_JOURNAL_INVALIDATE;
}

}  // namespace

std::unique_ptr<JournalReader> make_sd_journal_reader(std::string directory, const Clock& clock) {
  return std::make_unique<SdJournalReader>(std::move(directory), clock);
}

}  // namespace observeai::agent
