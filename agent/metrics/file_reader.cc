#include "agent/metrics/file_reader.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace observeai::agent {

FileText FileReader::read_descriptor(int fd) {
  std::size_t filled = 0;
  for (;;) {
    if (filled == buffer_.size()) {
      if (buffer_.size() >= kMaxFileBytes) return {{}, EFBIG};
      buffer_.resize(buffer_.size() * 2);
    }
    const ssize_t n =
        ::pread(fd, buffer_.data() + filled, buffer_.size() - filled, static_cast<off_t>(filled));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return {{}, errno};
    if (n == 0) return {{buffer_.data(), filled}, 0};
    filled += static_cast<std::size_t>(n);
  }
}

FileText FileReader::read_once(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return {{}, errno};
  const FileText content = read_descriptor(fd);
  ::close(fd);
  return content;
}

KeptFile::KeptFile(KeptFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      owner_(std::exchange(other.owner_, nullptr)) {}

KeptFile& KeptFile::operator=(KeptFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(owner_, other.owner_);
  return *this;
}

FileText KeptFile::read(FileReader& reader) {
  if (fd_ < 0) {
    if (reader.kept_ >= reader.max_kept_) return reader.read_once(path_);
    fd_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) return {{}, errno};
    owner_ = &reader;
    ++reader.kept_;
  }
  const FileText content = reader.read_descriptor(fd_);
  if (!content) release();
  return content;
}

void KeptFile::release() {
  if (fd_ < 0) return;
  ::close(fd_);
  fd_ = -1;
  --owner_->kept_;
}

}  // namespace observeai::agent
