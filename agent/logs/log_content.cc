#include "agent/logs/log_content.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace observeai::agent {
namespace {

// One pread that is not interrupted; negative on errors.
std::ptrdiff_t read_file(int fd, std::uint64_t offset, std::span<char> buffer) {
  for (;;) {
    const auto n = ::pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    return n;
  }
}

}  // namespace

// Decodes forwards and keeps what was decoded from the last place asked for.
class GzipReader {
 public:
  explicit GzipReader(int fd) : fd_(fd) { restart(); }
  ~GzipReader() {
    if (begun_) ::inflateEnd(&stream_);
  }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  std::ptrdiff_t read(std::uint64_t offset, std::span<char> buffer) {
    if (offset < window_begin_) restart();
    while (!ended_ && window_begin_ + window_.size() < offset + buffer.size()) {
      forget_before(offset);
      decode_some();
    }
    forget_before(offset);
    if (offset > window_begin_) return 0;  // Behind the end
    const auto n = std::min(window_.size(), buffer.size());
    std::memcpy(buffer.data(), window_.data(), n);
    return static_cast<std::ptrdiff_t>(n);
  }
  // False: not there yet. What is before `offset` stays as far as kKept.
  bool advance(std::uint64_t offset, std::uint64_t max_bytes, std::uint64_t& decoded_bytes) {
    if (offset < window_begin_) restart();
    while (!ended_ && decoded() < offset) {
      if (decoded_bytes >= max_bytes) return false;
      const auto before = decoded();
      const auto kept = std::min(offset, before);
      if (kept > window_begin_ + kKept) forget_before(kept - kKept);
      decode_some();
      decoded_bytes += decoded() - before;
    }
    return true;
  }
  // Bytes decoded so far: all of them once ended() says so.
  std::uint64_t decoded() const { return window_begin_ + window_.size(); }
  bool ended() const { return ended_; }
  bool damaged() const { return damaged_; }

 private:
  static constexpr std::size_t kChunk = 16U << 10;
  static constexpr std::size_t kKept = 4U << 10;

  void restart() {
    if (begun_) ::inflateEnd(&stream_);
    stream_ = {};
    // 15: the largest window; 32: gzip and zlib headers are told apart.
    begun_ = ::inflateInit2(&stream_, 15 + 32) == Z_OK;
    ended_ = damaged_ = !begun_;
    in_member_ = false;
    file_offset_ = 0;
    window_begin_ = 0;
    window_.clear();
  }

  void forget_before(std::uint64_t offset) {
    const auto gone = std::min<std::uint64_t>(window_.size(), offset - window_begin_);
    window_.erase(0, gone);
    window_begin_ += gone;
  }

  void decode_some() {
    if (stream_.avail_in == 0) {
      const auto n = read_file(fd_, file_offset_, input_);
      if (n <= 0) {  // gzip says where it ends; a file that ends before is cut off
        ended_ = true;
        damaged_ = n < 0 || in_member_ || file_offset_ == 0;
        return;
      }
      file_offset_ += static_cast<std::uint64_t>(n);
      stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
      stream_.avail_in = static_cast<uInt>(n);
    }
    const bool behind_a_member = !std::exchange(in_member_, true) && decoded() > 0;
    const auto before = window_.size();
    window_.resize(before + kChunk);
    stream_.next_out = reinterpret_cast<Bytef*>(window_.data() + before);
    stream_.avail_out = kChunk;
    const int answer = ::inflate(&stream_, Z_NO_FLUSH);
    window_.resize(before + kChunk - stream_.avail_out);
    if (answer == Z_STREAM_END) {  // Another member may follow
      in_member_ = false;
      ::inflateReset(&stream_);
    } else if (answer != Z_OK && answer != Z_BUF_ERROR) {
      ended_ = true;
      damaged_ = !behind_a_member;  // What follows a whole member and is none is padding
    }
  }

  const int fd_;
  z_stream stream_{};
  bool begun_ = false;
  bool ended_ = false;
  bool damaged_ = false;
  bool in_member_ = false;
  std::uint64_t file_offset_ = 0;
  std::array<char, kChunk> input_{};
  std::string window_;  // Decoded bytes from window_begin_ on
  std::uint64_t window_begin_ = 0;
};

LogContent::LogContent() = default;
LogContent::LogContent(UniqueFd fd, std::string_view name)
    : fd_(std::move(fd)), compressed_(names_compressed(name)) {}
LogContent::LogContent(LogContent&& other) noexcept = default;
LogContent& LogContent::operator=(LogContent&& other) noexcept = default;
LogContent::~LogContent() = default;

bool LogContent::damaged() const {
  return reader_ && reader_->damaged();
}

std::ptrdiff_t LogContent::read(std::uint64_t offset, std::span<char> buffer) const {
  if (!compressed_) return read_file(fd_.get(), offset, buffer);
  if (!reader_) reader_ = std::make_unique<GzipReader>(fd_.get());
  return reader_->read(offset, buffer);
}

bool LogContent::read_exactly(std::uint64_t offset, std::span<char> bytes) const {
  while (!bytes.empty()) {
    const auto n = read(offset, bytes);
    if (n <= 0) return false;
    offset += static_cast<std::uint64_t>(n);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

std::uint64_t LogContent::decoded_size(std::uint64_t limit) const {
  if (!reader_) reader_ = std::make_unique<GzipReader>(fd_.get());
  std::array<char, 1> byte{};
  if (limit > 0) reader_->read(limit - 1, byte);
  return std::min(limit, reader_->decoded());
}

bool LogContent::advance(std::uint64_t offset, std::uint64_t max_bytes,
                         std::uint64_t& decoded) const {
  if (!compressed_) return true;
  if (!reader_) reader_ = std::make_unique<GzipReader>(fd_.get());
  return reader_->advance(offset, max_bytes, decoded);
}

std::uint64_t LogContent::decoded() const {
  return reader_ ? reader_->decoded() : 0;
}

void LogContent::rest() const {
  reader_.reset();
}

}  // namespace observeai::agent
