#include "agent/logs/file_tail.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/logs/fingerprint.h"
#include "agent/logs/gzip_survey.h"
#include "protocol/base/files.h"

namespace observeai::agent {
namespace {

Result<FileFacts> facts_of(int directory, const char* path, int flags, const std::string& name) {
  struct statx found {};
  if (::statx(directory, path, flags, STATX_BASIC_STATS | STATX_BTIME, &found) != 0) {
    return files::from_errno("cannot look at " + name, errno);
  }
  FileFacts facts;
  facts.key.device = gnu_dev_makedev(found.stx_dev_major, found.stx_dev_minor);
  facts.key.inode = found.stx_ino;
  if ((found.stx_mask & STATX_BTIME) != 0) {
    facts.key.birth_ns =
        std::int64_t{found.stx_btime.tv_sec} * 1'000'000'000 + found.stx_btime.tv_nsec;
  }
  facts.size = found.stx_size;
  facts.links = found.stx_nlink;
  facts.regular = S_ISREG(found.stx_mode);
  return facts;
}

// All of [offset, offset + size), or nothing.
std::optional<std::string> read_exactly(const LogContent& content, std::uint64_t offset,
                                        std::size_t size) {
  std::string bytes(size, '\0');
  if (!content.read_exactly(offset, bytes)) return std::nullopt;
  return bytes;
}

// At most one block at `offset`; 0 at the end and on errors.
std::ptrdiff_t read_at(const LogContent& content, std::uint64_t offset, std::span<char> block) {
  return std::max<std::ptrdiff_t>(content.read(offset, block), 0);
}

// Appends `more` to the last kTailBytes of something.
void extend_tail(std::string& tail, std::string_view more) {
  if (more.size() >= kTailBytes) {
    tail.assign(more.substr(more.size() - kTailBytes));
    return;
  }
  tail.append(more);
  if (tail.size() > kTailBytes) tail.erase(0, tail.size() - kTailBytes);
}

}  // namespace

bool is_same_file(const FileKey& one, const FileKey& other) {
  const bool same_device = one.device == other.device ||
                           (gnu_dev_major(one.device) == 0 && gnu_dev_major(other.device) == 0);
  return same_device && one.inode == other.inode && one.birth_ns == other.birth_ns;
}

Verdict decide(const FilePrint& print, const Observation& observed) {
  const bool same_key = is_same_file(observed.key, print.key);
  const bool head_equal = print.head_bytes > 0 && observed.head == print.head;
  if (observed.size < print.extent) return head_equal ? Verdict::kBegins : Verdict::kOther;
  if (print.extent == 0) return same_key ? Verdict::kHolds : Verdict::kOther;
  return observed.tail == print.tail && (same_key || head_equal) ? Verdict::kHolds
                                                                 : Verdict::kOther;
}

Verdict decide(const FilePrint& print, const SeenFile& seen) {
  const auto* known = seen.survey ? seen.survey->of(print) : nullptr;
  if (known != nullptr) return decide(print, *known);
  return decide(print, observe(seen.content, seen.facts, print));
}

Result<FileFacts> stat_file(const std::string& path) {
  return facts_of(AT_FDCWD, path.c_str(), 0, path);
}
Result<FileFacts> stat_file(int fd) {
  return facts_of(fd, "", AT_EMPTY_PATH, "an open log");
}

Observation observe(const LogContent& content, const FileFacts& facts, const FilePrint& print) {
  Observation seen{facts.key, facts.size, std::nullopt, std::nullopt};
  const auto first = std::min<std::uint64_t>(print.head_bytes, kHeadBytes);
  const auto last = std::min<std::uint64_t>(print.head_bytes, kTailBytes);
  const auto begin = read_exactly(content, 0, first);
  const auto end = read_exactly(content, print.head_bytes - last, last);
  if (begin && end) seen.head = fingerprint(*begin + *end);
  // Of a compressed log with another head the rest need not be decoded.
  const bool may_be = !content.compressed() || (seen.head && *seen.head == print.head);
  const bool long_enough = content.compressed() || facts.size >= print.extent;
  if (may_be && long_enough) {
    if (const auto tail = read_exactly(content, print.extent - print.tail_bytes, print.tail_bytes))
      seen.tail = fingerprint(*tail);
  }
  if (content.compressed()) {
    seen.size = seen.tail ? print.extent : may_be ? content.decoded_size(print.extent) : 0;
  }
  if (content.compressed()) content.rest();
  return seen;
}

bool is_beginning_of(const LogContent& content, const LogContent& other) {
  // More than the longest entry Docker writes (16 KiB of text, escaped).
  constexpr std::uint64_t kCompareBytes = 256U << 10;
  std::array<char, 4096> block{};
  std::array<char, 4096> other_block{};
  std::uint64_t at = 0;
  while (at < kCompareBytes) {
    const auto n = read_at(content, at, block);
    if (n == 0) break;
    if (read_at(other, at, other_block) < n) return false;
    if (!std::equal(block.begin(), block.begin() + n, other_block.begin())) return false;
    at += static_cast<std::uint64_t>(n);
  }
  return at > 0;
}

TailFile::TailFile(SeenFile seen, std::uint64_t number)
    : content_(std::move(seen.content)),
      key_(seen.facts.key),
      path_(std::move(seen.path)),
      number_(number) {}

TailFile::TailFile(SeenFile seen, std::uint64_t number, const FilePrint& print)
    : TailFile(SeenFile{std::move(seen.content), seen.facts, seen.path, seen.live, nullptr},
               number) {
  const auto whole = std::min<std::uint64_t>(print.extent, kTailBytes);
  if (auto known = seen.survey ? seen.survey->tail_of(print) : std::nullopt) {
    extent_ = seen.survey->of(print)->size;
    tail_ = std::move(*known);
  } else if (auto tail = read_exactly(content_, print.extent - whole, whole)) {
    extent_ = print.extent;
    tail_ = std::move(*tail);
  } else {
    extent_ = content_.compressed() ? content_.decoded_size(print.extent)
                                    : std::min(print.extent, facts().value_or(FileFacts{}).size);
    const auto last = std::min<std::uint64_t>(extent_, kTailBytes);
    tail_ = read_exactly(content_, extent_ - last, last).value_or("");
  }
  head_bytes_ = print.head_bytes;
  head_print_ = print.head;
  const auto first = std::min<std::uint64_t>(extent_, kHeadBytes);
  if (head_bytes_ == 0) head_ = read_exactly(content_, 0, first).value_or("");
}

void TailFile::restart() {
  number_ = 0;
  extent_ = 0;
  head_bytes_ = 0;
  head_.clear();
  tail_.clear();
  ends_seen = 0;
  scanned_to = 0;
}

std::uint64_t TailFile::size() const {
  if (content_.compressed()) return std::max<std::uint64_t>(extent_, 1);
  return facts().value_or(FileFacts{}).size;
}

bool TailFile::holds_content() const {
  if (content_.compressed()) return true;  // Written once
  const auto now = facts();
  return now && decide(print(), observe(content_, *now, print())) == Verdict::kHolds;
}

std::size_t TailFile::read_raw(std::uint64_t offset, std::span<char> buffer) const {
  return static_cast<std::size_t>(read_at(content_, offset, buffer));
}

TailFile::Read TailFile::read(std::uint64_t offset, std::span<char> buffer,
                              std::string_view& data) const {
  data = {};
  // One call brings what was read last and what follows it: a truncation cannot come between.
  const bool at_extent = offset == extent_;
  std::uint64_t decoded = 0;
  if (!content_.advance(offset - (at_extent ? tail_.size() : 0), kDecodeSlice, decoded)) {
    return Read::kLater;
  }
  if (!at_extent && !content_.compressed()) {  // Compressed content is written once
    const auto before = read_exactly(content_, extent_ - tail_.size(), tail_.size());
    if (!before || *before != tail_) return Read::kChanged;
  }
  const std::size_t overlap = at_extent ? tail_.size() : 0;
  const auto n = content_.read(offset - overlap, buffer);
  if (n < 0) return Read::kFailed;
  const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
  if (!bytes.starts_with(std::string_view(tail_).substr(0, overlap))) return Read::kChanged;
  data = bytes.substr(overlap);
  return Read::kData;
}

void TailFile::consumed(std::uint64_t offset, std::string_view data) {
  if (offset + data.size() <= extent_) return;
  const auto fresh = data.substr(extent_ - offset);
  if (head_bytes_ == 0) add_to_head(fresh);
  extend_tail(tail_, fresh);
  extent_ = offset + data.size();
}

// `fresh` follows extent_.
void TailFile::add_to_head(std::string_view fresh) {
  const auto newline = fresh.find('\n');
  const bool ends = newline != std::string_view::npos;
  const auto line = ends ? fresh.substr(0, newline + 1) : fresh;
  head_.append(line.substr(0, kHeadBytes - head_.size()));
  if (!ends) return;
  auto end = tail_;
  extend_tail(end, line);
  head_bytes_ = extent_ + line.size();
  head_print_ = fingerprint(std::exchange(head_, {}) + end);
}

void TailFile::consumed_through(std::uint64_t offset) {
  std::array<char, 4096> block{};
  while (extent_ < offset) {
    if (head_bytes_ > 0 && offset - extent_ > block.size()) {  // Only the last bytes are needed
      const auto tail = read_exactly(content_, offset - kTailBytes, kTailBytes);
      if (!tail) return;
      tail_ = *tail;
      extent_ = offset;
      return;
    }
    const auto want =
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), offset - extent_));
    const auto n = read_raw(extent_, std::span(block.data(), want));
    if (n == 0) return;  // Truncated under us: the next read notices
    consumed(extent_, std::string_view(block.data(), n));
  }
}

FilePrint TailFile::print() const {
  FilePrint print;
  print.key = key_;
  print.extent = extent_;
  print.head_bytes = head_bytes_;
  print.head = head_print_;
  print.tail_bytes = static_cast<std::uint32_t>(tail_.size());
  print.tail = fingerprint(tail_);
  return print;
}

}  // namespace observeai::agent
