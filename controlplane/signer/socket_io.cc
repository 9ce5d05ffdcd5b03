#include "controlplane/signer/socket_io.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "protocol/base/files.h"

namespace observeai::controlplane::signer {
namespace {

constexpr std::size_t kReadBytes = 256U << 10;
constexpr int kBacklog = 16;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(Errc::kInvalid, "the path is too long for a unix socket: " + path);
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<Descriptor> make_socket() {
  Descriptor made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!made) return files::from_errno("cannot make a socket", errno);
  return made;
}

// Until `fd` is ready for `events`.
Result<void> wait_for(int fd, short events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd waited{fd, events, 0};
    const int ready =
        ::poll(&waited, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return files::from_errno("signer socket", errno);
    if (ready == 0 && std::chrono::steady_clock::now() >= deadline)
      return Error(Errc::kTimeout, "the other side of the signer's socket does not answer");
  }
}

Error gone() {
  return Error(Errc::kUnavailable, "the other side of the signer's socket has gone");
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}
Descriptor::Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

Result<Descriptor> listen_at(const std::string& path) {
  TRY(const sockaddr_un address, address_of(path));
  TRY(auto listener, make_socket());
  ::unlink(path.c_str());
  const bool listens =
      ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::chmod(path.c_str(), 0666) == 0 && ::listen(listener.get(), kBacklog) == 0;
  if (!listens) return files::from_errno("cannot listen on " + path, errno);
  return listener;
}

Result<Descriptor> connect_to(const std::string& path) {
  TRY(const sockaddr_un address, address_of(path));
  TRY(auto made, make_socket());
  if (::connect(made.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return made;
  return Error(Errc::kUnavailable, "no signer answers on " + path + ": " + std::strerror(errno));
}

Result<unsigned> peer_uid(int fd) {
  ucred who{};
  socklen_t size = sizeof who;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0) return who.uid;
  return Error(Errc::kDenied, "the kernel does not say who asks");
}

Result<void> send_all(int fd, std::string_view bytes, Deadline deadline) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      TRY_VOID(wait_for(fd, POLLOUT, deadline));
    } else if (errno != EINTR) {
      return gone();
    }
  }
  return {};
}

Result<void> receive_some(int fd, std::string& buffer, Deadline deadline) {
  const std::size_t before = buffer.size();
  for (;;) {
    TRY_VOID(wait_for(fd, POLLIN, deadline));
    buffer.resize(before + kReadBytes);
    const auto got = ::recv(fd, buffer.data() + before, kReadBytes, MSG_DONTWAIT);
    buffer.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) return {};
    if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return gone();
  }
}

bool is_stale(int fd) {
  pollfd waited{fd, POLLIN, 0};
  return ::poll(&waited, 1, 0) != 0;
}

}  // namespace observeai::controlplane::signer
