#include "agent/runtime/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "protocol/base/text.h"

namespace observeai::agent {

ServiceManager ServiceManager::from_environment(std::string socket, std::string_view watchdog_usec,
                                                std::string_view watchdog_pid) {
  const auto usec = text::parse_u64(watchdog_usec).value_or(0);
  const bool ours = watchdog_pid.empty() || watchdog_pid == std::to_string(::getpid());
  constexpr std::uint64_t kDay = 86'400'000'000;
  return {std::move(socket),
          std::chrono::microseconds(ours && usec <= kDay ? static_cast<std::int64_t>(usec) : 0)};
}

std::optional<std::chrono::microseconds> ServiceManager::alive_every() const {
  if (socket_.empty() || watchdog_ <= std::chrono::microseconds::zero()) return std::nullopt;
  return watchdog_ / 2;
}

void ServiceManager::send(const std::string& message) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (socket_.front() == '@') address.sun_path[0] = '\0';
  const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  // A manager that does not listen notices that by itself.
  (void)::sendto(fd, message.data(), message.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
  ::close(fd);
}

}  // namespace observeai::agent
