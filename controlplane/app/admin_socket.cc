#include "controlplane/app/admin_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "protocol/base/files.h"

namespace observeai::controlplane {
namespace {

constexpr std::size_t kMaxLine = 4096;
constexpr std::chrono::milliseconds kClientPatience(2'000);
constexpr std::string_view kErrorPrefix = "error: ";

std::string socket_path(const std::string& state_directory) {
  return state_directory + "/admin.sock";
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(Errc::kInvalid, "the state folder's path is too long for a unix socket: " + path);
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<int> connect_to(const std::string& path) {
  TRY(const sockaddr_un address, address_of(path));
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return files::from_errno("cannot make a socket", errno);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return Error(Errc::kUnavailable, "no control plane answers on " + path);
  }
  return fd;
}

// The kernel releases it with the process, however that ends.
Result<int> lock_folder(const std::string& state_directory) {
  const std::string path = state_directory + "/controlplane.lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return files::from_errno("cannot open " + path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  ::close(fd);
  return Error(Errc::kUnavailable, "another control plane is running on " + state_directory);
}

// Only for who holds the lock: what lies at `path` is nobody's any more.
Result<int> listen_at(const std::string& path) {
  TRY(const sockaddr_un address, address_of(path));
  ::unlink(path.c_str());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return files::from_errno("cannot make a socket", errno);
  const mode_t before = ::umask(0077);
  const bool bound = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                     ::listen(fd, 8) == 0;
  const int why = errno;
  ::umask(before);
  if (bound) return fd;
  ::close(fd);
  return files::from_errno("cannot listen on " + path, why);
}

// Up to the newline; "" when none comes in time.
std::string read_line(int fd, std::chrono::milliseconds patience) {
  std::string line;
  const auto end = std::chrono::steady_clock::now() + patience;
  while (line.size() < kMaxLine) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    pollfd readable{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) <= 0) return {};
    std::array<char, 512> buffer{};
    const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) return {};
    line.append(buffer.data(), static_cast<std::size_t>(got));
    if (const auto newline = line.find('\n'); newline != std::string::npos)
      return line.substr(0, newline);
  }
  return {};
}

bool may_ask(int client) {
  ucred who{};
  socklen_t size = sizeof who;
  return ::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
         (who.uid == 0 || who.uid == ::geteuid());
}

}  // namespace

Result<std::unique_ptr<AdminSocket>> AdminSocket::open(const std::string& state_directory,
                                                       Answer answer) {
  TRY(const int lock, lock_folder(state_directory));
  std::string path = socket_path(state_directory);
  const auto listener = listen_at(path);
  if (!listener) {
    ::close(lock);
    return listener.error();
  }
  return std::unique_ptr<AdminSocket>(new AdminSocket(lock, *listener, ::eventfd(0, EFD_CLOEXEC),
                                                      std::move(path), std::move(answer)));
}

AdminSocket::AdminSocket(int lock, int listener, int stop_event, std::string path, Answer answer)
    : lock_(lock),
      listener_(listener),
      stop_event_(stop_event),
      path_(std::move(path)),
      answer_(std::move(answer)) {
  thread_ = std::thread([this] { run(); });
}

AdminSocket::~AdminSocket() {
  const std::uint64_t one = 1;
  if (::write(stop_event_, &one, sizeof one) == sizeof one) thread_.join();
  ::close(listener_);
  ::close(stop_event_);
  ::unlink(path_.c_str());
  ::close(lock_);
}

void AdminSocket::run() {
  for (;;) {
    std::array<pollfd, 2> ready{pollfd{listener_, POLLIN, 0}, pollfd{stop_event_, POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) continue;
    if ((ready[1].revents & POLLIN) != 0) return;
    const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    serve(client);
    ::close(client);
  }
}

void AdminSocket::serve(int client) {
  if (!may_ask(client)) return;
  const std::string request = read_line(client, kClientPatience);
  if (request.empty()) return;
  const auto answer = answer_(request);
  const std::string line =
      (answer ? *answer : std::string(kErrorPrefix) + answer.error().message()) + "\n";
  // A client that left early has only itself to blame.
  [[maybe_unused]] const auto sent = ::send(client, line.data(), line.size(), MSG_NOSIGNAL);
}

Result<std::string> ask_controlplane(const std::string& state_directory, const std::string& request,
                                     std::chrono::milliseconds patience) {
  TRY(const int fd, connect_to(socket_path(state_directory)));
  const std::string line = request + "\n";
  const auto sent = ::send(fd, line.data(), line.size(), MSG_NOSIGNAL);
  std::string answer =
      sent == static_cast<ssize_t>(line.size()) ? read_line(fd, patience) : std::string();
  ::close(fd);
  if (answer.empty()) return Error(Errc::kTimeout, "the control plane did not answer");
  if (answer.starts_with(kErrorPrefix))
    return Error(Errc::kDenied, answer.substr(kErrorPrefix.size()));
  return answer;
}

}  // namespace observeai::controlplane
