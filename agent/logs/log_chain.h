// The files of one log in the order written: rotated ones that still have to be read, then the live
// one. All stay open until what was read from them is committed, so that renames, unlinks and a
// crash of the caller's commit lose nothing. Knows how rotations change the picture:
//
//   seen on disk                                  consequence
//   --------------------------------------------  -------------------------------------------------
//   live file has another key                     rename or unlink rotation: siblings newer than
//                                                 the newest known file are appended, oldest first
//   what was read is not there any more           copytruncate: a sibling that holds it (kAdopt)
//                                                 takes the file's place, newer copies follow, then
//                                                 the truncated file from 0; without such a sibling
//                                                 copies younger than all that was read, then the
//                                                 file from 0
//   a new sibling between two known files         a further copy of a file not read yet: inserted
//   checkpoint's file not found at start          gap: go on with the oldest sibling that is newer
#pragma once

#include <cstdint>
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
  std::int64_t drained_birth_ns() const { return drained_birth_ns_; }
  bool empty() const { return files_.empty(); }
  std::size_t size() const { return files_.size(); }
  std::vector<TailFile>& files() { return files_; }
  const std::vector<TailFile>& files() const { return files_; }
  // The file of this number, which must be there.
  TailFile& at(std::uint64_t number) { return files_[index_of(number)]; }
  // nullptr when it is the newest / oldest.
  TailFile* after(std::uint64_t number);
  TailFile* before(std::uint64_t number);

  // Never read: everything that is there, oldest first.
  void start(std::vector<SeenFile> seen);
  // Goes on where a checkpoint ended. `state` is adjusted to what was found. Stays empty when there
  // are only files older than the checkpoint's.
  void attach(CheckpointState& state, std::vector<SeenFile> seen, LogNotes& notes);
  // Adds what is newer than the known files. Nothing is placed before `newest_read`, the number of
  // the newest file of which something was read.
  void extend(std::vector<SeenFile> seen, std::uint64_t newest_read);
  // The content of file `reading` changed under its reader. The number of the file to go on with:
  // the same when a copy took its place (at the same position, or the copy's end if that is before
  // it), else another (at its beginning).
  std::uint64_t replace_truncated(std::vector<SeenFile> seen, std::uint64_t reading,
                                  LogNotes& notes);

  // A copy may have been made and its original not truncated yet. True: the file after `number`
  // holds the same and more; it took the place of `number`, go on at the same position.
  bool next_goes_on(std::uint64_t number);

  // `position`, or the beginning of the next file when its file is gone; sets `lost` then.
  LogPosition clip(const LogPosition& position, bool& lost) const;
  // Closes files before `committed`. Bytes written to them after their end was reached are counted
  // in `late_bytes`.
  void prune(const LogPosition& committed, std::uint64_t& late_bytes);
  void drop(std::uint64_t number) {
    files_.erase(files_.begin() + static_cast<std::ptrdiff_t>(index_of(number)));
  }
  void clear() { files_.clear(); }

 private:
  std::size_t index_of(std::uint64_t number) const;
  bool holds(const FileKey& key) const;
  std::uint64_t insert_unread_copies(std::vector<SeenFile> seen, std::size_t index,
                                     const FilePrint& print);
  void renumber_after(std::size_t index);
  std::uint64_t take_number() { return ++last_number_; }

  std::vector<TailFile> files_;
  std::uint64_t last_number_ = 0;
  std::int64_t drained_birth_ns_ = 0;  // Of the youngest file pruned
};

}  // namespace observeai::agent
