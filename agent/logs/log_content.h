// The bytes of an open log, by offset, whether it stands on disk as written or compressed by gzip:
// rotation compresses a file that was not read to its end while the agent was down. Offsets of a
// compressed log are those of its content, so that a place read to means the same in both.
//
// Compressed content is decoded forwards. Nothing is written to disk; memory is bounded by what one
// call asks for plus kInflateBytes. Going back decodes from the beginning again: correct, and rare
// (a commit that failed).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/logs/unique_fd.h"

namespace observeai::agent {

// The state of the decoder and its input, for each compressed log being read.
inline constexpr std::size_t kInflateBytes = 80U << 10;

// Decoded at once for the sake of a place far behind: some 10 ms.
inline constexpr std::uint64_t kDecodeSlice = 4U << 20;

class GzipReader;

class LogContent {
 public:
  LogContent();
  // `name` tells by its ending (".gz") whether it is compressed.
  LogContent(UniqueFd fd, std::string_view name);
  LogContent(LogContent&& other) noexcept;
  LogContent& operator=(LogContent&& other) noexcept;
  ~LogContent();

  explicit operator bool() const { return static_cast<bool>(fd_); }
  int fd() const { return fd_.get(); }
  bool compressed() const { return compressed_; }
  // Compressed content that ended in an error: cut off, or no such format. What came before was
  // read; what follows cannot be.
  bool damaged() const;

  // Up to buffer.size() bytes at `offset`; fewer at the end. Negative when the file cannot be read.
  std::ptrdiff_t read(std::uint64_t offset, std::span<char> buffer) const;
  // All of [offset, offset + bytes.size()), or false.
  bool read_exactly(std::uint64_t offset, std::span<char> bytes) const;
  // Of compressed content: how long it is, by decoding it up to `limit`.
  std::uint64_t decoded_size(std::uint64_t limit) const;
  // Decodes on towards `offset` until `decoded`, to which it adds, is max_bytes. True: it is there, or
  // the content ends before; what is just before can be read without decoding anew.
  bool advance(std::uint64_t offset, std::uint64_t max_bytes, std::uint64_t& decoded) const;
  // How far it is decoded.
  std::uint64_t decoded() const;
  // Frees the decoder's memory; the next read begins anew.
  void rest() const;

 private:
  UniqueFd fd_;
  bool compressed_ = false;
  mutable std::unique_ptr<GzipReader> reader_;  // Of compressed content, while it is read
};

inline bool names_compressed(std::string_view name) {
  return name.ends_with(".gz");
}

}  // namespace observeai::agent
