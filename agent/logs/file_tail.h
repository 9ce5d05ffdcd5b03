// One followed file: who it is, how far it was read, and reading on from there.
//
// Names say nothing: a log is renamed, unlinked, truncated and copied while it is read. A file is
// known by its key (device, inode, birth time) and by two fingerprints of what was read from it: of
// its first bytes, growing to kHeadBytes, and of the kTailBytes before the place read to
// ("extent").
//
//   decide(checkpoint, observed)
//   key    size       before extent  head       verdict
//   -----  ---------  -------------  ---------  ---------------------------------------------------
//   same   >= extent  equal          -          kResume     go on at extent
//   same   <  extent  -              -          kTruncated  go on at 0 with what was written since
//   same   >= extent  different      equal      kTruncated  truncated and refilled
//   same   >= extent  different      different  kNew        the inode number was given away again
//   other  >= extent  equal          equal      kAdopt      a copy: go on at extent in the copy
//   other  otherwise, or extent = 0             kUnrelated
//
// Equal heads alone never make two files one: logs of equal services begin alike.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/base/result.h"

namespace observeai::agent {

inline constexpr std::size_t kHeadBytes = 1024;
inline constexpr std::size_t kTailBytes = 64;
// Rotated siblings looked at for one log; Docker's max-file is rarely above 10.
inline constexpr std::size_t kMaxSiblings = 128;

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

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
  std::uint32_t head_bytes = 0;  // min(kHeadBytes, extent)
  std::uint64_t head = 0;
  std::uint32_t tail_bytes = 0;  // min(kTailBytes, extent)
  std::uint64_t tail = 0;
  bool operator==(const FilePrint&) const = default;
};

// A file found on disk, measured at the places a print speaks of.
struct Observation {
  FileKey key;
  std::uint64_t size = 0;
  // Fingerprint of its first print.head_bytes, if it has as many
  std::optional<std::uint64_t> head;
  std::optional<std::uint64_t> tail;  // Of the print.tail_bytes before print.extent
};

enum class Verdict { kResume, kTruncated, kNew, kAdopt, kUnrelated };
Verdict decide(const FilePrint& checkpoint, const Observation& observed);

// kNotFound, kDenied, kUnavailable.
Result<FileFacts> stat_file(const std::string& path);
Result<FileFacts> stat_file(int fd);
Observation observe(int fd, const FileFacts& facts, const FilePrint& print);

// `path` and its rotated siblings path.1, path.2 … (uncompressed), opened. Oldest first, the live
// file last; a consistent picture: no rename happened while it was taken.
struct SeenFile {
  UniqueFd fd;
  FileFacts facts;
  std::string path;
  unsigned rotation = 0;  // 0 = the live file
};
// kTimeout when names keep moving (try again), kNotFound without the folder, kDenied, kUnavailable.
// Empty when none of the files is there.
Result<std::vector<SeenFile>> open_siblings(const std::string& path);

class TailFile {
 public:
  // From its beginning.
  TailFile(SeenFile seen, std::uint64_t number);
  // At print.extent, after decide() said kResume or kAdopt.
  TailFile(SeenFile seen, std::uint64_t number, const FilePrint& print);

  enum class Read { kData, kChanged, kFailed };
  // Bytes at `offset` <= extent, as many as fit into buffer minus kTailBytes; empty at the end.
  // kChanged: what was read before is not there any more; nothing returned.
  Read read(std::uint64_t offset, std::span<char> buffer, std::string_view& data) const;
  // Bytes at `offset`, unchecked.
  std::size_t read_raw(std::uint64_t offset, std::span<char> buffer) const;
  // `data` at `offset` <= extent has been consumed.
  void consumed(std::uint64_t offset, std::string_view data);
  // As consumed(), for bytes in the file itself.
  void consumed_through(std::uint64_t offset);

  // Is `copy` shorter than what was read here, and begins or goes on as it did? The rest was then
  // written, and read, between copying and truncating.
  bool began_like(const SeenFile& copy) const;

  // As if newly found: its content was truncated.
  void restart(std::uint64_t number);
  void renumber(std::uint64_t number) { number_ = number; }
  // Goes on at print.extent of the same content (verdict kAdopt).
  void adopt(const FilePrint& print);

  std::uint64_t number() const { return number_; }
  const FileKey& key() const { return key_; }
  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  std::uint64_t extent() const { return extent_; }
  FilePrint print() const;
  Result<FileFacts> facts() const { return stat_file(fd_.get()); }

  bool truncation_reported = false;  // This is a copy, and that its original was truncated is known
  unsigned ends_seen = 0;            // Reads that met the end since the last data
  std::uint64_t scanned_to = 0;      // No newline between the place read to and here (long entries)

 private:
  UniqueFd fd_;
  FileKey key_;
  std::string path_;
  std::uint64_t number_ = 0;
  std::uint64_t extent_ = 0;
  std::string tail_;  // The bytes before extent_
  std::string head_;  // The first bytes, at most kHeadBytes
  struct Mark {
    std::uint64_t extent;
    std::uint64_t tail;  // Fingerprint of the kTailBytes before it
  };
  static constexpr std::size_t kMaxMarks = 16;
  std::vector<Mark> marks_;  // The last places read to, oldest first
  std::uint64_t head_print_ = 0;
  bool head_full_ = false;
};

}  // namespace observeai::agent
