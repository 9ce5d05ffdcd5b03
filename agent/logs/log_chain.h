// The files of one log in the order written: those of which something was read ("touched"), then
// those that wait, the live one last. All stay open until what was read from them is committed, so
// that renames, unlinks and a crash of the caller's commit lose nothing.
//
// Rotation changes the picture by renaming, by unlinking, or by copying and truncating
// (copytruncate). reconcile() asks the same of all of them: which files on disk were read before?
//
//   seen on disk                                  consequence
//   --------------------------------------------  -------------------------------------------------
//   a touched file does not hold what was read    truncated: a sibling that holds it, or begins like
//                                                 it, takes its place and number; the file itself
//                                                 waits, as new. Without such a sibling the file's
//                                                 content is lost
//   siblings behind the newest that holds what    unread: they wait in the order of their names;
//   was read of some file                         without any known sibling all of them do
//   siblings before it                            read before, or copies of such: passed over
//   a waiting file that is the beginning of the   its copy in the making: passed over; looked at
//   next one, or empty                            again when the next one is begun
//   a compressed sibling that begins like a       that file, compressed meanwhile: it takes the
//   waiting file without a name                   sibling's place
//
// To know files again after they are closed, the prints of the last kMaxReadBefore stay. Names say
// the order, so that the newest known sibling decides for all that are older.
//
// A place in a file that is not here any more means the beginning of what comes next.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "agent/logs/checkpoint_state.h"
#include "agent/logs/file_tail.h"
#include "protocol/wire/signals.h"

namespace observeai::agent {

// Something to report about a log; becomes a wire::Event.
struct LogNote {
  std::string kind;
  wire::Severity severity = wire::Severity::kWarning;
  std::string message;
  wire::Labels attributes;
};
using LogNotes = std::vector<LogNote>;

// `path` was truncated when `extent` bytes of it had been read.
LogNote truncated_note(const std::string& path, std::uint64_t extent, bool copy_found);

class LogChain {
 public:
  // `unique_heads`: no two logs begin alike, for every line carries its time. Else only a rotated
  // file counts as a copy of the live one, and a live file that got shorter is read anew.
  explicit LogChain(bool unique_heads = true) : unique_heads_(unique_heads) {}

  bool empty() const { return files_.empty(); }
  std::size_t size() const { return files_.size(); }
  std::vector<TailFile>& files() { return files_; }
  const std::vector<TailFile>& files() const { return files_; }
  // Prints of files read to their end and closed, the newest last.
  const std::vector<FilePrint>& read_before() const { return read_before_; }
  // nullptr when it is not here any more.
  TailFile* find(std::uint64_t number);
  // The first file behind that number; nullptr when there is none.
  TailFile* after(std::uint64_t number);
  // What is asked of a compressed sibling, unless it is known: being read, or read before.
  std::vector<FilePrint> prints() const;
  bool knows_compressed(const FileKey& key) const;
  // A copy in the making was passed over when the names were looked at last.
  bool passed_over() const { return passed_over_; }
  // Was a file in [from, to) lost with what it held?
  bool lost_between(std::uint64_t from, std::uint64_t to) const;

  // Goes on where a checkpoint ended; for a new chain. False when there are only files older than
  // the checkpoint's: try again later with another chain.
  bool attach(const CheckpointState& state, std::vector<SeenFile> seen, LogNotes& notes);
  // What is on disk now. Touched files keep their numbers for ever, waiting files until another one
  // is placed before them.
  void reconcile(std::vector<SeenFile> seen, LogNotes& notes);
  // Is this the first waiting file? If not, all that wait get new numbers: places at the beginning
  // of one of them then lie before them all.
  bool begin(std::uint64_t number);

  // Bytes written to files before `position` after their end was reached: nobody will read them.
  std::uint64_t late_bytes(const LogPosition& position) const;
  // Closes files before `committed`.
  void prune(const LogPosition& committed);
  void drop_oldest();

 private:
  // A touched file to be found again.
  struct Missing {
    std::uint64_t number = 0;
    std::string path;
    FilePrint print;
  };

  std::vector<Missing> take_truncated(std::vector<TailFile>& waiting);
  void recover(const Missing& missing, std::vector<SeenFile>& seen, LogNotes& notes);
  std::size_t find_content(const std::vector<SeenFile>& seen, const FilePrint& print);
  static std::size_t compressed_copy(const std::vector<SeenFile>& seen, const TailFile& file);
  bool is_copy_in_the_making(const TailFile& file, const TailFile& next) const;
  bool touched(const FileKey& key) const;
  bool was_read(const SeenFile& file);
  bool holds_what_was_read(const SeenFile& file) const;
  std::size_t first_unread(const std::vector<SeenFile>& seen);
  void place(std::vector<SeenFile> seen, std::vector<TailFile> waiting, LogNotes& notes);
  void append_waiting(std::vector<TailFile> waiting);
  void remember(const FilePrint& print);

  bool unique_heads_;
  std::vector<TailFile> files_;
  std::vector<FilePrint> read_before_;
  std::vector<FileKey> read_compressed_;  // Decoding them once to know them is enough
  std::set<std::uint64_t> lost_;  // Numbers of touched files whose content was not found again
  std::uint64_t last_number_ = 0;
  bool passed_over_ = false;
};

}  // namespace observeai::agent
