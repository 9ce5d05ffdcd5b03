#include "agent/executor/client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "agent/executor/unique_fd.h"
#include "protocol/base/files.h"

namespace observeai::agent::executor {
namespace {

Error closed() {
  return Error(
      Errc::kUnavailable,
      "the executor closed the connection without an answer: only root and the agent's user may"
      " ask it, or it has ended (journalctl -u observeai-executor)");
}

Error unreachable(const std::string& path, int error) {
  const std::string at = " at " + path;
  switch (error) {
    case EACCES:
      return Error(Errc::kDenied, "only root and the agent's user may ask the executor" + at);
    case ENOENT:
      return Error(Errc::kNotFound,
                   "there is no executor" + at +
                       ": systemctl start observeai-executor.socket, or --config with the settings"
                       " that it was started with");
    case ECONNREFUSED:
      return Error(Errc::kUnavailable,
                   "no executor listens" + at +
                       ": systemctl restart observeai-executor.socket, or start it again");
    default:
      return files::from_errno("cannot reach the executor" + at, error);
  }
}

Result<UniqueFd> connect_to(const std::string& path, std::chrono::milliseconds timeout) {
  struct sockaddr_un address {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return Error(Errc::kInvalid, "the socket's path is too long: " + path);
  std::copy(path.begin(), path.end(), address.sun_path);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return files::from_errno("socket", errno);
  struct timeval limit {};
  limit.tv_sec = timeout.count() / 1000;
  limit.tv_usec = timeout.count() % 1000 * 1000;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return unreachable(path, errno);
  return socket;
}

}  // namespace

Result<Frame> ask(const std::string& socket_path, const Frame& request,
                  std::chrono::milliseconds timeout) {
  TRY(const auto socket, connect_to(socket_path, timeout));
  const auto bytes = encode_frame(request);
  for (std::size_t sent = 0; sent < bytes.size();) {
    const ssize_t now =
        ::send(socket.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now < 0 && errno == EINTR) continue;
    if (now < 0 && errno == EPIPE) break;  // The answer may say why
    if (now < 0) return files::from_errno("cannot ask the executor", errno);
    sent += static_cast<std::size_t>(now);
  }
  std::string answer;
  std::array<char, 16384> chunk{};
  for (;;) {
    TRY(auto taken, take_frame(answer));
    if (taken) return std::move(taken->frame);
    const ssize_t got = ::recv(socket.get(), chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
      return Error(Errc::kTimeout, "the executor did not answer in time");
    if (got <= 0) return closed();
    answer.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace observeai::agent::executor
