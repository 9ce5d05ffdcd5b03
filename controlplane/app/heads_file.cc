#include "controlplane/app/heads_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "controlplane/audit/export_lines.h"
#include "protocol/base/files.h"

namespace observeai::controlplane {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr off_t kTailBytes = 64 * 1024;  // More than any line

class Descriptor {
 public:
  Descriptor(const std::string& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0640)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return files::from_errno("cannot write " + path, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(fd) != 0 && errno != EINVAL) return files::from_errno("cannot sync " + path, errno);
  return {};
}

}  // namespace

Result<void> HeadsFile::copy(model::AuditHeadRepository& heads) {
  if (!copied_) {
    TRY(copied_, last_seq());
  }
  for (;;) {
    TRY(const auto page, heads.list(*copied_, kPage));
    if (page.empty()) return {};
    std::string lines;
    for (const auto& head : page) lines += audit::format_line(head);
    const Descriptor file(path_, O_WRONLY | O_APPEND | O_CREAT);
    if (file.get() < 0) return files::from_errno("cannot open " + path_, errno);
    auto written = write_all(file.get(), lines, path_);
    if (!written) {
      copied_.reset();  // How much of it stands there is looked at before the next
      return written;
    }
    copied_ = page.back().head.seq;
  }
}

Result<std::uint64_t> HeadsFile::last_seq() const {
  const Descriptor file(path_, O_RDONLY);
  if (file.get() < 0 && errno == ENOENT) return std::uint64_t{0};
  if (file.get() < 0) return files::from_errno("cannot open " + path_, errno);
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return files::from_errno("cannot read " + path_, errno);
  if (info.st_size == 0) return std::uint64_t{0};
  const off_t begin = std::max<off_t>(0, info.st_size - kTailBytes);
  std::string tail(static_cast<std::size_t>(info.st_size - begin), '\0');
  const auto read = ::pread(file.get(), tail.data(), tail.size(), begin);
  if (read != static_cast<ssize_t>(tail.size()))
    return files::from_errno("cannot read " + path_, errno);
  const Error foreign(Errc::kCorrupt, path_ + " ends with a line that is no signed audit head: " +
                                          "mend or move it, a new one is begun then");
  if (tail.back() != '\n') return foreign;
  tail.pop_back();
  const auto line = audit::parse_line(std::string_view(tail).substr(tail.rfind('\n') + 1));
  const auto* head = line ? std::get_if<model::SignedAuditHead>(&*line) : nullptr;
  if (head == nullptr) return foreign;
  return head->head.seq;
}

}  // namespace observeai::controlplane
