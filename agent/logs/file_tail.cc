#include "agent/logs/file_tail.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "agent/logs/fingerprint.h"
#include "protocol/base/files.h"
#include "protocol/base/text.h"

namespace observeai::agent {
namespace {

constexpr int kSnapshotAttempts = 5;

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
std::optional<std::string> read_exactly(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const auto n = ::pread(fd, bytes.data() + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return std::nullopt;
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

// At most one block at `offset`; 0 at the end and on errors.
std::ptrdiff_t read_at(int fd, std::uint64_t offset, std::span<char> block) {
  for (;;) {
    const auto n = ::pread(fd, block.data(), block.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    return std::max<std::ptrdiff_t>(n, 0);
  }
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

struct SiblingName {
  std::string path;
  unsigned rotation = 0;
  bool operator==(const SiblingName&) const = default;
};

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

// Oldest first.
Result<std::vector<SiblingName>> sibling_names(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(folder.c_str()));
  if (!directory) return files::from_errno("cannot list " + folder, errno);
  std::vector<SiblingName> names;
  while (const dirent* entry = ::readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(base)) continue;
    if (name.size() == base.size()) {
      names.push_back({path, 0});
    } else if (name[base.size()] == '.') {
      const auto number = text::parse_u64(name.substr(base.size() + 1));
      if (number && *number > 0 && *number < 1'000'000) {
        names.push_back(
            {path + std::string(name.substr(base.size())), static_cast<unsigned>(*number)});
      }
    }
  }
  std::sort(names.begin(), names.end(),
            [](const SiblingName& a, const SiblingName& b) { return a.rotation > b.rotation; });
  if (names.size() > kMaxSiblings) names.erase(names.begin(), names.end() - kMaxSiblings);
  return names;
}

Result<SeenFile> open_one(const SiblingName& name) {
  // A log may have been replaced by a pipe: never wait in open(). Nor by a link: we may read more
  // than whoever planted it.
  UniqueFd fd(::open(name.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW));
  if (!fd && errno == ELOOP) {
    return Error(Errc::kDenied, name.path + " is a symbolic link, which is not followed");
  }
  if (!fd) return files::from_errno("cannot open " + name.path, errno);
  TRY(const auto facts, stat_file(fd.get()));
  if (!facts.regular) return Error(Errc::kDenied, name.path + " is not a regular file");
  return SeenFile{std::move(fd), facts, name.path, name.rotation};
}

// Do the names still mean the files that were opened?
bool unmoved(const std::string& path, const std::vector<SiblingName>& names,
             const std::vector<SeenFile>& seen) {
  const auto again = sibling_names(path);
  if (!again || *again != names) return false;
  return std::all_of(seen.begin(), seen.end(), [](const SeenFile& file) {
    const auto facts = stat_file(file.path);
    return facts && facts->key == file.facts.key;
  });
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}
UniqueFd::~UniqueFd() {
  if (fd_ >= 0) ::close(fd_);
}

Verdict decide(const FilePrint& print, const Observation& observed) {
  const bool same_key = observed.key == print.key;
  const bool head_equal = print.head_bytes > 0 && observed.head == print.head;
  if (observed.size < print.extent) return head_equal ? Verdict::kBegins : Verdict::kOther;
  if (print.extent == 0) return same_key ? Verdict::kHolds : Verdict::kOther;
  return observed.tail == print.tail && (same_key || head_equal) ? Verdict::kHolds
                                                                 : Verdict::kOther;
}

Verdict decide(const FilePrint& print, const SeenFile& seen) {
  return decide(print, observe(seen.fd.get(), seen.facts, print));
}

Result<FileFacts> stat_file(const std::string& path) {
  return facts_of(AT_FDCWD, path.c_str(), 0, path);
}
Result<FileFacts> stat_file(int fd) {
  return facts_of(fd, "", AT_EMPTY_PATH, "an open log");
}

Observation observe(int fd, const FileFacts& facts, const FilePrint& print) {
  Observation seen{facts.key, facts.size, std::nullopt, std::nullopt};
  const auto first = std::min<std::uint64_t>(print.head_bytes, kHeadBytes);
  const auto last = std::min<std::uint64_t>(print.head_bytes, kTailBytes);
  const auto begin = read_exactly(fd, 0, first);
  const auto end = read_exactly(fd, print.head_bytes - last, last);
  if (begin && end) seen.head = fingerprint(*begin + *end);
  if (facts.size < print.extent) return seen;
  if (const auto tail = read_exactly(fd, print.extent - print.tail_bytes, print.tail_bytes)) {
    seen.tail = fingerprint(*tail);
  }
  return seen;
}

bool is_beginning_of(int fd, int other_fd) {
  // More than the longest entry Docker writes (16 KiB of text, escaped).
  constexpr std::uint64_t kCompareBytes = 256U << 10;
  std::array<char, 4096> block{};
  std::array<char, 4096> other_block{};
  std::uint64_t at = 0;
  while (at < kCompareBytes) {
    const auto n = read_at(fd, at, block);
    if (n == 0) break;
    if (read_at(other_fd, at, other_block) < n) return false;
    if (!std::equal(block.begin(), block.begin() + n, other_block.begin())) return false;
    at += static_cast<std::uint64_t>(n);
  }
  return at > 0;
}

Result<std::vector<SeenFile>> open_siblings(const std::string& path) {
  for (int attempt = 0; attempt < kSnapshotAttempts; ++attempt) {
    TRY(const auto names, sibling_names(path));
    std::vector<SeenFile> seen;
    bool vanished = false;
    for (const auto& name : names) {
      auto file = open_one(name);
      if (!file && file.error().code() == Errc::kNotFound) {
        vanished = true;
        break;
      }
      if (!file) return std::move(file).error();
      seen.push_back(std::move(*file));
    }
    if (!vanished && unmoved(path, names, seen)) return seen;
  }
  return Error(Errc::kTimeout, "the files of " + path + " keep moving");
}

TailFile::TailFile(SeenFile seen, std::uint64_t number)
    : fd_(std::move(seen.fd)), key_(seen.facts.key), path_(std::move(seen.path)), number_(number) {}

TailFile::TailFile(SeenFile seen, std::uint64_t number, const FilePrint& print)
    : TailFile(std::move(seen), number) {
  const auto size = facts().value_or(FileFacts{}).size;
  extent_ = std::min(print.extent, size);
  head_bytes_ = print.head_bytes;
  head_print_ = print.head;
  const auto first = std::min<std::uint64_t>(extent_, kHeadBytes);
  const auto last = std::min<std::uint64_t>(extent_, kTailBytes);
  if (head_bytes_ == 0) head_ = read_exactly(fd_.get(), 0, first).value_or("");
  tail_ = read_exactly(fd_.get(), extent_ - last, last).value_or("");
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

bool TailFile::holds_content() const {
  const auto now = facts();
  return now && decide(print(), observe(fd(), *now, print())) == Verdict::kHolds;
}

std::size_t TailFile::read_raw(std::uint64_t offset, std::span<char> buffer) const {
  return static_cast<std::size_t>(read_at(fd_.get(), offset, buffer));
}

TailFile::Read TailFile::read(std::uint64_t offset, std::span<char> buffer,
                              std::string_view& data) const {
  data = {};
  // One call brings what was read last and what follows it: a truncation cannot come between.
  const bool at_extent = offset == extent_;
  if (!at_extent) {
    const auto before = read_exactly(fd_.get(), extent_ - tail_.size(), tail_.size());
    if (!before || *before != tail_) return Read::kChanged;
  }
  const std::size_t overlap = at_extent ? tail_.size() : 0;
  for (;;) {
    const auto n =
        ::pread(fd_.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset - overlap));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Read::kFailed;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(n));
    if (!bytes.starts_with(std::string_view(tail_).substr(0, overlap))) return Read::kChanged;
    data = bytes.substr(overlap);
    return Read::kData;
  }
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
      const auto tail = read_exactly(fd_.get(), offset - kTailBytes, kTailBytes);
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
