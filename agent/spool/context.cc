#include "agent/spool/context.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "protocol/base/files.h"
#include "protocol/base/log.h"
#include "protocol/sql/packed.h"

namespace observeai::agent {
namespace {

constexpr std::uint64_t kSegmentsOfQuota = 32;
constexpr std::uint64_t kMinSegmentBytes = 512U << 10;
constexpr std::uint64_t kMaxSegmentBytes = 32U << 20;
constexpr std::uint64_t kMinLogBytes = 128U << 10;
constexpr std::uint64_t kMaxLogBytes = 4U << 20;
constexpr std::uint64_t kMinBallast = 512U
                                      << 10;  // A first segment of each lane, as small as it can be
constexpr std::uint64_t kMaxBallast = 4U << 20;  // A first transaction with 8,000 series, twice
// What nobody has looked at until now: newer ones tell the same.
constexpr std::size_t kMaxNotices = 256;

std::uint64_t segment_bytes_for(const SpoolLimits& limits) {
  return std::clamp(limits.max_bytes / kSegmentsOfQuota, kMinSegmentBytes, kMaxSegmentBytes);
}

SegmentOptions options_for(const SpoolLimits& limits) {
  SegmentOptions options;
  options.log_bytes = std::clamp(segment_bytes_for(limits) / 8, kMinLogBytes, kMaxLogBytes);
  return options;
}

}  // namespace

std::string pack_forks(const std::vector<Fork>& forks) {
  sql::Packer packer;
  for (const auto& fork : forks) {
    packer.add({reinterpret_cast<const char*>(fork.parent.bytes.data()), fork.parent.bytes.size()});
    for (const auto base : fork.base) packer.add_number(base);
  }
  return packer.take();
}

Result<std::vector<Fork>> unpack_forks(std::string_view bytes) {
  std::vector<Fork> forks;
  for (sql::Unpacker unpacker(bytes); !unpacker.done();) {
    Fork fork;
    TRY(const auto parent, unpacker.next());
    if (parent.size() != fork.parent.bytes.size())
      return Error(Errc::kCorrupt, "an epoch of another length");
    std::copy(parent.begin(), parent.end(), fork.parent.bytes.begin());
    for (auto& base : fork.base) {
      TRY(base, unpacker.next_number());
    }
    forks.push_back(fork);
  }
  return forks;
}

SpoolContext::SpoolContext(std::string the_directory, const SpoolLimits& the_limits,
                           const Clock& the_clock)
    : directory(std::move(the_directory)),
      limits(the_limits),
      clock(the_clock),
      segment_bytes(segment_bytes_for(the_limits)),
      options(options_for(the_limits)) {}

void SpoolContext::note(const char* kind, wire::Severity severity, const std::string& message) {
  const std::string line = std::string(kind) + ": " + log::printable(message);
  if (severity >= wire::Severity::kError) {
    log::error(line);
  } else {
    log::warning(line);
  }
  if (notices.size() >= kMaxNotices) return;
  notices.push_back({clock.unix_ms(), kind, severity, message});
}

// ---- manifest ----------------------------------------------------------------------------------

Result<void> SpoolContext::settle_manifest() {
  if (!manifest_in_doubt_) return {};
  return write_manifest(manifest->content());
}

Result<void> SpoolContext::write_manifest(const ManifestContent& content) {
  auto written = manifest->write(content);
  // Where a file is not overwritten in its place (btrfs, ZFS) this needs space, also to free some.
  if (!written && written.error().code() == Errc::kLimit && release_ballast())
    written = manifest->write(content);
  manifest_in_doubt_ = !written;
  return written;
}

std::optional<std::uint64_t> SpoolContext::shift_of(const Epoch& from, std::size_t lane) const {
  std::uint64_t shift = 0;
  if (from == epoch()) return shift;
  for (std::size_t i = forks.size(); i-- > 0;) {
    shift += forks[i].base[lane] - 1;
    if (forks[i].parent == from) return shift;
  }
  return std::nullopt;
}

// ---- readers -----------------------------------------------------------------------------------

Result<Segment> SpoolContext::open_segment(const std::string& path) {
  auto segment = Segment::open(path, options);
  if (segment || segment.error().code() != Errc::kLimit || !release_ballast()) return segment;
  return Segment::open(path, options);
}

Result<Segment*> SpoolContext::reader(const std::string& path) {
  if (reader_ && reader_->path() == path) return &*reader_;
  reader_.reset();
  TRY(auto segment, Segment::open(path, options));
  reader_.emplace(std::move(segment));
  return &*reader_;
}

Result<OldSpool*> SpoolContext::old_reader() {
  if (!old_reader_) {
    TRY(auto old, OldSpool::open(directory));
    old_reader_.emplace(std::move(old));
  }
  return &*old_reader_;
}

void SpoolContext::close_reader(const std::string& path) {
  if (reader_ && reader_->path() == path) reader_.reset();
  if (path == OldSpool::path_in(directory)) old_reader_.reset();
}

// ---- files -------------------------------------------------------------------------------------

void SpoolContext::remove_later(const std::string& path) {
  if (reader_ && reader_->path() == path) reader_->leave_log_on_close();
  close_reader(path);
  to_remove_.push_back(path);
}

void SpoolContext::remove_pending() {
  std::erase_if(to_remove_, [](const std::string& path) { return remove_segment(path); });
}

void SpoolContext::remove_no_more(const std::string& path) {
  std::erase(to_remove_, path);
}

std::uint64_t SpoolContext::ballast_bytes() const {
  return std::clamp(limits.max_bytes / 256, kMinBallast, kMaxBallast);
}

bool SpoolContext::release_ballast() {
  return ::unlink((directory + "/ballast").c_str()) == 0;
}

void SpoolContext::restore_ballast() {
  const std::string path = directory + "/ballast";
  if (files::exists(path)) return;
  const auto free = free_bytes_under(directory);
  if (!free || *free < limits.min_free_bytes + 2 * ballast_bytes()) return;
  const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return;
  const bool there = ::fallocate(descriptor, 0, 0, static_cast<off_t>(ballast_bytes())) == 0;
  ::close(descriptor);
  if (!there) ::unlink(path.c_str());
}

Result<void> sync_directory(const std::string& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return files::from_errno("cannot open " + directory, errno);
  const int outcome = ::fsync(descriptor);
  const int error_number = errno;
  ::close(descriptor);
  if (outcome != 0) return files::from_errno("cannot sync " + directory, error_number);
  return {};
}

Result<std::uint64_t> free_bytes_under(const std::string& directory) {
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) {
    return files::from_errno("cannot ask for the free space of " + directory, errno);
  }
  return std::uint64_t{info.f_bavail} * info.f_frsize;
}

Result<Epoch> random_epoch() {
  Epoch epoch;
  if (::getrandom(epoch.bytes.data(), epoch.bytes.size(), 0) !=
      static_cast<ssize_t>(epoch.bytes.size())) {
    return files::from_errno("no randomness for a new spool", errno);
  }
  return epoch;
}

}  // namespace observeai::agent
