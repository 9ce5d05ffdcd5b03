#include "protocol/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace observeai::files {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Result<void> write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const auto written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return from_errno("cannot write " + path, errno);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// A file that was not there before: a link planted under its name is not followed, and what somebody
// else has open is not written to. What a crash left there is removed.
Result<Descriptor> create_anew(const std::string& path, unsigned mode) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  int fd = ::open(path.c_str(), kFlags, mode_t(mode));
  if (fd < 0 && errno == EEXIST && ::unlink(path.c_str()) == 0) {
    fd = ::open(path.c_str(), kFlags, mode_t(mode));
  }
  if (fd < 0) return from_errno("cannot create " + path, errno);
  return Descriptor(fd);
}

}  // namespace

Error from_errno(std::string_view what, int error_number) {
  Errc code = Errc::kUnavailable;
  if (error_number == ENOENT) code = Errc::kNotFound;
  if (error_number == EACCES || error_number == EPERM || error_number == EROFS)
    code = Errc::kDenied;
  if (error_number == ENOSPC || error_number == EDQUOT || error_number == EMFILE)
    code = Errc::kLimit;
  return Error(code, std::string(what) + ": " + std::strerror(error_number));
}

Result<std::string> read(const std::string& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return from_errno("cannot open " + path, errno);
  std::string out;
  std::array<char, 16384> buffer;
  for (;;) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) {
      if (errno == EINTR) continue;
      return from_errno("cannot read " + path, errno);
    }
    if (got == 0) return out;
    if (out.size() + static_cast<std::size_t>(got) > limit) {
      return Error(Errc::kLimit, path + " is longer than " + std::to_string(limit) + " bytes");
    }
    out.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<void> write_atomic(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string temporary = path + ".new." + std::to_string(::getpid());
  {
    TRY(const auto file, create_anew(temporary, mode));
    auto written = write_all(file.get(), bytes, temporary);
    if (written && (::fchmod(file.get(), mode_t(mode)) != 0 || ::fsync(file.get()) != 0)) {
      written = from_errno("cannot finish " + temporary, errno);
    }
    if (!written) {
      ::unlink(temporary.c_str());
      return written;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const auto error = from_errno("cannot replace " + path, errno);
    ::unlink(temporary.c_str());
    return error;
  }
  const auto folder = std::filesystem::path(path).parent_path();
  const Descriptor directory(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() >= 0) ::fsync(directory.get());
  return {};
}

namespace {

// What is kept in a folder is only as safe as the folder.
Result<void> require_safe_directory(const std::string& path, unsigned mode) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return from_errno("cannot look at " + path, errno);
  const auto self = ::geteuid();
  if (info.st_uid != self && info.st_uid != 0) {
    return Error(Errc::kDenied, "the folder " + path + " belongs to user " +
                                    std::to_string(info.st_uid) + ", not to this program's user (" +
                                    std::to_string(self) +
                                    ") or root: its owner could replace what is kept there; run: "
                                    "chown " +
                                    std::to_string(self) + " " + path + ", or use another folder");
  }
  if ((info.st_mode & 022U & ~mode) != 0) {
    return Error(Errc::kDenied, "others than its owner may write to the folder " + path +
                                    " and replace what is kept there; run: chmod go-w " + path +
                                    ", or use another folder");
  }
  return {};
}

}  // namespace

Result<void> make_directories(const std::string& path, unsigned mode) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return require_safe_directory(path, mode);
  std::filesystem::create_directories(path, error);
  if (error) return from_errno("cannot create the folder " + path, error.value());
  if (::chmod(path.c_str(), mode_t(mode)) != 0) {
    return from_errno("cannot set the mode of " + path, errno);
  }
  return require_safe_directory(path, mode);
}

bool exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace observeai::files
