// One followed file: who it is, how far it was read, and reading on from there.
//
// Names say nothing: a log is renamed, unlinked, truncated and copied while it is read. A file is
// known by its key (device, inode, birth time) and by two fingerprints of what was read from it: of
// its first line ("head") and of the kTailBytes before the place read to ("extent").
//
//   decide(print, observed)
//   key    size       before extent  head       verdict
//   -----  ---------  -------------  ---------  ---------------------------------------------------
//   same   >= extent  equal          -          kHolds   all that was read: go on at extent
//   other  >= extent  equal          equal      kHolds   a copy: the same
//   any    <  extent  -              equal      kBegins  a copy made before the last reads, or the
//                                               file cut to a part: nothing unread is in it
//   any    otherwise                            kOther   another content; with the same key: the file
//                                               was truncated, or its inode number was given away
//
// The first line of a Docker log ends with the time in nanoseconds: no two files begin alike unless
// one is a copy of the other. Until a first line was read wholly no copy is recognised.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/logs/log_content.h"
#include "protocol/base/result.h"

namespace observeai::agent {

// Of the first line count its first kHeadBytes and its last kTailBytes, where the time stands.
inline constexpr std::size_t kHeadBytes = 256;
inline constexpr std::size_t kTailBytes = 64;

struct FileKey {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;  // 0 where the file system keeps none
  bool operator==(const FileKey&) const = default;
};

struct FileFacts {
  FileKey key;
  std::uint64_t size = 0;
  std::uint32_t links = 0;
  bool regular = false;
};

// What is remembered of a file that was read to `extent`.
struct FilePrint {
  FileKey key;
  std::uint64_t extent = 0;
  std::uint64_t head_bytes = 0;  // Length of the first line; 0 until it was read wholly
  std::uint64_t head = 0;
  std::uint32_t tail_bytes = 0;  // min(kTailBytes, extent)
  std::uint64_t tail = 0;
  bool operator==(const FilePrint&) const = default;
};

// A file found on disk, measured at the places a print speaks of.
struct Observation {
  FileKey key;
  std::uint64_t size = 0;
  std::optional<std::uint64_t> head;  // Of the first print.head_bytes, if it has as many
  std::optional<std::uint64_t> tail;  // Of the print.tail_bytes before print.extent
};

// The same file, though the mount it lies on may have come anew: devices without a disk of their own
// (NFS, FUSE, tmpfs: major 0) get another number each time.
bool is_same_file(const FileKey& one, const FileKey& other);

enum class Verdict { kHolds, kBegins, kOther };
Verdict decide(const FilePrint& print, const Observation& observed);

// kNotFound, kDenied, kUnavailable.
Result<FileFacts> stat_file(const std::string& path);
Result<FileFacts> stat_file(int fd);
// Of compressed content the size is known up to print.extent only.
Observation observe(const LogContent& content, const FileFacts& facts, const FilePrint& print);

class GzipSurvey;

// A file found on disk (log_siblings.h), opened.
struct SeenFile {
  LogContent content;
  FileFacts facts;
  std::string path;
  bool live = true;                                    // Not a rotated one
  std::shared_ptr<const GzipSurvey> survey = nullptr;  // What is known of compressed content
};

Verdict decide(const FilePrint& print, const SeenFile& seen);

// Does the other file begin with all that the first one holds, and is that not nothing?
bool is_beginning_of(const LogContent& content, const LogContent& other);

class TailFile {
 public:
  // From its beginning.
  TailFile(SeenFile seen, std::uint64_t number);
  // At print.extent after decide() said kHolds, at its end after kBegins.
  TailFile(SeenFile seen, std::uint64_t number, const FilePrint& print);

  enum class Read { kData, kChanged, kFailed, kLater };
  // Bytes at `offset` <= extent, as many as fit into buffer minus kTailBytes; empty at the end.
  // kChanged: what was read before is not there any more; nothing returned. kLater: the place is far
  // into compressed content, kDecodeSlice further than before: ask again.
  Read read(std::uint64_t offset, std::span<char> buffer, std::string_view& data) const;
  // Bytes at `offset`, unchecked.
  std::size_t read_raw(std::uint64_t offset, std::span<char> buffer) const;
  // `data` at `offset` <= extent has been consumed.
  void consumed(std::uint64_t offset, std::string_view data);
  // As consumed(), for bytes in the file itself.
  void consumed_through(std::uint64_t offset);

  // Is what was read still there?
  bool holds_content() const;
  // As if newly found, with number 0: its content was truncated.
  void restart();
  void renumber(std::uint64_t number) { number_ = number; }

  bool touched() const { return extent_ > 0; }  // Something was read from it
  std::uint64_t number() const { return number_; }
  const FileKey& key() const { return key_; }
  const std::string& path() const { return path_; }
  const LogContent& content() const { return content_; }
  std::uint64_t extent() const { return extent_; }
  FilePrint print() const;
  Result<FileFacts> facts() const { return stat_file(content_.fd()); }
  // Bytes in it; at least what was read when it is compressed, and 0 when it cannot be looked at.
  std::uint64_t size() const;

  bool truncation_reported = false;  // This is a copy, and that its original was truncated is known
  unsigned ends_seen = 0;            // Reads that met the end since the last data
  std::uint64_t scanned_to = 0;      // No newline between the place read to and here (long entries)

 private:
  void add_to_head(std::string_view fresh);

  LogContent content_;
  FileKey key_;
  std::string path_;
  std::uint64_t number_ = 0;
  std::uint64_t extent_ = 0;
  std::uint64_t head_bytes_ = 0;
  std::uint64_t head_print_ = 0;
  std::string head_;  // The first bytes, at most kHeadBytes, until the first line ended
  std::string tail_;  // The bytes before extent_
};

}  // namespace observeai::agent
